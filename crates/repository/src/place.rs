//! Where the files of a repository are read: a host, a directory, a mirror in a directory.

use std::io::Read;
use std::path::{Path, PathBuf};

use hardtack_disk::open_regular;

use crate::network::Client;
use crate::{Error, Settings};

/// A repository's root.
pub(crate) enum Place<'a> {
    /// `http:` or `https:`.
    Host(&'a Client, String),
    /// A directory of this machine.
    Directory(PathBuf),
    /// A host that may not be asked: only the cache has its files.
    Nowhere(String),
}

impl<'a> Place<'a> {
    /// Where `uri` is read.
    pub(crate) fn of(uri: &str, client: Option<&'a Client>, settings: &Settings) -> Self {
        if let Some(directory) = &settings.offline {
            return Self::Directory(mirror(directory, uri));
        }
        for scheme in ["file:", "copy:"] {
            if let Some(path) = uri.strip_prefix(scheme) {
                let path = path.strip_prefix("//").unwrap_or(path);
                return Self::Directory(PathBuf::from(format!("/{}", path.trim_start_matches('/'))));
            }
        }
        match client {
            Some(client) => Self::Host(client, uri.to_owned()),
            None => Self::Nowhere(uri.to_owned()),
        }
    }

    /// What messages call a file.
    pub(crate) fn name(&self, path: &str) -> String {
        match self {
            Self::Host(_, uri) | Self::Nowhere(uri) => format!("{uri}/{path}"),
            Self::Directory(directory) => directory.join(path).display().to_string(),
        }
    }

    /// Opens a file; `None` when there is none. `path` was proved to stay inside.
    pub(crate) fn open(&self, path: &str) -> Result<Option<Box<dyn Read>>, Error> {
        match self {
            Self::Host(client, uri) => client.get(&format!("{uri}/{}", encoded(path))),
            Self::Directory(directory) => {
                let path = directory.join(path);
                match open_regular(&path) {
                    Ok(file) => Ok(Some(Box::new(file))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::file(path, error)),
                }
            }
            Self::Nowhere(_) => Ok(None),
        }
    }

    /// Reads a small file whole.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(reader) = self.open(path)? else { return Ok(None) };
        let mut content = Vec::new();
        let name = self.name(path);
        reader
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| Error::Network { url: name.clone(), what: error.to_string() })?;
        if content.len() as u64 > limit {
            return Err(Error::mismatch(
                name,
                format!("is longer than {limit} bytes, which no such file is"),
            ));
        }
        Ok(Some(content))
    }
}

/// The tree of a repository below a directory of mirrors: as `apt-mirror` and `debmirror` lay it out, or the
/// directory itself.
fn mirror(directory: &Path, uri: &str) -> PathBuf {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let parts: Vec<&str> =
        rest.split('/').filter(|part| !part.is_empty() && *part != ".." && *part != ".").collect();
    (0..parts.len())
        .map(|skip| directory.join(parts[skip..].join("/")))
        .find(|candidate| candidate.is_dir())
        .unwrap_or_else(|| directory.to_owned())
}

/// As apt's `QuoteString` for paths: what is no plain character is percent-encoded, the percent sign too.
fn encoded(path: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/~+:=,@!$&'()*;".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// A path that a repository names, when it stays inside: relative, no `..`, no empty parts, nothing encoded but the
/// colon (`%3a`) that some tools write in versions.
pub(crate) fn inside(path: &str) -> Option<String> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let plain = path.bytes().all(|byte| byte > b' ' && byte < 127 && !b"\\?#\"<>|".contains(&byte));
    let parts = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    let percent = path
        .match_indices('%')
        .all(|(at, _)| path.get(at + 1..at + 3).is_some_and(|code| code.eq_ignore_ascii_case("3a")));
    (plain && parts && percent && path.len() < 1024).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for path in ["pool/main/a/a_1_all.deb", "./a_1.deb", "a_1%3a2+b~1_all.deb"] {
            assert!(inside(path).is_some(), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../a",
            "a/../b",
            "a//b",
            "a/./b",
            "%2e%2e/a",
            "a%2fb",
            "a\\b",
            "a b",
            "a\nb",
            "http://x/y",
            "..",
            "a?b",
            "./",
            "././a",
            "a/",
        ] {
            assert!(inside(path).is_none(), "{path:?}");
        }
        assert_eq!(encoded("a_1%3a2+b~1.deb"), "a_1%253a2+b~1.deb");
    }
}
