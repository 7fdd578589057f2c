//! Files by their SHA-256, and the newest `Release` of each repository.
//!
//! `sha256/ab/abcd…` has a file by its digest; `release/DIGEST` has what was last taken as the `Release` of the
//! repository whose address and suite have that digest. Files appear whole (a temporary name, then a rename), and are
//! checked again whenever they are read: a cache is not trusted more than a mirror. But what was checked is opened
//! again by its name, and the dates keep a mirror from going back: so nobody else may write there.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use hardtack_disk::open_regular;
use sha2::{Digest, Sha256};

use crate::Error;

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Cache(Option<PathBuf>);

/// What a file must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) sha256: &'a str,
    pub(crate) size: u64,
    /// What messages call it.
    pub(crate) name: &'a str,
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of some bytes.
pub(crate) fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Copies while counting and hashing; refuses what is not wanted, and never takes more than the size plus a byte.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, wanted: Wanted<'_>) -> Result<(), Error> {
    let failed = |what: String| Error::Network { url: wanted.name.to_owned(), what };
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut taken = 0_u64;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error.to_string())),
        };
        taken += read as u64;
        if taken > wanted.size {
            return Err(Error::mismatch(
                wanted.name,
                format!("is longer than the {} bytes that the signed index says", wanted.size),
            ));
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(|error| failed(error.to_string()))?;
    }
    if taken != wanted.size {
        return Err(Error::mismatch(
            wanted.name,
            format!("has {taken} bytes, and the signed index says {}", wanted.size),
        ));
    }
    let found = hex(&hasher.finalize());
    if found != wanted.sha256 {
        return Err(Error::mismatch(
            wanted.name,
            format!("has the SHA-256 {found}, and the signed index says {}", wanted.sha256),
        ));
    }
    Ok(())
}

impl Cache {
    /// The cache in `directory`, which is made when it is missing.
    ///
    /// # Errors
    /// A directory in which others than this user and root can write, or put another in its place.
    pub(crate) fn open(directory: Option<PathBuf>) -> Result<Self, Error> {
        if let Some(directory) = &directory {
            if !directory.exists() {
                let wrong = |error: std::io::Error| Error::file(directory, error);
                DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(wrong)?;
            }
            only_ours(directory)?;
        }
        Ok(Self(directory))
    }

    fn path(&self, sha256: &str) -> Option<PathBuf> {
        Some(self.0.as_ref()?.join("sha256").join(sha256.get(..2)?).join(sha256))
    }

    /// The bytes of a file, from the cache or from `open`.
    pub(crate) fn bytes(
        &self,
        wanted: Wanted<'_>,
        open: impl FnOnce() -> Result<Option<Box<dyn Read>>, Error>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut content = Vec::new();
        if let Some(mut file) = self.path(wanted.sha256).and_then(|path| open_regular(&path).ok()) {
            // One that was damaged is fetched again.
            if copy(&mut file, &mut content, wanted).is_ok() {
                return Ok(Some(content));
            }
            content.clear();
        }
        let Some(mut reader) = open()? else { return Ok(None) };
        copy(&mut reader, &mut content, wanted)?;
        if let Some(path) = self.path(wanted.sha256) {
            write(&path, &content)?;
        }
        Ok(Some(content))
    }

    /// A checked file at `to`, or in the cache when `to` is `None`.
    pub(crate) fn file(
        &self,
        wanted: Wanted<'_>,
        to: Option<PathBuf>,
        open: impl FnOnce() -> Result<Option<Box<dyn Read>>, Error>,
    ) -> Result<Option<PathBuf>, Error> {
        let cached = self.path(wanted.sha256);
        let target = to.or_else(|| cached.clone()).ok_or_else(|| Error::Offline {
            file: wanted.name.to_owned(),
            what: "there is no directory to put it in".to_owned(),
        })?;
        for path in [Some(target.clone()), cached.clone()].into_iter().flatten() {
            if let Ok(mut file) = open_regular(&path)
                && copy(&mut file, &mut std::io::sink(), wanted).is_ok()
            {
                if path != target {
                    let mut file = open_regular(&path).map_err(|error| Error::file(&path, error))?;
                    place(&target, |new| copy(&mut file, new, wanted))?;
                }
                return Ok(Some(target));
            }
        }
        let Some(mut reader) = open()? else { return Ok(None) };
        if let Some(cached) = cached.filter(|cached| *cached != target) {
            place(&cached, |new| copy(&mut reader, new, wanted))?;
            let mut file = open_regular(&cached).map_err(|error| Error::file(&cached, error))?;
            place(&target, |new| copy(&mut file, new, wanted))?;
        } else {
            place(&target, |new| copy(&mut reader, new, wanted))?;
        }
        Ok(Some(target))
    }

    fn release_path(&self, uri: &str, suite: &str, kind: &str) -> Option<PathBuf> {
        let name = digest(format!("{uri} {suite}").as_bytes());
        Some(self.0.as_ref()?.join("release").join(format!("{name}.{kind}")))
    }

    /// What was last taken for a repository: `clear`, `plain` or `signature`, and the `date`.
    pub(crate) fn release(&self, uri: &str, suite: &str, kind: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        open_regular(&self.release_path(uri, suite, kind)?)
            .ok()?
            .take(64 << 20)
            .read_to_end(&mut content)
            .ok()?;
        Some(content)
    }

    pub(crate) fn keep_release(
        &self,
        uri: &str,
        suite: &str,
        kind: &str,
        content: &[u8],
    ) -> Result<(), Error> {
        match self.release_path(uri, suite, kind) {
            Some(path) => write(&path, content),
            None => Ok(()),
        }
    }
}

/// Refuses a cache that others can change: itself, what is above it, and the directories in it.
fn only_ours(directory: &Path) -> Result<(), Error> {
    let wrong = |error: std::io::Error| Error::file(directory, error);
    let whole = directory.canonicalize().map_err(wrong)?;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let below = ["sha256", "release"].map(|name| whole.join(name));
    for path in whole.ancestors().chain(below.iter().map(PathBuf::as_path).filter(|path| path.exists())) {
        let found = path.metadata().map_err(|error| Error::file(path, error))?;
        // A user's own group has nobody else in it; where everybody may write, the sticky bit keeps names.
        let by_group = found.mode() & 0o020 != 0 && found.gid() != group && found.gid() != 0;
        let is_above = path != whole && whole.starts_with(path);
        let keeps = is_above && found.mode() & 0o1000 != 0;
        let owner = if found.uid() == user || found.uid() == 0 { None } else { Some(found.uid()) };
        let why = match owner {
            Some(owner) => format!("belongs to the user {owner}"),
            None if !keeps && (found.mode() & 0o002 != 0 || by_group) => {
                format!("can be written by others (mode {:04o})", found.mode() & 0o7777)
            }
            None => continue,
        };
        let at = path.display();
        let what = format!(
            "is no place for packages: {at} {why}; take the rights away (`chmod go-w {at}`), or name another directory \
             (--packages-cache)"
        );
        return Err(Error::file(directory, what));
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    place(path, |new| new.write_all(content).map_err(|error| Error::file(path, error)))
}

/// Fills a temporary file beside `path` and renames it.
fn place(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), Error>) -> Result<(), Error> {
    let wrong = |error: std::io::Error| Error::file(path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(wrong)?;
    let mut new = tempfile::NamedTempFile::new_in(directory).map_err(wrong)?;
    fill(new.as_file_mut())?;
    new.as_file().sync_all().map_err(wrong)?;
    new.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reader(content: &[u8]) -> Result<Option<Box<dyn Read>>, Error> {
        Ok(Some(Box::new(std::io::Cursor::new(content.to_vec()))))
    }

    #[test]
    fn a_cache_that_others_can_write_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().join("above");
        let cache = above.join("cache");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let open = || Cache::open(Some(cache.clone())).map(|_| ()).map_err(|error| error.to_string());
        open().unwrap();
        assert_eq!(cache.metadata().unwrap().mode() & 0o7777, 0o700);
        mode(&cache, 0o777);
        assert!(open().unwrap_err().contains("cache can be written by others (mode 0777)"));
        // The sticky bit keeps what is there, not what is still to come.
        mode(&cache, 0o1777);
        assert!(open().is_err());
        mode(&cache, 0o755);
        mode(&above, 0o777);
        assert!(open().unwrap_err().contains("above can be written"));
        mode(&above, 0o1777);
        open().unwrap();
        std::fs::create_dir(cache.join("release")).unwrap();
        mode(&cache.join("release"), 0o777);
        assert!(open().unwrap_err().contains("release can be written"));
    }

    #[test]
    fn a_damaged_file_is_fetched_again_and_a_wrong_one_never_kept() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(directory.path().to_owned())).unwrap();
        let sha256 = digest(b"hello");
        let wanted = Wanted { sha256: &sha256, size: 5, name: "x" };
        for bad in [&b"hellO"[..], b"hell", b"hello!"] {
            assert!(matches!(cache.file(wanted, None, || reader(bad)), Err(Error::Mismatch { .. })));
        }
        let path = cache.file(wanted, None, || reader(b"hello")).unwrap().unwrap();
        std::fs::write(&path, b"hellO").unwrap();
        assert!(cache.file(wanted, None, || Ok(None)).unwrap().is_none());
        assert!(cache.bytes(wanted, || Ok(None)).unwrap().is_none());
        assert_eq!(cache.bytes(wanted, || reader(b"hello")).unwrap().unwrap(), b"hello");
        assert_eq!(cache.bytes(wanted, || panic!("it is there")).unwrap().unwrap(), b"hello");
        let names: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "a temporary file was left");
    }
}
