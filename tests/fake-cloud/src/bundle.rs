//! What registering a bundle does: the manifest is fetched, looked at as Eucalyptus does, and the image is unbundled
//! with the cloud's key (Eucalyptus 4.4, `ImageManager` and `ImageManifests`).

use std::path::Path;

use hardtack_bundle::{Bundle, ImageType, Manifest, PrivateKey, hex, unbundle};
use hardtack_disk::AtomicFile;
use sha2::{Digest as _, Sha256};

use crate::CLOUD_KEY;
use crate::cloud::Shared;
use crate::refusal::Refusal;

/// Bytes of a manifest, at most (`images.max_manifest_size`).
const LARGEST_MANIFEST: usize = 5 * 1024 * 1024;
/// Bytes of an image, at most (`images.max_image_size_gb`).
const LARGEST_IMAGE: u64 = 30 << 30;

/// What a bundle holds.
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    /// `machine`, `kernel`, `ramdisk`.
    pub(crate) kind: &'static str,
    /// The image's.
    pub(crate) sha256: String,
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::bad("InvalidManifest", text)
}

/// An object that the cloud itself may read.
fn object(shared: &Shared, bucket: &str, key: &str) -> Result<Vec<u8>, Refusal> {
    let denied = || {
        let text = format!("Manifest is not accessible: {bucket}/{key}");
        if shared.euca() {
            Refusal::bad("InvalidAMIID.NotFound", text)
        } else {
            Refusal::bad("InvalidManifest", format!("HTTP 403 (Forbidden) response for URL {bucket}/{key}"))
        }
    };
    let acl = shared.world().acls.get(&(bucket.to_owned(), key.to_owned())).cloned();
    let readable =
        ["aws-exec-read", "ec2-bundle-read", "public-read", "public-read-write", "authenticated-read"];
    if !acl.is_some_and(|acl| readable.contains(&acl.as_str())) {
        return Err(denied());
    }
    shared.store.read(bucket, key).ok_or_else(denied)
}

/// Fetches and unbundles what is at `BUCKET/KEY`.
pub(crate) fn fetch(shared: &Shared, location: &str, account: &str) -> Result<Found, Refusal> {
    let (bucket, key) = location
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(|| Refusal::bad("InvalidParameterValue", format!("Invalid ImageLocation {location}")))?;
    let bytes = object(shared, bucket, key)?;
    if bytes.len() > LARGEST_MANIFEST {
        return Err(invalid("the manifest is larger than images.max_manifest_size"));
    }
    let directory = tempfile::tempdir_in(shared.files.path()).map_err(internal)?;
    let path = directory.path().join("manifest.xml");
    std::fs::write(&path, &bytes).map_err(internal)?;
    let bundle = Bundle::open(&path, None).map_err(|error| invalid(error.to_string()))?;
    let manifest = bundle.manifest.clone();
    if manifest.user != account {
        return Err(Refusal::new(403, "AuthFailure", "Manifest is not accessible"));
    }
    if !["i386", "x86_64", "other"].contains(&manifest.architecture.as_str()) {
        return Err(invalid(format!("architecture {}", manifest.architecture)));
    }
    if manifest.size > LARGEST_IMAGE {
        return Err(invalid("the image is larger than images.max_image_size_gb"));
    }
    let above = key.rsplit_once('/').map(|(above, _)| format!("{above}/")).unwrap_or_default();
    for part in &manifest.parts {
        let bytes = object(shared, bucket, &format!("{above}{}", part.name))?;
        std::fs::write(directory.path().join(&part.name), bytes).map_err(internal)?;
    }
    let key = PrivateKey::from_pem(CLOUD_KEY.as_bytes(), Path::new("cloud.pem")).map_err(internal)?;
    let session = key.open(&manifest.cloud_key);
    let session = session.ok_or_else(|| invalid("the key was not sealed for this cloud"))?;
    let out = directory.path().join("image");
    let mut file = AtomicFile::create(&out).map_err(internal)?;
    file.set_durable(false);
    unbundle(&bundle, &session, &mut file, &|_, _, _| {}).map_err(|error| invalid(error.to_string()))?;
    file.commit(false).map_err(internal)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut std::fs::File::open(&out).map_err(internal)?, &mut Hashing(&mut digest))
        .map_err(internal)?;
    Ok(Found { kind: kind(&manifest), sha256: hex::encode(digest.finalize().as_slice()), manifest })
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn kind(manifest: &Manifest) -> &'static str {
    match manifest.image_type {
        ImageType::Kernel => "kernel",
        ImageType::Ramdisk => "ramdisk",
        ImageType::Machine => "machine",
    }
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(500, "InternalError", error.to_string())
}
