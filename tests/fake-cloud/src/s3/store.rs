//! `s3s-fs` in this process: a request goes in, an answer comes out, and its own check of the signature is between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::BodyExt as _;
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use sha2::{Digest as _, Sha256};

use hardtack_bundle::hex;

use crate::account::Key;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::signature::v4;
use crate::time;

/// Keys that `s3s` may ask for.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<BTreeMap<String, String>>>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, id: &str) -> s3s::S3Result<SecretKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = keys.get(id).map(|secret| SecretKey::from(secret.as_str()));
        secret.ok_or_else(|| s3s::s3_error!(InvalidAccessKeyId))
    }
}

/// Buckets in a directory.
pub(crate) struct Store {
    root: PathBuf,
    service: S3Service,
    keys: Keys,
    runtime: tokio::runtime::Runtime,
}

/// The key that requests are signed with again whose signature `s3s` could not understand.
const INTERNAL: (&str, &str) = ("AKIDINTERNAL", "internal-secret");

impl Store {
    /// An empty one below `directory`.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let root = directory.join("buckets");
        std::fs::create_dir(&root)?;
        let files = s3s_fs::FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let keys = Keys::default();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(keys.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self { root, service: builder.build(), keys, runtime })
    }

    /// A new bucket.
    pub(crate) fn make_bucket(&self, name: &str) -> io::Result<()> {
        std::fs::create_dir(self.root.join(name))
    }

    /// Lets `s3s` answer. The signature was checked by us: `s3s` checks it a second time where path and scheme are
    /// those of the request as it came, else one of our own.
    pub(crate) fn call(&self, shared: &Shared, route: &Route, request: &Request) -> Answer {
        let as_it_came = route.path == request.path
            && request.header("authorization").is_some_and(|text| text.starts_with("AWS4-"));
        let request = if as_it_came {
            let id = request.header("authorization").and_then(v4::Header::parse).map(|header| header.id);
            let key = id.as_ref().and_then(|id| shared.world().keys.get(id).cloned());
            if let (Some(id), Some(Key { secret, .. })) = (id, key) {
                self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, secret);
            }
            request.clone()
        } else {
            self.sign_again(&Request { path: route.path.clone(), ..request.clone() })
        };
        self.forward(request).map_err(|what| Refusal::new(500, "InternalError", what))
    }

    fn sign_again(&self, request: &Request) -> Request {
        let (id, secret) = INTERNAL;
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), secret.to_owned());
        let date = time::basic(time::now());
        let payload = hex::encode(Sha256::digest(&request.body).as_slice());
        let mut request = request.clone();
        let drop = ["authorization", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
        request.headers.retain(|(name, _)| !drop.contains(&name.as_str()));
        request.headers.push(("x-amz-date".to_owned(), date.clone()));
        request.headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        let mut signed: Vec<String> = request
            .headers
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| name == "host" || name.starts_with("x-amz-"))
            .collect();
        signed.sort();
        let day = date.get(..8).unwrap_or_default().to_owned();
        let mut header = v4::Header {
            id: id.to_owned(),
            day,
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
            signed,
            signature: String::new(),
        };
        let canonical = v4::canonical(&request, &header.signed, &payload, true);
        header.signature = v4::sign(secret, &header, &date, &canonical);
        let text = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{}/us-east-1/s3/aws4_request, SignedHeaders={}, Signature={}",
            header.day,
            header.signed.join(";"),
            header.signature
        );
        request.headers.push(("authorization".to_owned(), text));
        request
    }

    fn forward(&self, request: Request) -> Result<Response, String> {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let mut builder =
            http::Request::builder().method(request.method.as_str()).uri(format!("{}{query}", request.path));
        for (name, value) in &request.headers {
            // What of these is meant for the way here is not for `s3s`; ACLs and ownership are ours.
            if !["connection", "expect", "x-amz-object-ownership"].contains(&name.as_str()) {
                builder = builder.header(name, value);
            }
        }
        let request = builder.body(s3s::Body::from(request.body)).map_err(|error| error.to_string())?;
        let service = self.service.clone();
        self.runtime.block_on(async move {
            let answer = service.call(request).await.map_err(|error| format!("{error:?}"))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes().to_vec();
            let mut response =
                Response { status: parts.status.as_u16(), headers: Vec::new(), body, length: None };
            for (name, value) in &parts.headers {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                if name == "content-length" {
                    response.length = Some(value);
                } else if name != "transfer-encoding" && name != "connection" {
                    response.headers.push((name.as_str().to_owned(), value));
                }
            }
            if !response.body.is_empty() {
                response.length = None;
            }
            Ok(response)
        })
    }

    /// The file of an object.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.join(bucket).join(key)
    }

    /// The bytes of an object.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.file(bucket, key)).ok()
    }

    /// Writes an object behind S3's back.
    pub(crate) fn write(&self, bucket: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.file(bucket, key);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)
    }

    /// The keys of a bucket, sorted.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.root.join(bucket);
        let (mut keys, mut left) = (Vec::new(), vec![root.clone()]);
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else if let Ok(key) = path.strip_prefix(&root) {
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }

    /// Removes the directories that a deleted object leaves empty; S3 has none.
    pub(crate) fn tidy(&self, bucket: &str, key: &str) {
        let root = self.root.join(bucket);
        let mut directory = self.file(bucket, key).parent().map(Path::to_owned);
        while let Some(path) = directory.filter(|path| *path != root && path.starts_with(&root)) {
            if std::fs::remove_dir(&path).is_err() {
                return;
            }
            directory = path.parent().map(Path::to_owned);
        }
    }
}
