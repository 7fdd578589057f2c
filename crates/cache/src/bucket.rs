//! A cache in a bucket.
//!
//! | key | what |
//! |---|---|
//! | `PREFIX/secret` | what keys and manifests are sealed with |
//! | `PREFIX/builds/KEY/manifest`, `PREFIX/sources/DIGEST/manifest` | an entry's manifest, written last |
//! | `PREFIX/builds/KEY/DIGEST` | a piece of one of its parts, of 8 MiB at most |
//!
//! Pieces are called by their digests: two who store the same at once write the same, and what one has written the
//! other cannot spoil. A piece of zeros is not stored.

use std::fs::File;
use std::io::{self, Read as _};

use hardtack_cloud::Client;
use hardtack_cloud::s3::{PutOptions, delete_object, get_object, list_objects, look_at_object, put_object};
use hardtack_disk::open_regular;
use sha2::{Digest as _, Sha256};

use crate::directory::expect;
use crate::entry::{MANIFEST, MANIFEST_LIMIT, Secret, decode, encode};
use crate::sparse::is_zero;
use crate::{Content, Digest, Entry, Error, Kind, Listed, Name, New, Part, Random};

/// Bytes of a piece. One is in memory at a time.
const PIECE: usize = 8 << 20;
/// A secret is a line of text.
const SECRET_LIMIT: usize = 4096;
/// Objects that are only read by whose the bucket is.
const PRIVATE: &str = "private";

/// A cache in a bucket.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    pub(crate) secret: Secret,
}

impl Bucket {
    /// Opens the cache in a bucket that is there; `prefix` may be empty. One that holds nothing becomes a cache.
    ///
    /// # Errors
    /// The bucket is not there, does not answer, or everybody may read it.
    pub fn open(client: Client, bucket: &str, prefix: &str, random: Random) -> Result<Self, Error> {
        Self::open_or(client, bucket, prefix, |this, key| {
            let mut bytes = [0; 32];
            random(&mut bytes);
            this.put_new(key, Secret(bytes).text().as_bytes())?;
            if let Err(error) = this.refuse_public() {
                delete_object(&this.client, bucket, key)?;
                return Err(error);
            }
            // Of two that begin at once, one has written it.
            Ok(get_object(&this.client, bucket, key, SECRET_LIMIT)?.unwrap_or_default())
        })
    }

    /// The same, writing nothing.
    ///
    /// # Errors
    /// As [`Self::open`]; there is no cache.
    pub fn open_existing(client: Client, bucket: &str, prefix: &str) -> Result<Self, Error> {
        Self::open_or(client, bucket, prefix, |this, _| Err(Error::no_cache(this.name())))
    }

    /// With the secret that is there, or else the one that `absent` puts under its key.
    fn open_or(
        client: Client,
        bucket: &str,
        prefix: &str,
        absent: impl FnOnce(&Self, &str) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let mut this = Self { client, bucket: bucket.to_owned(), prefix, secret: Secret([0; 32]) };
        let key = this.key("secret");
        let text = match get_object(&this.client, bucket, &key, SECRET_LIMIT)? {
            Some(text) => text,
            None => absent(&this, &key)?,
        };
        this.secret = Secret::parse(&text).ok_or_else(|| Error::Place {
            place: this.name(),
            what: format!("{key} is damaged, and nothing in the cache can be used without it"),
            hint: "remove what is below that prefix: it is a cache",
        })?;
        Ok(this)
    }

    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix.trim_end_matches('/'))
    }

    fn key(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }

    fn part_key(&self, name: Name, below: &str) -> String {
        self.key(&format!("{}/{below}", name.path()))
    }

    /// Stores what another may be storing just now: the first one stays.
    fn put_new(&self, key: &str, body: &[u8]) -> Result<(), Error> {
        let there = |error: &hardtack_cloud::Error| {
            error.is("PreconditionFailed") || error.is("ConditionalRequestConflict")
        };
        match self.put_as(key, body, true) {
            Err(Error::Cloud(error)) if there(&error) => Ok(()),
            Err(Error::Cloud(error)) if error.is("NotImplemented") => self.put_private(key, body),
            other => other,
        }
    }

    fn put_private(&self, key: &str, body: &[u8]) -> Result<(), Error> {
        self.put_as(key, body, false)
    }

    fn put_as(&self, key: &str, body: &[u8], only_new: bool) -> Result<(), Error> {
        let mut options = PutOptions { acl: Some(PRIVATE.to_owned()), only_new, ..PutOptions::default() };
        let put = |options: &PutOptions| put_object(&self.client, &self.bucket, key, body, options);
        match put(&options) {
            // A bucket without ACLs (`BucketOwnerEnforced`): what is in it is its owner's.
            Err(error) if error.is("AccessControlListNotSupported") => {
                options.acl = None;
                put(&options)?;
            }
            other => _ = other?,
        }
        Ok(())
    }

    /// Images hold hashes of passwords: a bucket that everybody can read is none for them, whatever its ACLs say.
    fn refuse_public(&self) -> Result<(), Error> {
        let key = self.key("secret");
        if !look_at_object(&self.client, &self.bucket, &key)?.readable() {
            return Ok(());
        }
        Err(Error::Place {
            place: self.name(),
            what: "everybody can read it, and images hold hashes of passwords; nothing is stored there"
                .to_owned(),
            hint: "name a bucket that only its owner can read",
        })
    }

    pub(crate) fn find(&self, name: Name) -> Result<Option<Entry>, Error> {
        let key = self.part_key(name, MANIFEST);
        let Some(bytes) = self.get(name, &key, MANIFEST_LIMIT)? else { return Ok(None) };
        let entry = decode(&bytes, name, &self.secret)?;
        entry.parts.iter().try_for_each(|part| whole(name, part))?;
        Ok(Some(entry))
    }

    /// An object of an entry; a larger one than any that was stored is damage.
    fn get(&self, name: Name, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        match get_object(&self.client, &self.bucket, key, limit) {
            Err(hardtack_cloud::Error::Transport { what, .. }) if what.contains("answer is longer than") => {
                Err(Error::damaged(name, "an object of it is too large"))
            }
            other => Ok(other?),
        }
    }

    pub(crate) fn read(
        &self,
        name: Name,
        part: &Part,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let wrong = |what: &str| Error::damaged(name, format!("its {}: {what}", part.name));
        whole(name, part)?;
        let (mut hasher, mut left) = (Sha256::new(), part.size);
        for piece in &part.pieces {
            let length = usize::try_from(left.min(PIECE as u64)).unwrap_or(PIECE);
            left = left.saturating_sub(length as u64);
            let bytes = match piece {
                None => vec![0; length],
                Some(digest) => {
                    let key = self.part_key(name, &digest.to_string());
                    let found = self.get(name, &key, PIECE)?;
                    let found = found.ok_or_else(|| wrong("a piece of it is missing"))?;
                    if found.len() != length || Digest::of(&found) != *digest {
                        return Err(wrong("a piece of it is not what was stored"));
                    }
                    found
                }
            };
            hasher.update(&bytes);
            take(&bytes).map_err(Error::Taker)?;
        }
        if Digest::from(hasher.finalize()) == part.digest {
            Ok(())
        } else {
            Err(wrong("is not what was stored"))
        }
    }

    pub(crate) fn put(&self, new: &New<'_>) -> Result<Entry, Error> {
        self.refuse_public()?;
        let parts = new.parts.iter().map(|(name, content)| self.put_part(new.name, name, content));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let entry = Entry { name: new.name, stored: new.stored, about: new.about.clone(), parts };
        // Whoever finds the manifest finds all of it.
        self.put_private(&self.part_key(new.name, MANIFEST), &encode(&entry, &self.secret)?)?;
        Ok(entry)
    }

    fn put_part(&self, entry: Name, name: &str, content: &Content<'_>) -> Result<Part, Error> {
        let (mut hasher, mut size, mut pieces) = (Sha256::new(), 0, Vec::new());
        let mut put = |bytes: &[u8]| {
            hasher.update(bytes);
            size += bytes.len() as u64;
            if bytes.len() == PIECE && is_zero(bytes) {
                pieces.push(None);
                return Ok(());
            }
            let digest = Digest::of(bytes);
            pieces.push(Some(digest));
            self.put_private(&self.part_key(entry, &digest.to_string()), bytes)
        };
        match content {
            Content::Bytes(bytes) => bytes.chunks(PIECE).try_for_each(&mut put)?,
            Content::File(path, _) => {
                let fail = |error| Error::file(path, "read it for the cache", error);
                let mut file = open_regular(path).map_err(fail)?;
                let mut buffer = Vec::new();
                loop {
                    next(&mut file, &mut buffer).map_err(fail)?;
                    if buffer.is_empty() {
                        break;
                    }
                    put(&buffer)?;
                }
            }
        }
        let digest = Digest::from(hasher.finalize());
        expect(content, digest)?;
        Ok(Part { name: name.to_owned(), size, digest, pieces })
    }

    pub(crate) fn remove(&self, name: Name) -> Result<(), Error> {
        // The manifest first: without it nobody looks for the rest.
        delete_object(&self.client, &self.bucket, &self.part_key(name, MANIFEST))?;
        for (key, _) in list_objects(&self.client, &self.bucket, &self.part_key(name, ""))? {
            delete_object(&self.client, &self.bucket, &key)?;
        }
        Ok(())
    }

    pub(crate) fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut found: Vec<Listed> = Vec::new();
        for kind in Kind::ALL {
            let prefix = self.key(&format!("{}/", kind.folder()));
            for (key, size) in list_objects(&self.client, &self.bucket, &prefix)? {
                let digest = key.get(prefix.len()..).and_then(|rest| Digest::parse(rest.split('/').next()?));
                let Some(digest) = digest else { continue };
                let name = Name { kind, digest };
                // Names come in order, so those of an entry stand together.
                match found.last_mut().filter(|last| last.name == name) {
                    Some(last) => last.size = last.size.saturating_add(size),
                    None => {
                        let entry = match self.find(name) {
                            Ok(Some(entry)) => Ok(entry),
                            // It is being written, or was and is not any more.
                            Ok(None) => Err(Error::damaged(name, "its manifest is missing")),
                            Err(error) => Err(error),
                        };
                        found.push(Listed { name, entry, size, used: None });
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Whether a part has as many pieces as its size takes.
fn whole(name: Name, part: &Part) -> Result<(), Error> {
    if part.pieces.len() as u64 == part.size.div_ceil(PIECE as u64) {
        return Ok(());
    }
    Err(Error::damaged(name, format!("its {} has other pieces than it should", part.name)))
}

/// Reads the next piece.
fn next(file: &mut File, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    file.take(PIECE as u64).read_to_end(buffer).map(drop)
}
