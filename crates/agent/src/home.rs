//! One file in a user's home, touched by root.
//!
//! A home belongs to its user, who can lay a link anywhere in it. So the directory is opened once,
//! its owner checked, and everything after goes through that handle, following no link.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, IFlags, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::accounts::Account;
use crate::error::AgentError;
use crate::host::Host;

/// An opened home directory.
pub(crate) struct Home {
    directory: OwnedFd,
    shown: String,
    owner: (u32, u32),
}

/// What is at a name in a home.
pub(crate) enum Found {
    Nothing,
    /// A regular file of the user (or root) that fits the limit.
    File(Vec<u8>),
    /// Something that must not be used, and why.
    Unusable(String),
}

impl Home {
    /// Opens the home of `account`. `as_owner` is what the files made in it shall belong to.
    pub(crate) fn open(host: &Host, account: &Account) -> Result<Self, AgentError> {
        let path = host.path(&account.home);
        let fail = |error: Errno| AgentError::io("open", &path, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, &path, flags, Mode::empty()).map_err(fail)?;
        let stat = rustix::fs::fstat(&directory).map_err(fail)?;
        if stat.st_uid != account.uid && stat.st_uid != 0 {
            return Err(AgentError::text(format!(
                "{}: belongs to user number {}, not to {}; nothing is written there",
                account.home, stat.st_uid, account.name
            )));
        }
        if stat.st_mode & 0o002 != 0 {
            return Err(AgentError::text(format!(
                "{}: writable by everybody; nothing is written there",
                account.home
            )));
        }
        Ok(Self { directory, shown: account.home.clone(), owner: (account.uid, account.gid) })
    }

    /// Opens the home of `account` whoever it belongs to, to take something out of it; `None` where there is none.
    pub(crate) fn open_anyones(host: &Host, account: &Account) -> Result<Option<Self>, AgentError> {
        let path = host.path(&account.home);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, &path, flags, Mode::empty()) {
            Ok(directory) => {
                Ok(Some(Self { directory, shown: account.home.clone(), owner: (account.uid, account.gid) }))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(AgentError::io("open", &path, error)),
        }
    }

    /// Whether there is a file of that name that a PAM module would read: a regular one, or a link to one.
    pub(crate) fn has_file(&self, name: &str) -> Result<bool, AgentError> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                Ok(matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Symlink))
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.error("look at", name, error)),
        }
    }

    /// Removes a file, or the link in its place. Flags of chattr(1) that keep it there are taken off.
    pub(crate) fn remove(&self, name: &str) -> Result<(), AgentError> {
        let unlink = || rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        match unlink() {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(_) => {}
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            release(&file);
        }
        release(&self.directory);
        match unlink() {
            Ok(()) | Err(Errno::NOENT) => {
                let _ = rustix::fs::fsync(&self.directory);
                Ok(())
            }
            Err(error) => Err(self.error("remove", name, error)),
        }
    }

    /// Lays /dev/null over a file that cannot be removed, until the next boot: a module finds no file then.
    pub(crate) fn cover(&self, name: &str) -> Result<(), AgentError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fail = |error: Errno| self.error("cover", name, error);
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::empty()).map_err(fail)?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        rustix::mount::mount_bind("/dev/null", format!("/proc/self/fd/{number}")).map_err(fail)
    }

    /// Reads a small file of the user's.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Found, AgentError> {
        // NONBLOCK: a named pipe laid there must not hold the boot.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(Errno::LOOP) => return Ok(Found::Unusable("is a symbolic link".to_owned())),
            Err(error) => return Err(self.error("open", name, error)),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| self.error("read", name, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Found::Unusable("is not a regular file".to_owned()));
        }
        if stat.st_uid != self.owner.0 && stat.st_uid != 0 {
            return Ok(Found::Unusable(format!("belongs to user number {}", stat.st_uid)));
        }
        // A hard link to somebody else's file would pass every other check.
        if stat.st_nlink != 1 {
            return Ok(Found::Unusable(format!("has {} names", stat.st_nlink)));
        }
        let mut bytes = Vec::new();
        File::from(file)
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| AgentError::io("read", Path::new(&self.shown).join(name).as_path(), error))?;
        if bytes.len() as u64 > limit {
            return Ok(Found::Unusable(format!("is larger than {limit} bytes")));
        }
        Ok(Found::File(bytes))
    }

    /// Writes a file that is complete or not there: a new one, fsync, rename. 0400, the user's own.
    pub(crate) fn write_private(&self, name: &str, content: &[u8]) -> Result<(), AgentError> {
        // The name that google-authenticator itself uses on the way.
        let temporary = format!("{name}~");
        match rustix::fs::unlinkat(&self.directory, temporary.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(self.error("remove", &temporary, error)),
        }
        let done = self.fill(&temporary, content).and_then(|()| {
            rustix::fs::renameat(&self.directory, temporary.as_str(), &self.directory, name)
                .map_err(|error| self.error("write", name, error))
        });
        if done.is_err() {
            let _ = rustix::fs::unlinkat(&self.directory, temporary.as_str(), AtFlags::empty());
        }
        done?;
        rustix::fs::fsync(&self.directory).map_err(|error| self.error("write", name, error))
    }

    fn fill(&self, name: &str, content: &[u8]) -> Result<(), AgentError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let owner_reads = Mode::RUSR;
        let descriptor = rustix::fs::openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| self.error("create", name, error))?;
        let mut file = File::from(descriptor);
        file.write_all(content)
            .map_err(|error| AgentError::io("write", Path::new(&self.shown).join(name).as_path(), error))?;
        let (uid, gid) = self.owner;
        rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .and_then(|()| rustix::fs::fchmod(&file, owner_reads))
            .and_then(|()| rustix::fs::fsync(&file))
            .map_err(|error| self.error("write", name, error))
    }

    fn error(&self, what: &'static str, name: &str, error: Errno) -> AgentError {
        AgentError::io(what, &Path::new(&self.shown).join(name), error)
    }
}

/// Takes the flags off that chattr(1) sets against changes.
fn release(file: &OwnedFd) {
    if let Ok(flags) = rustix::fs::ioctl_getflags(file) {
        let _ = rustix::fs::ioctl_setflags(file, flags - (IFlags::IMMUTABLE | IFlags::APPEND));
    }
}
