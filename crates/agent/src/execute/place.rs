//! Where writing to a path ends up: its last directory, held open, and the name in it.
//!
//! cloud-init opens a path and writes, and follows links wherever they lie (`cloudinit/util.py`: `write_file`). Root
//! who does that in somebody else's directory writes wherever they want: a user who is logged in before the last
//! stage lays a link to `/etc/shadow` where a deferred file is to come. So the way is walked step by step, each
//! directory through the handle of the one above it. A link of root's is followed; one that a user has laid leads
//! only into directories that are that user's. Below another root than `/` links mean that root.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::AgentError;
use crate::host::Host;

/// As many links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;
/// Mode of directories that nobody gave one, whatever the agent's own mask is.
const DIRECTORY: u32 = 0o755;

/// A name in a directory that is open.
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    /// For messages.
    pub(super) shown: PathBuf,
    /// Others than root may lay names into the directory.
    pub(super) is_open: bool,
}

/// What is done on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Missing directories are made, and the last name is followed when it is a link.
    Through,
    /// Missing directories are made; the last name is meant itself.
    To,
    /// Nothing is made; the last name is meant itself.
    Look,
}

impl Place {
    /// Where `path` leads; `None` when a directory is missing that is not to be made.
    pub(super) fn find(host: &Host, path: &str, way: Way) -> Result<Option<Self>, AgentError> {
        if path.is_empty() || path.contains('\0') {
            return Err(AgentError::text(format!("{path:?} is not the path of a file")));
        }
        let shown = host.path(path);
        let mut walk = Walk::new(host).map_err(|error| AgentError::io("open", &host.path("/"), error))?;
        match walk.go(path, way) {
            Ok(Some(name)) => {
                let directory = walk.last().map_err(|error| AgentError::io("open", &shown, error))?;
                let is_open =
                    lets_others_in(&directory).map_err(|error| AgentError::io("read", &shown, error))?;
                Ok(Some(Self { directory, name, shown, is_open }))
            }
            Ok(None) => Ok(None),
            Err(Stop::Circle) => Err(AgentError::text(format!("{path}: its links lead in a circle"))),
            Err(Stop::Laid(user)) => Err(AgentError::text(format!(
                "{path}: a link that user number {user} has laid leads out of what is that user's: nothing is done there"
            ))),
            Err(Stop::Io(error)) => Err(AgentError::io("create", &shown, error)),
        }
    }

    /// What is there, links not followed; `None` when nothing is.
    pub(super) fn stat(&self) -> Result<Option<Stat>, AgentError> {
        match rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(AgentError::io("read", &self.shown, error)),
        }
    }

    /// Opens it, links not followed. Nobody is waited for, and no terminal becomes ours.
    pub(super) fn open(&self, flags: OFlags, mode: u32) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.directory, &self.name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// The same directory, another name.
    pub(super) fn beside(&self, name: OsString) -> io::Result<Self> {
        let directory = self.directory.try_clone()?;
        Ok(Self { directory, name, shown: self.shown.clone(), is_open: self.is_open })
    }

    /// Gives `self` the name of `other`, which goes.
    pub(super) fn rename(&self, other: &Self) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, &self.name, &other.directory, &other.name)?)
    }

    /// Removes what has the name; nothing there is fine.
    pub(super) fn unlink(&self) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty()) {
            Err(error) if error != Errno::NOENT => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes a directory for everybody to look into, if there is none, and opens it.
    pub(super) fn directory(&self) -> io::Result<File> {
        Ok(make(&self.directory, &self.name)?.into())
    }
}

/// Why there is no way.
enum Stop {
    Circle,
    /// By this user.
    Laid(u32),
    Io(io::Error),
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

struct Walk {
    /// From the root on. Never empty.
    directories: Vec<OwnedFd>,
    links: usize,
    /// Whose link was followed, if not root's.
    laid: Option<u32>,
    /// The last directories are our own work.
    made: bool,
}

impl Walk {
    fn new(host: &Host) -> io::Result<Self> {
        let root = rustix::fs::openat(CWD, host.path("/"), FLAGS, Mode::empty())?;
        Ok(Self { directories: vec![root], links: 0, laid: None, made: false })
    }

    fn here(&self) -> Result<&OwnedFd, Stop> {
        self.directories.last().ok_or_else(|| Errno::NOENT.into())
    }

    fn last(mut self) -> io::Result<OwnedFd> {
        self.directories.pop().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The last name; the directory that it is in is the last one then.
    fn go(&mut self, path: &str, way: Way) -> Result<Option<OsString>, Stop> {
        let mut rest = names(Path::new(path));
        while let Some(name) = rest.pop() {
            if name == ".." {
                if self.directories.len() > 1 {
                    self.directories.pop();
                }
                continue;
            }
            let is_last = rest.is_empty();
            if is_last && way != Way::Through {
                self.check()?;
                return Ok(Some(name));
            }
            // The link itself is opened, so that whose it is and where it leads are said of the same one.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = match rustix::fs::openat(self.here()?, &name, flags, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::NOENT) if is_last => {
                    self.check()?;
                    return Ok(Some(name));
                }
                Err(Errno::NOENT) if way == Way::Look => return Ok(None),
                Err(Errno::NOENT) => {
                    self.check()?;
                    let made = make(self.here()?, &name).map_err(Stop::Io)?;
                    self.made = true;
                    self.directories.push(made);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let stat = rustix::fs::statat(&found, "", AtFlags::EMPTY_PATH)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    self.links += 1;
                    if self.links > LINKS {
                        return Err(Stop::Circle);
                    }
                    if !is_ours(stat.st_uid) {
                        self.laid = Some(stat.st_uid);
                    }
                    let target = rustix::fs::readlinkat(&found, "", Vec::new())?.into_bytes();
                    let target = Path::new(OsStr::from_bytes(&target)).to_owned();
                    if target.is_absolute() {
                        self.directories.truncate(1);
                    }
                    rest.extend(names(&target));
                }
                _ if is_last => {
                    self.check()?;
                    return Ok(Some(name));
                }
                FileType::Directory => self.directories.push(found),
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        self.check()?;
        Ok(Some(".".into()))
    }

    /// Whether something may be done in the last directory.
    fn check(&self) -> Result<(), Stop> {
        let Some(user) = self.laid.filter(|_| !self.made) else { return Ok(()) };
        let stat = rustix::fs::statat(self.here()?, "", AtFlags::EMPTY_PATH)?;
        if stat.st_uid == user { Ok(()) } else { Err(Stop::Laid(user)) }
    }
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The names of a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(OsString::from_vec(name.as_bytes().to_vec())),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect();
    names.reverse();
    names
}

/// Makes a directory, if there is none, and opens it.
fn make(above: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let made = match rustix::fs::mkdirat(above, name, Mode::from_raw_mode(DIRECTORY)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let opened = rustix::fs::openat(above, name, FLAGS, Mode::empty())?;
    if made {
        rustix::fs::fchmod(&opened, Mode::from_raw_mode(DIRECTORY))?;
    }
    Ok(opened)
}

/// Root's; in tests, that of who runs them.
fn is_ours(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

fn lets_others_in(directory: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::statat(directory, "", AtFlags::EMPTY_PATH)?;
    Ok(!is_ours(stat.st_uid) || stat.st_mode & 0o002 != 0)
}
