//! Opening a file system and reading it by path.

use std::collections::BTreeSet;
use std::sync::Arc;

use hardtack_disk::BlockWrite;

use crate::bytes::u32_at;
use crate::directory::Name;
use crate::inode::{self, Inode, Time, flag};
use crate::map::is_fast_link;
use crate::volume::Volume;
use crate::{Error, Superblock};

/// The longest name, in bytes.
pub(crate) const NAME_LIMIT: usize = 255;

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, FIFO or socket.
    Special,
}

impl Kind {
    /// The type in words, with its article.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Regular => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Special => "a special file",
        }
    }

    pub(crate) fn of(inode: &Inode) -> Self {
        match inode.file_type() {
            inode::S_IFREG => Self::Regular,
            inode::S_IFDIR => Self::Directory,
            inode::S_IFLNK => Self::Symlink,
            _ => Self::Special,
        }
    }
}

/// What `lstat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The type.
    pub kind: Kind,
    /// Permission bits with set-id and sticky (0o7777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Number of names.
    pub links: u16,
    /// The inode's number.
    pub inode: u32,
}

/// What a special file is, with the numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A character device.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A type that no kernel writes.
    Unknown,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name. Names that are not UTF-8 are left out of listings.
    pub name: String,
    /// The type of what it names.
    pub kind: Kind,
}

/// An open file system. Reading takes `&self`, changing `&mut self`.
pub struct Ext4 {
    pub(crate) volume: Volume,
    pub(crate) changed: bool,
    pub(crate) finished: bool,
}

impl Ext4 {
    /// Opens the file system that fills `disk`; `epoch` (seconds since 1970) is the time that
    /// every edit writes.
    ///
    /// A file system that was not unmounted cleanly is recovered first, as the kernel would: its
    /// journal is replayed and its orphans are removed, on `disk`. Otherwise nothing is written
    /// before the first edit. A file system that must not be changed opens too, and says why in
    /// [`read_only_reason`](Self::read_only_reason).
    ///
    /// # Errors
    /// See [`Superblock::read`]; [`Error::Damaged`] when checksums, descriptors or the journal are
    /// wrong.
    pub fn open(disk: Arc<dyn BlockWrite>, epoch: i64) -> Result<Self, Error> {
        let mut volume = Volume::open(disk, epoch)?;
        if volume.superblock.read_only_reason.is_none() {
            volume.recover()?;
        }
        Ok(Self { volume, changed: false, finished: false })
    }

    /// The superblock as it is now.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.volume.superblock
    }

    /// Why this file system must not be changed, if so.
    #[must_use]
    pub fn read_only_reason(&self) -> Option<&str> {
        self.volume.superblock.read_only_reason.as_deref()
    }

    /// What `path` is; `None` when it, or a directory above it, does not exist.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a structure on the way is.
    pub fn lstat(&self, path: &str) -> Result<Option<Stat>, Error> {
        let inode = self.find(path).map_err(|error| error.at(path))?;
        Ok(inode.as_ref().map(stat))
    }

    /// What the special file `path` is; `None` for anything else, and where nothing is.
    ///
    /// # Errors
    /// As [`lstat`](Self::lstat).
    pub fn special(&self, path: &str) -> Result<Option<Special>, Error> {
        let inode = self.find(path).map_err(|error| error.at(path))?;
        Ok(inode.filter(|inode| Kind::of(inode) == Kind::Special).map(|inode| special(&inode)))
    }

    /// The names in the directory `path`, sorted, without `.` and `..`. Going on into each of its
    /// directories comes to an end: one that has several names is damage.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], or a damaged directory.
    pub fn read_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let found = self.names(path)?;
        Ok(found.into_iter().map(|(entry, _)| entry).collect())
    }

    /// The same with what [`lstat`](Self::lstat) says of each, without a way from the root for each.
    ///
    /// # Errors
    /// As [`read_dir`](Self::read_dir), and where an inode is damaged.
    pub fn read_dir_stat(&self, path: &str) -> Result<Vec<(Entry, Stat)>, Error> {
        let found = self.names(path)?.into_iter();
        found
            .map(|(entry, number)| {
                let inode = self.named_inode(&entry.name, number).map_err(|error| error.at(path))?;
                Ok((entry, stat(&inode)))
            })
            .collect()
    }

    /// The names in a directory, with the numbers of their inodes.
    fn names(&self, path: &str) -> Result<Vec<(Entry, u32)>, Error> {
        let directory = self.existing(path, Kind::Directory)?;
        let names = self.volume.list_names(&directory).map_err(|error| error.at(path))?;
        let above = path.trim_end_matches('/').rsplit_once('/').map_or("/", |(above, _)| above);
        let parent = if directory.number == inode::ROOT { inode::ROOT } else { self.lookup(above)?.number };
        check_parent(&directory, parent, &names).map_err(|error| error.at(path))?;
        let mut directories = BTreeSet::new();
        let mut entries = Vec::new();
        for found in names {
            let Ok(name) = String::from_utf8(found.name) else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let kind = match found.tag {
                1 => Kind::Regular,
                2 => Kind::Directory,
                7 => Kind::Symlink,
                // Without the filetype feature only the inode knows.
                0 => Kind::of(&self.volume.inode(found.inode).map_err(|error| error.at(path))?),
                _ => Kind::Special,
            };
            if kind == Kind::Directory && !directories.insert(found.inode) {
                let what = format!("{name} is a second name of the directory inode {}", found.inode);
                return Err(Error::Damaged(what).at(path));
            }
            entries.push((Entry { name, kind }, found.inode));
        }
        entries.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// Up to `buf.len()` bytes of the file `path` from `offset`; returns how many, 0 at its end.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], or a damaged block map.
    pub fn read_at(&self, path: &str, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let inode = self.existing(path, Kind::Regular)?;
        if inode.has(flag::ENCRYPT) {
            return Err(Error::ReadOnly("its content is encrypted".to_owned()).at(path));
        }
        self.volume.read_content(&inode, offset, buf).map_err(|error| error.at(path))
    }

    /// The target of the symbolic link `path`.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`]; [`Error::Operation`] when it is not UTF-8.
    pub fn read_link(&self, path: &str) -> Result<String, Error> {
        let inode = self.existing(path, Kind::Symlink)?;
        let target = self.volume.link_target(&inode).map_err(|error| error.at(path))?;
        String::from_utf8(target).map_err(|_| Error::Operation {
            path: path.to_owned(),
            action: "read the link",
            what: "its target is not UTF-8".to_owned(),
        })
    }

    /// The extended attributes of `path`, by full name ("security.selinux"), sorted.
    ///
    /// # Errors
    /// [`Error::Missing`], or damaged attributes.
    pub fn xattrs(&self, path: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let inode = self.lookup(path)?;
        self.volume.named_attributes(&inode).map_err(|error| error.at(path))
    }

    /// The inode that `path` leads to. Links are not followed.
    pub(crate) fn find(&self, path: &str) -> Result<Option<Inode>, Error> {
        let mut inode = self.volume.inode(inode::ROOT)?;
        if !inode.is_directory() {
            return Err(Error::Damaged("the root directory's inode is no directory".to_owned()));
        }
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if !inode.is_directory() || name.len() > NAME_LIMIT {
                return Ok(None);
            }
            let Some(found) = self.volume.find_name(&inode, name.as_bytes())? else { return Ok(None) };
            inode = self.named_inode(name, found.inode)?;
        }
        Ok(Some(inode))
    }

    /// The inode that a name leads to.
    fn named_inode(&self, name: &str, number: u32) -> Result<Inode, Error> {
        let inode = self.volume.inode(number)?;
        if inode.links() == 0 {
            return Err(Error::Damaged(format!("{name} leads to inode {number}, which was removed")));
        }
        Ok(inode)
    }

    pub(crate) fn lookup(&self, path: &str) -> Result<Inode, Error> {
        let found = self.find(path).map_err(|error| error.at(path))?;
        found.ok_or_else(|| Error::Missing { path: path.to_owned() })
    }

    pub(crate) fn existing(&self, path: &str, wanted: Kind) -> Result<Inode, Error> {
        let inode = self.lookup(path)?;
        let found = Kind::of(&inode);
        if found != wanted {
            return Err(Error::WrongType { path: path.to_owned(), found, wanted: wanted.describe() });
        }
        Ok(inode)
    }
}

/// Refuses a directory whose `..` is not the one that it stands in: it has another name elsewhere, and
/// whoever walks through all directories might go round for ever.
fn check_parent(directory: &Inode, parent: u32, names: &[Name]) -> Result<(), Error> {
    match names.iter().find(|entry| entry.name == b"..") {
        Some(entry) if entry.inode == parent => Ok(()),
        found => Err(Error::Damaged(format!(
            "directory inode {} stands in {parent}, and its .. leads to {}",
            directory.number,
            found.map_or(0, |entry| entry.inode)
        ))),
    }
}

impl Volume {
    /// Where a symbolic link points to, in bytes.
    pub(crate) fn link_target(&self, inode: &Inode) -> Result<Vec<u8>, Error> {
        if inode.has(flag::ENCRYPT) {
            return Err(Error::ReadOnly("the link's target is encrypted".to_owned()));
        }
        let size = usize::try_from(inode.size()).unwrap_or(usize::MAX);
        if inode.has(flag::INLINE_DATA) {
            return self.inline_content(inode);
        }
        if is_fast_link(inode) {
            return Ok(inode.block_area().get(..size).unwrap_or_default().to_vec());
        }
        if size > self.block_size() {
            return Err(Error::Damaged(format!("inode {}: a link's target of {size} bytes", inode.number)));
        }
        let mut target = vec![0; size];
        let count = self.read_content(inode, 0, &mut target)?;
        target.truncate(count);
        Ok(target)
    }
}

/// Device numbers as `old_decode_dev` and `new_decode_dev` read them (Linux, include/linux/kdev_t.h).
fn special(inode: &Inode) -> Special {
    let area = inode.block_area();
    let (old, new) = (u32_at(area, 0), u32_at(area, 4));
    let (major, minor) = match old {
        0 => ((new & 0xf_ff00) >> 8, (new & 0xff) | ((new >> 12) & 0xf_ff00)),
        _ => ((old >> 8) & 0xff, old & 0xff),
    };
    match inode.file_type() {
        0o020_000 => Special::Character(major, minor),
        0o060_000 => Special::Block(major, minor),
        0o010_000 => Special::Fifo,
        0o140_000 => Special::Socket,
        _ => Special::Unknown,
    }
}

fn stat(inode: &Inode) -> Stat {
    Stat {
        kind: Kind::of(inode),
        mode: u32::from(inode.mode() & 0o7777),
        uid: inode.uid(),
        gid: inode.gid(),
        size: inode.size(),
        mtime: inode.time(Time::Modify).0,
        links: inode.links(),
        inode: inode.number,
    }
}
