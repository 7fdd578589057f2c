//! SSH host keys as the block carries them.
//!
//! A public key file of OpenSSH is `type base64 comment`; the base64 blob (RFC 4253, 6.6) begins
//! with the type again. The fingerprint is `SHA256:` and the blob's digest in base64 without
//! padding, as `ssh-keygen -l` prints it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// No host key is longer (RSA with 16384 bits has 2.8 kB of base64).
const BLOB_LIMIT: usize = 16 * 1024;

/// A public host key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"…
    #[serde(rename = "type")]
    pub kind: String,
    /// "SHA256:…".
    pub fingerprint: String,
    /// The blob in base64.
    pub key: String,
}

impl HostKey {
    /// Reads the text of an `/etc/ssh/ssh_host_*_key.pub` file; `None` when it is not one.
    #[must_use]
    pub fn from_public_file(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        let blob = decode(key)?;
        (string_at(&blob, 0)?.0 == kind.as_bytes()).then(|| Self {
            kind: kind.to_owned(),
            fingerprint: fingerprint(&blob),
            key: key.to_owned(),
        })
    }

    /// True when type, fingerprint and key belong together.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        Self::from_public_file(&format!("{} {}", self.kind, self.key)).is_some_and(|key| {
            key.fingerprint == self.fingerprint && key.kind == self.kind && key.key == self.key
        })
    }

    /// The line of `ssh-keygen -l`: bits, fingerprint, no comment, type.
    #[must_use]
    pub fn fingerprint_line(&self) -> String {
        let bits = decode(&self.key).and_then(|blob| bits(&self.kind, &blob)).unwrap_or(0);
        format!("{bits} {} no comment ({})", self.fingerprint, self.short_type())
    }

    /// The line of the public key file, without a comment.
    #[must_use]
    pub fn public_line(&self) -> String {
        format!("{} {}", self.kind, self.key)
    }

    fn short_type(&self) -> &str {
        match self.kind.as_str() {
            "ssh-ed25519" => "ED25519",
            "ssh-rsa" => "RSA",
            "ssh-dss" => "DSA",
            kind if kind.starts_with("ecdsa-sha2-") => "ECDSA",
            kind => kind,
        }
    }
}

fn decode(key: &str) -> Option<Vec<u8>> {
    if key.len() > BLOB_LIMIT { None } else { STANDARD.decode(key).ok() }
}

fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// The string (length, bytes) at an offset, and the offset behind it.
fn string_at(blob: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let start = at.checked_add(4)?;
    let length = u32::from_be_bytes(blob.get(at..start)?.try_into().ok()?) as usize;
    let end = start.checked_add(length)?;
    Some((blob.get(start..end)?, end))
}

/// The key's size as OpenSSH counts it.
fn bits(kind: &str, blob: &[u8]) -> Option<usize> {
    match kind {
        "ssh-ed25519" => Some(256),
        // RSA: the exponent, then the modulus. DSA, which cloud-init 22.4 still makes: the prime p.
        "ssh-rsa" | "ssh-dss" => {
            let (_, mut at) = string_at(blob, 0)?;
            if kind == "ssh-rsa" {
                (_, at) = string_at(blob, at)?;
            }
            let (number, _) = string_at(blob, at)?;
            let first = number.iter().position(|byte| *byte != 0)?;
            let digits = number.get(first..)?;
            Some(digits.len() * 8 - digits.first()?.leading_zeros() as usize)
        }
        kind => kind.strip_prefix("ecdsa-sha2-nistp")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use std::process::Command;

    use super::*;

    #[test]
    fn agrees_with_ssh_keygen() {
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "ssh-keygen is missing");
            eprintln!("SKIPPED: ssh-keygen is not installed");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        for (kind, size) in [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "521")] {
            let path = directory.path().join(format!("{kind}{size}"));
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-b", size, "-N", "", "-C", "", "-f"])
                .arg(&path)
                .status()
                .unwrap();
            assert!(made.success());
            let public = path.with_extension("pub");
            let key = HostKey::from_public_file(&std::fs::read_to_string(&public).unwrap()).unwrap();
            let listed = Command::new("ssh-keygen").arg("-lf").arg(&public).output().unwrap();
            assert_eq!(key.fingerprint_line(), String::from_utf8(listed.stdout).unwrap().trim_end());
            assert!(key.is_consistent());
            assert!(!HostKey { fingerprint: "SHA256:x".into(), ..key.clone() }.is_consistent());
            assert!(!HostKey { kind: "ssh-dss".into(), ..key }.is_consistent());
        }
    }

    /// Not asked of ssh-keygen: newer ones make no such key.
    #[test]
    fn dsa_is_counted_by_its_prime() {
        let mut blob = Vec::new();
        let prime = [&[0_u8, 0x80][..], &[1; 127]].concat();
        for part in [&b"ssh-dss"[..], &prime, &[0, 0x90], &[2], &[3]] {
            blob.extend((part.len() as u32).to_be_bytes());
            blob.extend(part);
        }
        let key = HostKey::from_public_file(&format!("ssh-dss {}", STANDARD.encode(&blob))).unwrap();
        assert!(key.fingerprint_line().starts_with("1024 SHA256:"), "{}", key.fingerprint_line());
    }

    #[test]
    fn hostile_blobs_are_not_keys() {
        for text in ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa /////w==", "ssh-ed25519 AAAAB3NzaC1yc2E="] {
            assert_eq!(HostKey::from_public_file(text), None, "{text}");
        }
        let key =
            HostKey { kind: "ssh-rsa".into(), fingerprint: String::new(), key: "AAAAB3NzaC1yc2E=".into() };
        assert!(key.fingerprint_line().starts_with("0 "));
    }
}
