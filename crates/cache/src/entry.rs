//! An entry: its name, its manifest, its parts.
//!
//! The manifest is a line `hardtack-cache 1 HMAC`, and JSON behind it. The HMAC is by the cache's secret, over the JSON
//! and the entry's name: a bit that has turned, a manifest that was cut off, and one that was copied from another entry
//! or another cache are all noticed by it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{Digest, Error};

/// The layout of entries, which is part of each key.
pub(crate) const FORMAT: u8 = 1;
/// A manifest has some hundred bytes for each part, and 70 for each piece of 8 MiB of an image in a bucket.
pub(crate) const MANIFEST_LIMIT: usize = 4 << 20;
/// The name of the manifest beside the parts.
pub(crate) const MANIFEST: &str = "manifest";
/// A build has three parts.
const MOST_PARTS: usize = 16;
const MARK: &str = "hardtack-cache 1 ";

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A finished build: its name is a key.
    Build,
    /// A source: its name is the digest of its bytes.
    Source,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Build, Self::Source];

    /// The folder of all of them.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Build => "builds",
            Self::Source => "sources",
        }
    }

    /// The word for people and programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Source => "source",
        }
    }
}

/// The name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// Its key, or its digest.
    pub digest: Digest,
}

impl Name {
    /// The source with this digest.
    #[must_use]
    pub fn source(digest: Digest) -> Self {
        Self { kind: Kind::Source, digest }
    }

    /// The build with this key.
    #[must_use]
    pub fn build(key: Digest) -> Self {
        Self { kind: Kind::Build, digest: key }
    }

    /// `builds/ab12…`.
    pub(crate) fn path(self) -> String {
        format!("{}/{}", self.kind.folder(), self.digest)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.word(), self.digest)
    }
}

/// A part of an entry, as its manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
    /// In a bucket: the digests of its pieces; `None` is one of zeros, which is not stored.
    pub(crate) pieces: Vec<Option<Digest>>,
}

/// An entry: what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// When it was stored, seconds since 1970.
    pub stored: u64,
    /// What people are told of it.
    pub about: BTreeMap<String, String>,
    /// Its parts.
    pub parts: Vec<Part>,
}

impl Entry {
    /// The part of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().fold(0, |all, part| all.saturating_add(part.size))
    }
}

/// What a new part is read from.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// A file; with a digest it must have that one, or nothing is stored.
    File(&'a Path, Option<Digest>),
}

/// An entry that is to be stored.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Its name.
    pub name: Name,
    /// When, seconds since 1970.
    pub stored: u64,
    /// What people are told of it.
    pub about: BTreeMap<String, String>,
    /// Its parts: short names of lower-case letters, and what is in them.
    pub parts: Vec<(&'static str, Content<'a>)>,
}

/// The cache's own secret.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secret {
    /// From its file or object.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        Some(Self(Digest::parse(text.strip_prefix(MARK)?)?.0))
    }

    /// What its file or object holds.
    pub(crate) fn text(&self) -> String {
        format!("{MARK}{}\n", Digest(self.0))
    }

    fn mac(&self, purpose: &[u8], bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            // HMAC takes keys of any length.
            Err(error) => unreachable!("{error}"),
        };
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(bytes);
        mac
    }

    /// An HMAC of `bytes`, made for `purpose`.
    pub(crate) fn seal(&self, purpose: &[u8], bytes: &[u8]) -> Digest {
        Digest::from(self.mac(purpose, bytes).finalize().into_bytes())
    }

    /// Whether `seal` is that of `bytes`.
    pub(crate) fn holds(&self, purpose: &[u8], bytes: &[u8], seal: Digest) -> bool {
        self.mac(purpose, bytes).verify_slice(&seal.0).is_ok()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    stored: u64,
    about: BTreeMap<String, String>,
    parts: Vec<WrittenPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPart {
    name: String,
    size: u64,
    sha256: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<Option<String>>,
}

/// The bytes of an entry's manifest.
pub(crate) fn encode(entry: &Entry, secret: &Secret) -> Result<Vec<u8>, Error> {
    let part = |part: &Part| WrittenPart {
        name: part.name.clone(),
        size: part.size,
        sha256: part.digest.to_string(),
        pieces: part.pieces.iter().map(|piece| piece.map(|piece| piece.to_string())).collect(),
    };
    let written = Written {
        stored: entry.stored,
        about: entry.about.clone(),
        parts: entry.parts.iter().map(part).collect(),
    };
    let json = serde_json::to_vec(&written)
        .map_err(|error| Error::Changed { what: format!("its manifest cannot be written: {error}") })?;
    let seal = secret.seal(entry.name.path().as_bytes(), &json);
    let mut bytes = format!("{MARK}{seal}\n").into_bytes();
    bytes.extend(json);
    bytes.push(b'\n');
    if bytes.len() > MANIFEST_LIMIT {
        return Err(Error::Changed { what: "it is too large for a cache".to_owned() });
    }
    Ok(bytes)
}

/// The entry of a manifest's bytes.
pub(crate) fn decode(bytes: &[u8], name: Name, secret: &Secret) -> Result<Entry, Error> {
    let wrong = |what: &str| Error::damaged(name, what);
    let seal_end = MARK.len() + 64;
    let seal = bytes
        .strip_prefix(MARK.as_bytes())
        .and_then(|rest| rest.get(..64))
        .and_then(|hex| Digest::parse(std::str::from_utf8(hex).ok()?))
        .ok_or_else(|| wrong("its manifest is none"))?;
    let json = bytes
        .get(seal_end..)
        .and_then(|rest| rest.strip_prefix(b"\n")?.strip_suffix(b"\n"))
        .ok_or_else(|| wrong("its manifest is cut off"))?;
    if !secret.holds(name.path().as_bytes(), json, seal) {
        return Err(wrong("its manifest was changed, or is another entry's or another cache's"));
    }
    let written: Written = serde_json::from_slice(json)
        .map_err(|error| Error::damaged(name, format!("its manifest cannot be read: {error}")))?;
    if written.parts.len() > MOST_PARTS {
        return Err(wrong("its manifest has too many parts"));
    }
    let digest = |text: &str| Digest::parse(text).ok_or_else(|| wrong("a digest in its manifest is none"));
    let mut parts: Vec<Part> = Vec::new();
    for part in written.parts {
        if !is_part(&part.name) || parts.iter().any(|one| one.name == part.name) {
            return Err(wrong("a part in its manifest has a name that none has"));
        }
        let pieces = part.pieces.iter().map(|piece| piece.as_deref().map(digest).transpose());
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        parts.push(Part { digest: digest(&part.sha256)?, name: part.name, size: part.size, pieces });
    }
    Ok(Entry { name, stored: written.stored, about: written.about, parts })
}

fn is_part(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase()) && name != MANIFEST
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry() -> Entry {
        let part = Part {
            name: "image".to_owned(),
            size: 9 << 20,
            digest: Digest::of(b"image"),
            pieces: vec![Some(Digest::of(b"piece")), None],
        };
        let about = BTreeMap::from([("recipe".to_owned(), "web".to_owned())]);
        Entry { name: Name::build(Digest::of(b"key")), stored: 1_795_342_500, about, parts: vec![part] }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let secret = Secret([7; 32]);
        let bytes = encode(&entry(), &secret).unwrap();
        assert_eq!(decode(&bytes, entry().name, &secret).unwrap(), entry());
    }

    #[test]
    fn a_manifest_with_any_bit_changed_or_cut_off_anywhere_is_none() {
        let secret = Secret([7; 32]);
        let bytes = encode(&entry(), &secret).unwrap();
        for at in 0..bytes.len() {
            assert!(decode(&bytes[..at], entry().name, &secret).unwrap_err().is_damage(), "{at}");
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                // The case of hexadecimal digits says nothing.
                if !other.eq_ignore_ascii_case(&bytes) {
                    assert!(decode(&other, entry().name, &secret).is_err(), "{at} {bit}");
                }
            }
        }
    }

    #[test]
    fn a_manifest_of_another_entry_kind_or_cache_is_none() {
        let secret = Secret([7; 32]);
        let bytes = encode(&entry(), &secret).unwrap();
        let digest = entry().name.digest;
        for (name, secret) in [
            (Name::build(Digest::of(b"other")), &secret),
            (Name::source(digest), &secret),
            (Name::build(digest), &Secret([8; 32])),
        ] {
            assert!(decode(&bytes, name, secret).unwrap_err().to_string().contains("another"));
        }
    }

    #[test]
    fn parts_are_called_nothing_that_leads_elsewhere() {
        let secret = Secret([7; 32]);
        for name in ["../image", "", "a/b", "manifest", ".", "image\0"] {
            let mut wrong = entry();
            wrong.parts[0].name = name.to_owned();
            let bytes = encode(&wrong, &secret).unwrap();
            assert!(decode(&bytes, wrong.name, &secret).unwrap_err().is_damage(), "{name}");
        }
    }
}
