//! An output that appears whole or not at all.
//!
//! The bytes go to a file without a name (`O_TMPFILE`) in the output's directory, and a name is
//! linked to it when all is on the disk: whatever ends the program before that, SIGKILL included,
//! leaves nothing behind. Where a file system cannot do this (NFS, some FUSE ones), a file with a
//! temporary name is used, removed on drop; for signals a program removes [`temporary_files`].

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::Error;

/// Images hold password hashes and host keys, so only their owner may read them.
const MODE: u32 = 0o600;

/// Named temporary files that exist now.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// The temporary files that this process has now, for a program to unlink when a signal ends it.
/// Empty on file systems that have `O_TMPFILE`, but for the moment in which an output is replaced.
pub fn temporary_files() -> Vec<PathBuf> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A temporary name in use; dropping it unlinks the name.
#[derive(Debug)]
struct TemporaryName(PathBuf);

impl TemporaryName {
    /// Registers a name beside `output`, before anything is made under it.
    fn beside(output: &Path) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        // Not made of the output's name, which may be as long as a name can be.
        let path = output.with_file_name(format!(".hardtack-{}-{serial}.tmp", std::process::id()));
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self(path)
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        // After a rename there is nothing to remove, and any other error changes nothing.
        let _ = std::fs::remove_file(&self.0);
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
    }
}

/// A file that gets its name when it is complete. Mode 0600: an image holds password hashes.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// Where the output will be, links resolved.
    path: PathBuf,
    /// Where the bytes are until then; none: in a file without a name.
    temporary: Option<TemporaryName>,
    /// Whether it is to survive a power failure.
    durable: bool,
}

impl AtomicFile {
    /// Starts an output at `path`. A link to an existing file is followed, so that the link
    /// stays and the file behind it is replaced.
    ///
    /// What can be known now is refused now and not after minutes of work: a missing directory,
    /// an existing output that is no regular file. Whether an existing file may be replaced is
    /// decided by [`commit`](Self::commit); ask [`Path::exists`] first to fail early.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let path = resolve(path)?;
        let directory = parent(&path);
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::openat(CWD, &directory, flags, Mode::from_raw_mode(MODE)) {
            let file = File::from(file);
            // Its name is given through /proc, so without /proc it could never be given.
            if proc_path(&file).exists() {
                return Ok(Self { file, path, temporary: None, durable: true });
            }
        }
        Self::create_named(path)
    }

    /// The way for file systems without `O_TMPFILE`; its errors are those that people see.
    fn create_named(path: PathBuf) -> Result<Self, Error> {
        let temporary = TemporaryName::beside(&path);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, &temporary.0, flags, Mode::from_raw_mode(MODE))
            .map_err(|source| Error::io(&path, "create a file in its directory", source))?;
        Ok(Self { file: File::from(file), path, temporary: Some(temporary), durable: true })
    }

    /// The output need not be on the disk when it gets its name: that is faster, and a power failure
    /// shortly afterwards may leave an output with parts missing.
    pub fn set_durable(&mut self, durable: bool) {
        self.durable = durable;
    }

    /// Whether [`commit`](Self::commit) waits until the output is on the disk. It does at first.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// The open file, to be written at any offset.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the output will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything to the disk and gives the output its name.
    ///
    /// An existing output is replaced in one step with `replace`; without it, it is
    /// [`Error::Exists`], also when it came into being a moment ago.
    pub fn commit(self, replace: bool) -> Result<(), Error> {
        let fail = |action: &str, source: Errno| Error::io(&self.path, action, source);
        if self.durable {
            self.file.sync_all().map_err(|source| Error::io(&self.path, "write it to the disk", source))?;
        }
        match &self.temporary {
            None => match link_open(&self.file, &self.path) {
                Ok(()) => {}
                Err(Errno::EXIST) if !replace => {
                    return Err(Error::Exists { path: self.path.clone() });
                }
                Err(Errno::EXIST) => {
                    // Nothing links over a name, so the file needs one to be renamed from.
                    let name = TemporaryName::beside(&self.path);
                    link_open(&self.file, &name.0).map_err(|error| fail("link the finished file", error))?;
                    rustix::fs::rename(&name.0, &self.path)
                        .map_err(|error| fail("rename the finished file", error))?;
                }
                Err(error) => return Err(fail("link the finished file", error)),
            },
            Some(name) if replace => {
                rustix::fs::rename(&name.0, &self.path)
                    .map_err(|error| fail("rename the finished file", error))?;
            }
            Some(name) => match rename_new(&name.0, &self.path) {
                Ok(()) => {}
                Err(Errno::EXIST) => {
                    return Err(Error::Exists { path: self.path.clone() });
                }
                Err(error) => return Err(fail("rename the finished file", error)),
            },
        }
        if self.durable { sync_directory(&self.path) } else { Ok(()) }
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The kernel's name for an open file, which may have no other.
pub(crate) fn proc_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn link_open(file: &File, to: &Path) -> Result<(), Errno> {
    rustix::fs::linkat(CWD, proc_path(file), CWD, to, AtFlags::SYMLINK_FOLLOW)
}

/// Renames without replacing, on whatever the file system offers for that.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS knows no such rename, but its link fails when the name exists.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rustix::fs::link(from, to),
        result => result,
    }
}

fn resolve(path: &Path) -> Result<PathBuf, Error> {
    let invalid = |what: &str| {
        Error::io(
            path,
            "write an output there",
            std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_owned()),
        )
    };
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(invalid("it names a directory"));
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(Error::io(path, "look at the output", error)),
        Ok(found) if found.is_file() => Ok(path.to_owned()),
        Ok(found) if found.is_symlink() => match std::fs::canonicalize(path) {
            Ok(target) if target.is_file() => Ok(target),
            // A link to nothing is an existing name like any other.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_owned()),
            Ok(_) => Err(invalid("it is a link to something that is no regular file")),
            Err(error) => Err(Error::io(path, "follow the link", error)),
        },
        Ok(found) if found.is_dir() => Err(invalid("it is a directory")),
        // Renaming over a device node would replace the node.
        Ok(_) => Err(invalid("it exists and is no regular file")),
    }
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = parent(path);
    let fail = |source| Error::io(&directory, "write the directory to the disk", source);
    match File::open(&directory) {
        // A directory that may be written but not read cannot be synchronised by anybody.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(opened) => match opened.sync_all() {
            // Some file systems do not know how to do this for a directory.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
            result => result.map_err(fail),
        },
    }
}

#[cfg(test)]
mod tests;
