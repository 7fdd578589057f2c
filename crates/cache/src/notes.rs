//! What the digest of a file was, by what the file system says of it: device, inode, size, and the times of the last
//! change of its content and of anything about it. The second one nobody can set back.
//!
//! A file that was changed a moment ago could be changed again within the same tick of the file system's clock, and
//! look the same: its digest is not noted (git calls that "racily clean").

use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use hardtack_disk::AtomicFile;

use crate::Digest;
use crate::directory::{is_pair, read};
use crate::entry::Secret;

/// Clocks of file systems tick every two seconds at worst (FAT).
const TICK: i64 = 2;

/// What a file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    device: u64,
    inode: u64,
    size: u64,
    content: (i64, i64),
    anything: (i64, i64),
}

/// File systems whose servers make up inodes and times, or keep them back, and those in memory, which do not notice
/// that a mapping is written to again: what they say of a file proves nothing (magic numbers of `statfs(2)`: NFS, SMB,
/// CIFS, SMB2, FUSE, 9p, Ceph, AFS, tmpfs, ramfs).
const SILENT: [u32; 10] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x6573_5546,
    0x0102_1997,
    0x00c3_6400,
    0x5346_414f,
    0x0102_1994,
    0x8584_58f6,
];

impl State {
    /// That of an open file; `None` where nothing can be noted of it: a device, or a file of a network or in memory.
    ///
    /// What was written through a mapping (`mmap(2)`) changes the times once, and not again before it was written to
    /// the disk: that is done first, so that whatever comes later is seen.
    ///
    /// # Errors
    /// What the host says.
    pub fn of(file: &File) -> io::Result<Option<Self>> {
        if file.sync_all().is_err() {
            return Ok(None);
        }
        let found = file.metadata()?;
        let system = u32::try_from(rustix::fs::fstatfs(file)?.f_type & 0xffff_ffff).unwrap_or(0);
        Ok((found.is_file() && !SILENT.contains(&system)).then(|| Self::from(&found)))
    }

    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.len(),
            content: (found.mtime(), found.mtime_nsec()),
            anything: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// What is noted of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Its digest: nothing about the file has changed since.
    Known(Digest),
    /// Something else: the file is another one since, or the note is damaged.
    Stale,
    /// Nothing.
    Nothing,
}

/// The notes of a cache.
#[derive(Debug)]
pub struct Notes<'a> {
    folder: PathBuf,
    secret: &'a Secret,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(folder: PathBuf, secret: &'a Secret) -> Self {
        Self { folder, secret }
    }

    /// What is noted of the file that is in this state.
    #[must_use]
    pub fn look(&self, state: &State) -> Noted {
        let Ok(bytes) = read(&self.path(state), 4096) else { return Noted::Nothing };
        let known = || {
            let text = std::str::from_utf8(&bytes).ok()?;
            let (seal, rest) = text.split_at_checked(64)?;
            let line = rest.strip_prefix('\n')?;
            if !self.secret.holds(b"note", line.as_bytes(), Digest::parse(seal)?) {
                return None;
            }
            let (words, digest) = line.strip_suffix('\n')?.rsplit_once(' ')?;
            if words == describe(state) { Digest::parse(digest) } else { None }
        };
        known().map_or(Noted::Stale, Noted::Known)
    }

    /// Notes a digest. `begun` is when, in seconds since 1970, before `state` was taken and the file was read. False
    /// where the file was changed too short a time before that or since, or nothing could be written: it is read again
    /// the next time.
    pub fn keep(&self, state: &State, digest: Digest, begun: i64) -> bool {
        if state.content.0.max(state.anything.0) + TICK >= begun {
            return false;
        }
        let line = format!("{} {digest}\n", describe(state));
        let seal = self.secret.seal(b"note", line.as_bytes());
        let write = || {
            let mut file = AtomicFile::create(&self.path(state)).ok()?;
            file.set_durable(false);
            file.file().write_all(format!("{seal}\n{line}").as_bytes()).ok()?;
            file.commit(true).ok()
        };
        write().is_some()
    }

    /// Removes those that are older than `limit`, seconds since 1970.
    pub(crate) fn prune(&self, limit: i64) {
        for one in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            // What is called otherwise somebody else has put there.
            let is_note = |found: Metadata| found.is_file() && is_pair(&one.file_name());
            if one.metadata().is_ok_and(|found| found.mtime() < limit && is_note(found)) {
                let _ = std::fs::remove_file(one.path());
            }
        }
    }

    fn path(&self, state: &State) -> PathBuf {
        self.folder.join(format!("{}-{}", state.device, state.inode))
    }
}

fn describe(state: &State) -> String {
    let State { device, inode, size, content, anything } = state;
    format!("{device} {inode} {size} {}.{} {}.{}", content.0, content.1, anything.0, anything.1)
}
