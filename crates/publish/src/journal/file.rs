//! The file of a journal: whose it is, who has it now, and lines at its end.
//!
//! A lock (`flock`) belongs to the open file, so it moves with [`File::try_clone`] and goes with the process. Since a
//! finished journal is renamed over the old one, and an undone one is unlinked, a lock counts only if the path still
//! leads to the file that was locked.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use hardtack_disk::AtomicFile;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::record::{Contents, Record};
use crate::Error;

/// Bytes of a line. The longest are parameters of Systems Manager, of 8 KiB.
pub(super) const LONGEST: u64 = 1 << 20;
/// Bytes of a journal: of a few million blocks.
pub(super) const LARGEST: u64 = 1 << 30;
/// How often a file may be replaced while it is being opened.
const REPLACED: usize = 16;

/// An open and locked file.
pub(super) struct JournalFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl JournalFile {
    /// Opens and locks what is at `path`; `None` where nothing is.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Error> {
        for _ in 0..REPLACED {
            // Not blocking, for a FIFO in its place.
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(file) => File::from(file),
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP) => {
                    return Err(Error::Refused(format!(
                        "{}: a journal is no symbolic link; name the file itself",
                        path.display()
                    )));
                }
                Err(error) => return Err(Error::file(path, "open the journal", error.into())),
            };
            let found = file.metadata().map_err(|error| Error::file(path, "look at the journal", error))?;
            private(path, &found)?;
            lock(path, &file)?;
            let now = std::fs::symlink_metadata(path);
            if now.is_ok_and(|now| (now.dev(), now.ino()) == (found.dev(), found.ino())) {
                return Ok(Some(Self { file, path: path.to_owned(), length: 0 }));
            }
        }
        Err(Error::Refused(format!("{}: others replace this journal all the time", path.display())))
    }

    /// Makes a file with this one line, unless there is one.
    pub(super) fn create(path: &Path, first: &Record) -> Result<(), Error> {
        let fail = |error| Error::file(path, "begin a journal", error);
        let line = first.line().map_err(fail)?;
        let file = AtomicFile::create(path)?;
        file.file().write_all(&line).map_err(fail)?;
        match file.commit(false) {
            Err(hardtack_disk::Error::Exists { .. }) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Reads all lines, and cuts off the last where it does not end.
    pub(super) fn read(&mut self) -> Result<Contents, Error> {
        let fail = |error| Error::file(&self.path, "read the journal", error);
        let wrong = |number: usize, what: &str| {
            let place = format!("{}, line {number}", self.path.display());
            Error::Refused(format!("{place}: no record of a journal: {what}"))
        };
        let mut contents = Contents::default();
        let mut reader = BufReader::new((&self.file).take(LARGEST + 1));
        let (mut line, mut length) = (Vec::new(), 0_u64);
        for number in 1.. {
            line.clear();
            let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(fail)?;
            if line.last() != Some(&b'\n') {
                if read as u64 == LONGEST {
                    return Err(wrong(number, "it is longer than 1 MiB"));
                }
                break;
            }
            length += read as u64;
            if length > LARGEST {
                return Err(wrong(number, "the journal is larger than 1 GiB"));
            }
            contents.read(&line).map_err(|what| wrong(number, &what))?;
        }
        if contents.head.is_none() && !line.is_empty() && !begins_a_journal(&line) {
            return Err(Error::Refused(format!(
                "{}: this is no journal, and nothing in it is changed; give another name",
                self.path.display()
            )));
        }
        let all = self.file.metadata().map_err(fail)?.len();
        if all > LARGEST {
            return Err(Error::Refused(format!("{}: larger than 1 GiB, so no journal", self.path.display())));
        }
        if all != length {
            self.file
                .set_len(length)
                .map_err(|error| Error::file(&self.path, "cut the last line off", error))?;
        }
        self.length = length;
        Ok(contents)
    }

    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `lines` at the end, all or none of them.
    pub(super) fn append(&mut self, lines: &[u8], synced: bool) -> Result<(), Error> {
        let written = self
            .file
            .write_all_at(lines, self.length)
            .and_then(|()| if synced { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // Half a line in the middle would make the journal useless. Where even this fails, the next open cuts it.
            let _ = self.file.set_len(self.length);
            return Err(Error::file(&self.path, "write to the journal", error));
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Puts a new file with `records` in this one's place; the lock goes on.
    pub(super) fn replace(&mut self, records: &[Record]) -> Result<(), Error> {
        let fail = |error| Error::file(&self.path, "write the journal anew", error);
        let output = AtomicFile::create(&self.path)?;
        let file = output.file().try_clone().map_err(fail)?;
        lock(&self.path, &file)?;
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(record.line().map_err(fail)?);
        }
        file.write_all_at(&bytes, 0).map_err(fail)?;
        output.commit(true)?;
        (self.file, self.length) = (file, bytes.len() as u64);
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), Error> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&self.path, "remove the journal", error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started has this file too until it runs its program.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Whether a text without an end is a header whose writing was cut off. Whatever else somebody has named is his.
fn begins_a_journal(text: &[u8]) -> bool {
    const BEGIN: &[u8] = br#"{"record":"header""#;
    // After a power failure a file may have its length and not its bytes.
    BEGIN.starts_with(text) || text.starts_with(BEGIN) || text.iter().all(|byte| *byte == 0)
}

/// Refuses what others can read or have written: a journal holds keys, and what it says is deleted.
fn private(path: &Path, found: &std::fs::Metadata) -> Result<(), Error> {
    let what = if !found.is_file() {
        "a journal is a regular file; give another name".to_owned()
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        format!("the journal belongs to user {}, not to you; give another name", found.uid())
    } else if found.mode() & 0o077 != 0 {
        let mode = found.mode() & 0o777;
        format!(
            "others can read or write the journal (mode {mode:04o}); run `chmod 600` on it if it is yours"
        )
    } else {
        return Ok(());
    };
    Err(Error::Refused(format!("{}: {what}", path.display())))
}

fn lock(path: &Path, file: &File) -> Result<(), Error> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(Error::Refused(format!(
            "{}: another hardtack works with this journal; wait for it or give another name",
            path.display()
        ))),
        Err(error) => Err(Error::file(path, "lock the journal", error.into())),
    }
}
