//! The files of an instance: small ones read with care, since somebody may have laid anything in their place.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hardtack_disk::AtomicFile;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// No file of ours that is read whole is larger: user-data are the largest.
const LARGEST: u64 = 4 << 20;
/// What is read of the end of a log.
const END: u64 = 16 << 10;
/// Whose the lock is.
const OWNER: &str = "owner";

/// Reads a regular file of at most 4 MiB.
pub(crate) fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    // Opening a FIFO would wait for its writer.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is too large"));
    }
    Ok(bytes)
}

/// Reads a value; `None` where there is no file.
pub(crate) fn read_value<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bytes = match read_small(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(path, "read it", error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let repair = "terminate the instance, or repair the file";
        Error::Refused(format!("{}: it is damaged ({error}); {repair}", path.display()))
    })
}

/// Writes a value; readers see the old one or the new one.
pub(crate) fn write_value<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Refused(format!("{}: {error}", path.display())))?;
    let file = AtomicFile::create(path)?;
    file.file().write_all(&text).map_err(|error| Error::file(path, "write it", error))?;
    Ok(file.commit(true)?)
}

/// Makes a file that only its owner reads.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |error| Error::file(path, "write it", error);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(bytes).map_err(fail)
}

/// The last 16 KiB of a file; nothing where it cannot be read.
pub(crate) fn read_end(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    if let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags).open(path)
        && let Ok(length) = file.seek(SeekFrom::End(0))
        && file.seek(SeekFrom::Start(length.saturating_sub(END))).is_ok()
    {
        let _ = file.take(END).read_to_end(&mut bytes);
    }
    bytes
}

/// Makes a directory, and those above it, for its owner alone.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Error::file(path, "make the directory", error))
}

/// Refuses a directory in which others could lay something that this process then takes for its own.
pub(crate) fn is_private(path: &Path) -> Result<(), Error> {
    let found = std::fs::symlink_metadata(path).map_err(|error| Error::file(path, "look at it", error))?;
    let own = rustix::process::geteuid().as_raw();
    let wrong = match () {
        () if found.uid() != own => format!("it belongs to another user ({})", found.uid()),
        () if found.mode() & 0o022 != 0 => {
            format!("others may write there (mode {:o})", found.mode() & 0o7777)
        }
        () => return Ok(()),
    };
    let repair =
        "instances have passwords and keys, so take another catalog (--catalog), or chmod 700 your own";
    Err(Error::Refused(format!("{}: {wrong}; {repair}", path.display())))
}

/// A directory by a name that is short enough for a socket in it, however long its path is.
pub(crate) struct Short {
    directory: File,
}

impl Short {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let open = File::open(directory);
        Ok(Self { directory: open.map_err(|error| Error::file(directory, "open it", error))? })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd()))
    }

    /// Listens on a socket that only its owner can use.
    pub(crate) fn listen(&self, name: &str) -> std::io::Result<UnixListener> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // Nobody else gets into the directory; this is for those who copy it.
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(listener)
    }

    pub(crate) fn connect(&self, name: &str) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.path(name))
    }
}

/// A process that stays the same, whoever gets its number afterwards.
pub(crate) struct Process(OwnedFd);

impl Process {
    /// What is known of the number after this is true of this process, or it has ended.
    pub(crate) fn open(number: u32) -> Option<Self> {
        let number = i32::try_from(number).ok().filter(|number| *number > 1)?;
        let process = rustix::process::Pid::from_raw(number)?;
        rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).ok().map(Self)
    }

    /// Kills it; it may have ended by now.
    pub(crate) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.0, rustix::process::Signal::KILL);
    }

    /// Whether it ended within `patience`.
    pub(crate) fn ends(&self, patience: Duration) -> bool {
        let mut ends = [PollFd::new(&self.0, PollFlags::IN)];
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(1),
            tv_nsec: patience.subsec_nanos().into(),
        };
        poll(&mut ends, Some(&patience)).is_ok_and(|ready| ready > 0)
    }
}

/// An instance's lock: whoever has it may start the instance or remove it. It is on the directory itself, so that
/// nothing has to be made in one that is being removed.
#[derive(Debug)]
pub(crate) struct Lock(pub(crate) File);

impl Lock {
    /// Takes it; `None` where somebody has it, or nothing is there any more.
    pub(crate) fn take(directory: &Path) -> Result<Option<Self>, Error> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let lock = match rustix::fs::open(directory, flags, rustix::fs::Mode::empty()) {
            Ok(directory) => Self(File::from(directory)),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Error::file(directory, "open the instance", error.into())),
        };
        Ok(lock.hold(directory)?.then_some(lock))
    }

    /// Whether this is the directory's lock, and is held now.
    pub(crate) fn hold(&self, directory: &Path) -> Result<bool, Error> {
        let fail = |error| Error::file(directory, "lock the instance", error);
        match rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(fail(error.into())),
        }
        // A lock on what was removed meanwhile is none.
        let (mine, there) = (self.0.metadata().map_err(fail)?, std::fs::symlink_metadata(directory));
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())))
    }

    /// Whether somebody holds it.
    pub(crate) fn is_held(directory: &Path) -> bool {
        let Ok(file) = File::open(directory) else { return false };
        // A look must not keep anybody from it: shared, and for this moment.
        matches!(rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK))
    }

    /// Writes down whose it is now.
    pub(crate) fn sign(directory: &Path) -> Result<(), Error> {
        write_value(&directory.join(OWNER), &std::process::id())
    }

    /// The process that has it, if it has this directory open indeed.
    pub(crate) fn holder(directory: &Path) -> Option<Process> {
        let path = std::fs::canonicalize(directory).ok()?;
        let number: u32 = read_value(&path.join(OWNER)).ok()??;
        let process = Process::open(number)?;
        let open = std::fs::read_dir(format!("/proc/{number}/fd")).ok()?;
        let has = open.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|link| link == path));
        has.then_some(process)
    }
}
