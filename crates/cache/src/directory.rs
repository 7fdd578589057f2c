//! A cache in a directory.
//!
//! | name | what |
//! |---|---|
//! | `CACHEDIR.TAG` | tells backups to leave it out (bford.info/cachedir) |
//! | `secret` | what keys and manifests are sealed with |
//! | `builds/KEY`, `sources/DIGEST` | an entry: `manifest`, and its parts |
//! | `notes/DEVICE-INODE` | the digest of a file elsewhere |
//! | `tmp/` | entries that are being written, and what is being removed |
//! | `lock` | held for a moment, while something in `tmp/` is begun or cleared |
//!
//! An entry is made in `tmp/`, synced, and renamed. Whoever is ended before that leaves a folder there which nobody
//! holds locked; the next one who writes clears it.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use hardtack_disk::{AtomicFile, open_regular};
use rustix::fs::{FileType, FlockOperation, OFlags, flock};
use sha2::{Digest as _, Sha256};

use crate::entry::{MANIFEST, MANIFEST_LIMIT, Secret, decode, encode};
use crate::{Content, Digest, Entry, Error, Kind, Listed, Name, New, Notes, Part, Random, Sparse};

const TAG_NAME: &str = "CACHEDIR.TAG";
/// The Cache Directory Tagging Specification.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
                   # This directory is a cache of hardtack: it can be removed as a whole.\n";
/// What is in a cache beside files.
const FOLDERS: [&str; 4] = ["builds", "sources", "notes", "tmp"];
const BUFFER: usize = 1 << 20;

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A cache in a directory.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    pub(crate) secret: Secret,
}

impl Directory {
    /// Opens the cache in `root`; an empty directory, or one that is not there, becomes one.
    ///
    /// # Errors
    /// [`Error::Place`] for a directory that is something else, or that others may write in.
    pub fn open(root: &Path, random: Random) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.map_err(|error| Error::file(root, "make the directory", error))?;
        check(root)?;
        write_new(&root.join(TAG_NAME), TAG.as_bytes())?;
        for folder in FOLDERS {
            let path = root.join(folder);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(Error::file(&path, "make the directory", error));
                }
                _ => check_own(&path, FileType::Directory)?,
            }
        }
        let path = root.join("secret");
        if path.symlink_metadata().is_err() {
            let mut bytes = [0; 32];
            random(&mut bytes);
            write_new(&path, Secret(bytes).text().as_bytes())?;
        }
        check_own(&path, FileType::RegularFile)?;
        // Of two that begin at once, one has written it.
        let text = read(&path, 4096).map_err(|error| Error::file(&path, "read it", error))?;
        let secret = Secret::parse(&text).ok_or_else(|| Error::Place {
            place: path.display().to_string(),
            what: "is damaged, and nothing in the cache can be used without it".to_owned(),
            hint: "remove the directory: it is a cache",
        })?;
        Ok(Self { root: root.to_owned(), secret })
    }

    /// The same; one that is not there is not made.
    ///
    /// # Errors
    /// As [`Self::open`]; there is no cache.
    pub fn open_existing(root: &Path, random: Random) -> Result<Self, Error> {
        match root.join(TAG_NAME).symlink_metadata() {
            Ok(_) => Self::open(root, random),
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
                Err(Error::no_cache(root.display().to_string()))
            }
            Err(error) => Err(Error::file(root, "look into it", error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The digests of files elsewhere.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes::new(self.root.join("notes"), &self.secret)
    }

    pub(crate) fn find(&self, name: Name) -> Result<Option<Entry>, Error> {
        let path = self.path(name).join(MANIFEST);
        let bytes = match read(&path, MANIFEST_LIMIT as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match self.path(name).symlink_metadata() {
                    Err(_) => Ok(None),
                    Ok(_) => Err(Error::damaged(name, "its manifest is missing")),
                };
            }
            Err(error) => return Err(Error::damaged(name, format!("its manifest cannot be read: {error}"))),
        };
        decode(&bytes, name, &self.secret).map(Some)
    }

    /// The file of a part, which is compared when it is read by [`Self::read`] only.
    pub(crate) fn file(&self, name: Name, part: &Part) -> PathBuf {
        self.path(name).join(&part.name)
    }

    pub(crate) fn read(
        &self,
        name: Name,
        part: &Part,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let wrong = |what: String| Error::damaged(name, format!("its {}: {what}", part.name));
        let mut file = open_regular(&self.file(name, part)).map_err(|error| wrong(error.to_string()))?;
        let length = file.metadata().map_err(|error| wrong(error.to_string()))?.len();
        if length != part.size {
            return Err(wrong(format!("has {length} bytes instead of {}", part.size)));
        }
        let (mut hasher, mut buffer, mut done) = (Sha256::new(), vec![0; BUFFER], 0_u64);
        loop {
            let count = file.read(&mut buffer).map_err(|error| wrong(error.to_string()))?;
            let bytes = buffer.get(..count).unwrap_or_default();
            done += count as u64;
            // One that grows while it is read would never end.
            if bytes.is_empty() || done > part.size {
                break;
            }
            hasher.update(bytes);
            take(bytes).map_err(Error::Taker)?;
        }
        if done != part.size || Digest::from(hasher.finalize()) != part.digest {
            return Err(wrong("is not what was stored".to_owned()));
        }
        Ok(())
    }

    /// It was used: what was not used for the longest time goes first.
    pub(crate) fn used(&self, name: Name) {
        // A cache that can only be read is one, too.
        if let Ok(file) = OpenOptions::new().append(true).open(self.path(name).join(MANIFEST)) {
            let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
            let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
            let _ = rustix::fs::futimens(&file, &times);
        }
    }

    pub(crate) fn put(&self, new: &New<'_>) -> Result<Entry, Error> {
        self.clear();
        let work = self.begin()?;
        let mut parts = Vec::new();
        for (name, content) in &new.parts {
            parts.push(work.part(name, content)?);
        }
        let entry = Entry { name: new.name, stored: new.stored, about: new.about.clone(), parts };
        let path = work.path.join(MANIFEST);
        let bytes = encode(&entry, &self.secret)?;
        let fail = |error| Error::file(&path, "write it", error);
        let mut file = create(&path).map_err(fail)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(fail)?;
        work.lock.sync_all().map_err(|error| Error::file(&work.path, "write it to the disk", error))?;
        self.name(work, new.name)?;
        Ok(entry)
    }

    /// Gives what is complete its name; what was there goes.
    fn name(&self, work: Work, name: Name) -> Result<(), Error> {
        let place = self.path(name);
        for _ in 0..16 {
            match std::fs::rename(&work.path, &place) {
                Ok(()) => {
                    let folder = self.root.join(name.kind.folder());
                    let synced = File::open(&folder).and_then(|folder| folder.sync_all());
                    return synced.map_err(|error| Error::file(&folder, "write it to the disk", error));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory
                    ) =>
                {
                    self.remove(name)?;
                }
                Err(error) => return Err(Error::file(&place, "give it its name", error)),
            }
        }
        // Others put the same there each time: one of theirs stays.
        Ok(())
    }

    pub(crate) fn remove(&self, name: Name) -> Result<(), Error> {
        let (place, work) = (self.path(name), self.begin()?);
        match std::fs::rename(&place, work.path.join("old")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(&place, "remove it", error)),
            // What is in it goes with `work`; whoever reads it goes on.
            _ => Ok(()),
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let folder = self.root.join(kind.folder());
            let fail = |error| Error::file(&folder, "list it", error);
            for one in std::fs::read_dir(&folder).map_err(fail)? {
                let one = one.map_err(fail)?;
                let Some(digest) = one.file_name().to_str().and_then(Digest::parse) else { continue };
                let name = Name { kind, digest };
                // Another process may remove it meanwhile.
                let Some(entry) = self.find(name).transpose() else { continue };
                let (size, used) = weigh(&one.path());
                found.push(Listed { name, entry, size, used: Some(used) });
            }
        }
        Ok(found)
    }

    /// Removes what those have left that were ended while they wrote. What is called otherwise somebody else has put
    /// there.
    pub(crate) fn clear(&self) {
        let Ok(_guard) = self.guard() else { return };
        let Ok(all) = std::fs::read_dir(self.root.join("tmp")) else { return };
        for path in all.flatten().filter(|one| is_pair(&one.file_name())).map(|one| one.path()) {
            let free = open_with(OpenOptions::new().read(true), &path, OFlags::DIRECTORY)
                .is_ok_and(|folder| flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok());
            if free {
                // What cannot be removed now can be another time.
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }

    /// Held while something in `tmp` is begun, or what is left there is looked for.
    fn guard(&self) -> Result<File, Error> {
        let path = self.root.join("lock");
        let fail = |error: io::Error| Error::file(&path, "lock it", error);
        let mut options = OpenOptions::new();
        let file = open_with(options.create(true).append(true).mode(0o600), &path, OFlags::empty());
        let file = file.map_err(fail)?;
        if !file.metadata().map_err(fail)?.is_file() {
            return Err(fail(io::Error::new(ErrorKind::InvalidInput, "is no regular file")));
        }
        flock(&file, FlockOperation::LockExclusive).map_err(|error| fail(error.into()))?;
        Ok(file)
    }

    fn begin(&self) -> Result<Work, Error> {
        let _guard = self.guard()?;
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            // The number of a process is another one's in another container, so the name may be taken.
            let path = self.root.join("tmp").join(format!("{}-{serial}", std::process::id()));
            let fail = |error| Error::file(&path, "make the directory", error);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made.map_err(fail)?,
            }
            let lock = File::open(&path).map_err(fail)?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| fail(error.into()))?;
            return Ok(Work { path, lock });
        }
    }

    fn path(&self, name: Name) -> PathBuf {
        self.root.join(name.path())
    }
}

/// A folder in `tmp` that is this process's; it goes unless it was renamed.
struct Work {
    path: PathBuf,
    lock: File,
}

impl Work {
    fn part(&self, name: &str, content: &Content<'_>) -> Result<Part, Error> {
        let path = self.path.join(name);
        let fail = |error| Error::file(&path, "write it", error);
        let file = create(&path).map_err(fail)?;
        let mut sparse = Sparse::new(&file);
        let mut hasher = Sha256::new();
        from(content, &mut |bytes| {
            hasher.update(bytes);
            sparse.write(bytes).map_err(fail)
        })?;
        let size = sparse.finish().map_err(fail)?;
        file.sync_all().map_err(fail)?;
        let digest = Digest::from(hasher.finalize());
        expect(content, digest)?;
        Ok(Part { name: name.to_owned(), size, digest, pieces: Vec::new() })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // After a rename there is nothing here; what is left is cleared by the next one.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Hands over what is in `content`, in pieces.
fn from(content: &Content<'_>, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    match content {
        Content::Bytes(bytes) => take(bytes),
        Content::File(path, _) => {
            let fail = |error| Error::file(path, "read it for the cache", error);
            let mut file = open_regular(path).map_err(fail)?;
            let mut buffer = vec![0; BUFFER];
            loop {
                match file.read(&mut buffer).map_err(fail)? {
                    0 => return Ok(()),
                    count => take(buffer.get(..count).unwrap_or_default())?,
                }
            }
        }
    }
}

/// What was read must be what it was when its digest was made.
pub(crate) fn expect(content: &Content<'_>, found: Digest) -> Result<(), Error> {
    match content {
        Content::File(path, Some(digest)) if *digest != found => {
            Err(Error::Changed { what: format!("{}: has changed while it was read", path.display()) })
        }
        _ => Ok(()),
    }
}

/// A directory that is not ours to use.
fn check(root: &Path) -> Result<(), Error> {
    let place =
        |what: &str, hint| Error::Place { place: root.display().to_string(), what: what.to_owned(), hint };
    let fail = |error| Error::file(root, "look at it", error);
    let found = std::fs::metadata(root).map_err(fail)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        let hint = "an image out of a cache is what its owner put there: use one of your own";
        return Err(place("belongs to another user", hint));
    }
    if found.mode() & 0o022 != 0 {
        return Err(place("others may write in it", "chmod go-w, or a directory in it"));
    }
    let ours = || read(&root.join("CACHEDIR.TAG"), 4096).is_ok_and(|tag| tag == TAG.as_bytes());
    let others = |one: io::Result<std::fs::DirEntry>| {
        // Of two that begin at once, one finds what the other has made.
        one.is_ok_and(|one| {
            let name = one.file_name();
            !name.as_encoded_bytes().starts_with(b".hardtack-")
        })
    };
    if !ours() && std::fs::read_dir(root).map_err(fail)?.any(others) && !ours() {
        return Err(place("is neither empty nor a cache", "name a directory of its own"));
    }
    Ok(())
}

/// What lies in a cache is its own: a link leads to where nothing of a cache is, and everything there would be taken for
/// what may be removed.
fn check_own(path: &Path, kind: FileType) -> Result<(), Error> {
    let place = |what: &str, hint| {
        Err(Error::Place { place: path.display().to_string(), what: what.to_owned(), hint })
    };
    let found = rustix::fs::lstat(path).map_err(|error| Error::file(path, "look at it", error))?;
    if FileType::from_raw_mode(found.st_mode) != kind {
        let what = match kind {
            FileType::Directory => "is no directory, or a link to one",
            _ => "is no regular file, or a link to one",
        };
        return place(what, "nothing of a cache is elsewhere: remove it, or name another directory");
    }
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return place("belongs to another user", "remove the directory: it is a cache");
    }
    if found.st_mode & 0o077 != 0 {
        let hint = "remove the directory, which is a cache, or chmod go= if nobody has used that";
        return place("others may read or write it", hint);
    }
    Ok(())
}

/// Opens what is no link, and never waits for the other end of a pipe.
fn open_with(options: &mut OpenOptions, path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)
}

/// Two numbers, as what is made in `tmp` and `notes` is called.
pub(crate) fn is_pair(name: &OsStr) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.to_str()
        .and_then(|name| name.split_once('-'))
        .is_some_and(|(one, other)| is_number(one) && is_number(other))
}

/// A small file that appears whole; one that is there stays.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let fail = |error: io::Error| Error::file(path, "write it", error);
    let file = AtomicFile::create(path).map_err(|error| fail(io::Error::other(error)))?;
    file.file().write_all(bytes).map_err(fail)?;
    match file.commit(false) {
        Ok(()) | Err(hardtack_disk::Error::Exists { .. }) => Ok(()),
        Err(error) => Err(fail(io::Error::other(error))),
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// What a folder takes on the disk, and when its manifest was touched last.
fn weigh(folder: &Path) -> (u64, SystemTime) {
    let mut size = 0_u64;
    let mut used = SystemTime::UNIX_EPOCH;
    for one in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(found) = one.metadata() else { continue };
        size = size.saturating_add(found.blocks().saturating_mul(512));
        if one.file_name() == MANIFEST {
            used = found.modified().unwrap_or(used);
        }
    }
    (size, used)
}
