//! Lines for OpenSSH's `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//!
//! A port other than 22 is written `[host]:port`. Names in a file may be hashed
//! (`|1|salt|HMAC-SHA1(salt, name)`), so that only a guess can be checked: ours is one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::block::HostKey;

/// The port that is not written.
const DEFAULT_PORT: u16 = 22;

/// A machine as ssh names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// Why a text is no `NAME[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not NAME or NAME:PORT: {why}")]
pub struct HostNameError {
    text: String,
    why: &'static str,
}

impl HostName {
    /// Reads `NAME`, `NAME:PORT`, an IPv6 address, or one in brackets with a port.
    ///
    /// # Errors
    /// When name or port are not such, or would mean something else in the file.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let fail = |why| HostNameError { text: text.escape_debug().to_string(), why };
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, tail) = rest.split_once(']').ok_or_else(|| fail("the bracket is not closed"))?;
                (name, if tail.is_empty() { None } else { Some(tail.strip_prefix(':').unwrap_or(tail)) })
            }
            // More than one colon: an IPv6 address without a port.
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)))
            }
            None => (text, None),
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => match digits.parse() {
                Ok(0) | Err(_) => return Err(fail("the port is a number from 1 to 65535")),
                Ok(port) => port,
            },
        };
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        if name.is_empty() || name.starts_with('-') || !name.bytes().all(allowed) {
            return Err(fail("a name has letters, digits, dots, hyphens or colons"));
        }
        // OpenSSH looks names up in lower case.
        let name = name.to_ascii_lowercase();
        Ok(Self(if port == DEFAULT_PORT { name } else { format!("[{name}]:{port}") }))
    }

    /// The name as it stands in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What has to be done to a file so that it knows the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// Lines to append, without line ends.
    pub lines: Vec<String>,
    /// Line numbers that hold another key of a type that is in the block: from an earlier
    /// machine of this name.
    pub stale: Vec<usize>,
}

/// Whether OpenSSH takes keys of this type. It has dropped dsa: off from 7.0 on, gone from 10.0 on.
fn is_known(key: &HostKey) -> bool {
    key.kind != "ssh-dss"
}

/// The lines of a machine's keys, without line ends; those of a type that OpenSSH has dropped are left out.
#[must_use]
pub fn lines(host: &HostName, keys: &[HostKey]) -> Vec<String> {
    let line = |key: &HostKey| format!("{} {} {}", host.as_str(), key.kind, key.key);
    keys.iter().filter(|key| is_known(key)).map(line).collect()
}

/// Compares a file's text with the keys of a machine.
#[must_use]
pub fn additions(existing: &str, host: &HostName, keys: &[HostKey]) -> Additions {
    let mut additions = Additions::default();
    let mut known = Vec::new();
    for (index, line) in existing.lines().enumerate() {
        let mut words = line.split_whitespace();
        let Some((names, kind, key)) = (|| Some((words.next()?, words.next()?, words.next()?)))() else {
            continue;
        };
        // Comments, and the marks of authorities and revoked keys, are not about plain keys.
        if names.starts_with(['#', '@']) || !names.split(',').any(|name| is(name, host)) {
            continue;
        }
        if keys.iter().any(|ours| ours.kind == kind && ours.key == key) {
            known.push((kind, key));
        } else if keys.iter().any(|ours| ours.kind == kind) {
            additions.stale.push(index + 1);
        }
    }
    for (key, line) in keys.iter().filter(|key| is_known(key)).zip(lines(host, keys)) {
        if !known.contains(&(key.kind.as_str(), key.key.as_str())) && !additions.lines.contains(&line) {
            additions.lines.push(line);
        }
    }
    additions
}

/// Whether a name of the file, plain or hashed, is the host.
fn is(name: &str, host: &HostName) -> bool {
    let Some(hashed) = name.strip_prefix("|1|") else { return name.eq_ignore_ascii_case(host.as_str()) };
    let decoded = || {
        let (salt, hash) = hashed.split_once('|')?;
        Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?))
    };
    let Some((salt, hash)) = decoded() else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(host.as_str().as_bytes());
    mac.verify_slice(&hash).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(kind: &str, key: &str) -> HostKey {
        HostKey { kind: kind.into(), fingerprint: String::new(), key: key.into() }
    }

    #[test]
    fn names_and_ports() {
        for (text, wanted) in [
            ("Example.org", "example.org"),
            ("example.org:22", "example.org"),
            ("127.0.0.1:2222", "[127.0.0.1]:2222"),
            ("[::1]:2222", "[::1]:2222"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
        ] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), wanted, "{text}");
        }
        for text in ["", "a b", "a,b", "*", "a:", "a:0", "a:70000", "[a", "|1|x", "a\n", "-a", "@a"] {
            assert!(HostName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let host = HostName::parse("127.0.0.1:2222").unwrap();
        let keys = [key("ssh-ed25519", "AAAA1"), key("ssh-rsa", "AAAA2")];
        let both = ["[127.0.0.1]:2222 ssh-ed25519 AAAA1", "[127.0.0.1]:2222 ssh-rsa AAAA2"];
        assert_eq!(additions("", &host, &keys).lines, both);
        let existing = "# [127.0.0.1]:2222 ssh-rsa AAAA2\nother,[127.0.0.1]:2222 ssh-ed25519 AAAA1 root@x\n127.0.0.1 ssh-rsa AAAA2\n";
        assert_eq!(additions(existing, &host, &keys).lines, both[1..]);
        let all = additions(&both.join("\n"), &host, &keys);
        assert_eq!(all, Additions::default());
        let stale = additions("\n[127.0.0.1]:2222 ssh-rsa AAAA9\n", &host, &keys);
        assert_eq!((stale.lines.len(), stale.stale), (2, vec![2]));
        let old = [key("ssh-dss", "AAAA0"), keys[0].clone(), keys[1].clone()];
        assert_eq!(additions("", &host, &old).lines, both);
        assert_eq!(lines(&host, &old), both);
    }

    #[test]
    fn hashed_names_are_recognised() {
        // The form that `ssh-keygen -H` writes.
        let host = HostName::parse("example.org").unwrap();
        let salt = [7_u8; 20];
        let mut mac = Hmac::<Sha1>::new_from_slice(&salt).unwrap();
        mac.update(b"example.org");
        let hash = STANDARD.encode(mac.finalize().into_bytes());
        let line = format!("|1|{}|{hash} ssh-rsa AAAA2", STANDARD.encode(salt));
        assert!(additions(&line, &host, &[key("ssh-rsa", "AAAA2")]).lines.is_empty());
        assert_eq!(additions("|1|x ssh-rsa AAAA2", &host, &[key("ssh-rsa", "AAAA2")]).lines.len(), 1);
    }
}
