//! A client of a few lines: one request, one connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hardtack_bundle::hex;
use hardtack_fake_cloud::Cloud;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> String {
        let text = self.text();
        let found = text.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split("</").next());
        found.unwrap_or_default().to_owned()
    }
}

/// A request to be signed.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) ahead: i64,
    /// `x-amz-content-sha256`; `None`: the body's.
    pub(crate) payload: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            method: "GET",
            path: "/",
            query: "",
            service: "ec2",
            region: "us-east-1",
            headers: Vec::new(),
            body: b"",
            id: "AKIDEXAMPLE",
            secret: "secret/of+the-first+account",
            ahead: 0,
            payload: None,
            token: None,
        }
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `date` prints it: there is no calendar here.
fn date(ahead: i64) -> String {
    let stamp = format!("now {ahead} seconds");
    let output =
        std::process::Command::new("date").args(["-u", "-d", &stamp, "+%Y%m%dT%H%M%SZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Ask<'_> {
    /// Signs and sends; queries must be sorted and encoded.
    pub(crate) fn send(&self, cloud: &Cloud) -> Answer {
        let date = date(self.ahead);
        let digest = hex::encode(Sha256::digest(self.body).as_slice());
        let digest = self.payload.map_or(digest, str::to_owned);
        let host = cloud.url().trim_start_matches("http://").to_owned();
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        headers.push(("host".to_owned(), host));
        headers.push(("x-amz-content-sha256".to_owned(), digest.clone()));
        headers.push(("x-amz-date".to_owned(), date.clone()));
        headers.extend(self.token.map(|token| ("x-amz-security-token".to_owned(), token.to_owned())));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{}\n{}\n{}\n{lines}\n{names}\n{digest}", self.method, self.path, self.query);
        let day = &date[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex::encode(Sha256::digest(canonical.as_bytes()).as_slice())
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day, self.region, self.service, "aws4_request"] {
            key = hmac(&key, part);
        }
        let signature = hex::encode(&hmac(&key, &text));
        headers.push((
            "authorization".to_owned(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                self.id
            ),
        ));
        let target = if self.query.is_empty() {
            self.path.to_owned()
        } else {
            format!("{}?{}", self.path, self.query)
        };
        send(cloud, self.method, &target, &headers, self.body)
    }
}

/// Sends what it is given.
pub(crate) fn send(
    cloud: &Cloud,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(cloud.url().trim_start_matches("http://")).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Answer { status: 0, head: String::new(), body: bytes };
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

/// A query of EC2.
pub(crate) fn ec2(cloud: &Cloud, query: &str) -> Answer {
    let query = format!("{query}&Version=2016-11-15");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    Ask { query: &pairs.join("&"), ..Ask::default() }.send(cloud)
}

/// A call of EBS direct.
pub(crate) fn ebs(
    cloud: &Cloud,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Answer {
    Ask { method, path, headers: headers.to_vec(), body, service: "ebs", ..Ask::default() }.send(cloud)
}

/// A call of S3.
pub(crate) fn s3(cloud: &Cloud, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
    Ask { method, path, headers: headers.to_vec(), body, service: "s3", ..Ask::default() }.send(cloud)
}
