//! A cache, wherever it lies.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::{Bucket, Digest, Directory, Entry, Error, Inputs, Name, New, Notes, Part};

/// Fills a buffer with random bytes.
pub type Random = fn(&mut [u8]);

/// A cache.
#[derive(Debug)]
pub enum Store {
    /// In a directory.
    Directory(Directory),
    /// In a bucket.
    Bucket(Bucket),
}

/// An entry in a list.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// Its manifest, or what is wrong with it.
    pub entry: Result<Entry, Error>,
    /// Bytes that it takes.
    pub size: u64,
    /// When it was used last; a bucket does not say.
    pub used: Option<SystemTime>,
}

impl Listed {
    /// When it was used or stored last, as far as that is known.
    #[must_use]
    pub fn last(&self) -> SystemTime {
        let stored = || {
            let seconds = self.entry.as_ref().map_or(0, |entry| entry.stored);
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        };
        self.used.or_else(stored).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl Store {
    /// The key of a build that is made of `inputs`: another one in each cache, and by the cache's secret only.
    #[must_use]
    pub fn key(&self, inputs: &Inputs) -> Digest {
        let secret = match self {
            Self::Directory(directory) => &directory.secret,
            Self::Bucket(bucket) => &bucket.secret,
        };
        secret.seal(b"key", &inputs.digest().0)
    }

    /// The entry of this name, if it is there.
    ///
    /// # Errors
    /// It is damaged; the cache cannot be read.
    pub fn find(&self, name: Name) -> Result<Option<Entry>, Error> {
        match self {
            Self::Directory(directory) => directory.find(name),
            Self::Bucket(bucket) => bucket.find(name),
        }
    }

    /// Hands over a part of an entry, piece by piece. What was handed over is what was stored if, and only if, this
    /// ends well.
    ///
    /// # Errors
    /// It is damaged; `take` fails ([`Error::Taker`]); the cache cannot be read.
    pub fn read(
        &self,
        entry: &Entry,
        part: &Part,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => directory.read(entry.name, part, take),
            Self::Bucket(bucket) => bucket.read(entry.name, part, take),
        }
    }

    /// A part of at most `limit` bytes, whole.
    ///
    /// # Errors
    /// As [`Self::read`]; it is missing, or larger.
    pub fn read_small(&self, entry: &Entry, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let part = entry
            .part(name)
            .filter(|part| part.size <= limit)
            .ok_or_else(|| Error::damaged(entry.name, format!("its {name} is missing or too large")))?;
        let mut bytes = Vec::new();
        self.read(entry, part, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Compares all parts with the manifest.
    ///
    /// # Errors
    /// It is damaged; the cache cannot be read.
    pub fn verify(&self, entry: &Entry) -> Result<(), Error> {
        entry.parts.iter().try_for_each(|part| self.read(entry, part, &mut |_| Ok(())))
    }

    /// The entry was used.
    pub fn used(&self, entry: &Entry) {
        if let Self::Directory(directory) = self {
            directory.used(entry.name);
        }
    }

    /// Stores an entry, in the place of one that is there.
    ///
    /// # Errors
    /// It cannot be read or written, or is another one by now; nothing was stored then.
    pub fn put(&self, new: &New<'_>) -> Result<Entry, Error> {
        match self {
            Self::Directory(directory) => directory.put(new),
            Self::Bucket(bucket) => bucket.put(new),
        }
    }

    /// Removes an entry. One that is gone already is no error.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn remove(&self, name: Name) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => directory.remove(name),
            Self::Bucket(bucket) => bucket.remove(name),
        }
    }

    /// All entries, those first that were not used for the longest time.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut all = match self {
            Self::Directory(directory) => directory.list()?,
            Self::Bucket(bucket) => bucket.list()?,
        };
        all.sort_by_key(|one| (one.last(), one.name));
        Ok(all)
    }

    /// Which of `all` go: those last used before `before`, then as many as it takes until the others are no larger
    /// than `most` bytes, and those without a manifest that can be read.
    #[must_use]
    pub fn to_prune(all: &[Listed], before: Option<SystemTime>, most: Option<u64>) -> BTreeSet<Name> {
        let mut left = all.iter().fold(0_u64, |sum, one| sum.saturating_add(one.size));
        let mut gone = BTreeSet::new();
        let mut go = |one: &Listed, left: &mut u64| {
            if gone.insert(one.name) {
                *left = left.saturating_sub(one.size);
            }
        };
        for one in all {
            let old = before.is_some_and(|before| one.last() < before);
            if old || one.entry.as_ref().is_err_and(Error::is_damage) {
                go(one, &mut left);
            }
        }
        for one in all {
            if most.is_some_and(|most| left > most) {
                go(one, &mut left);
            }
        }
        gone
    }

    /// Removes what is left of those that were ended while they wrote, and notes from before `before`.
    pub fn tidy(&self, before: Option<SystemTime>) {
        let Self::Directory(directory) = self else { return };
        directory.clear();
        let seconds = before.and_then(|before| before.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let Some(limit) = seconds.and_then(|seconds| i64::try_from(seconds.as_secs()).ok()) {
            directory.notes().prune(limit);
        }
    }

    /// The file of a part, in a directory. It was not compared with anything.
    #[must_use]
    pub fn file(&self, entry: &Entry, part: &Part) -> Option<PathBuf> {
        match self {
            Self::Directory(directory) => Some(directory.file(entry.name, part)),
            Self::Bucket(_) => None,
        }
    }

    /// The digests of files elsewhere, in a directory.
    #[must_use]
    pub fn notes(&self) -> Option<Notes<'_>> {
        match self {
            Self::Directory(directory) => Some(directory.notes()),
            Self::Bucket(_) => None,
        }
    }
}
