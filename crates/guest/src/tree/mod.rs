//! Trees of files: what can be read from one, and the operations that change one.

mod host;
mod memory;

pub use host::HostTree;
pub use memory::MemoryTree;

use std::ops::Range;

use crate::{Error, GuestPath};

/// The type of a file, as in `st_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device, block device, FIFO or socket: kept, never opened.
    Special,
}

impl FileType {
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
}

/// What `lstat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The type.
    pub kind: FileType,
    /// Permission bits with set-id and sticky (0o7777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes (of the target's text for a link, unspecified for directories).
    pub size: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
}

impl Metadata {
    /// Mode and owner alone.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        Attributes { mode: self.mode, uid: self.uid, gid: self.gid }
    }
}

/// What a special file is, with the numbers of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A character device: major and minor number.
    Character(u32, u32),
    /// A block device: major and minor number.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Of a type that no kernel writes.
    Unknown,
}

/// Which file it is behind its name, and what archives need beside [`Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which of the guest's file systems.
    pub file_system: usize,
    /// The inode's number in it.
    pub inode: u64,
    /// How many names it has.
    pub links: u32,
    /// What it is, of special files.
    pub special: Option<Special>,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name. Names that are not UTF-8 are left out of listings.
    pub name: String,
    /// The type of what it names.
    pub kind: FileType,
}

/// A tree that can be read. Paths are taken literally: no component but the last may be a
/// symbolic link, and the last one is never followed. Whoever needs links followed asks
/// [`Stage`](crate::Stage).
pub trait Tree {
    /// What `path` is; `None` when it, or a directory above it, does not exist.
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error>;

    /// The names in the directory `path`, sorted, without `.` and `..`.
    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error>;

    /// The same with what [`lstat`](Self::lstat) says of each; walks through everything look so.
    fn read_dir_stat(&self, path: &GuestPath) -> Result<Vec<(String, Metadata)>, Error> {
        let mut found = Vec::new();
        for DirEntry { name, .. } in self.read_dir(path)? {
            if let Some(metadata) = self.lstat(&path.join(&name))? {
                found.push((name, metadata));
            }
        }
        Ok(found)
    }

    /// Up to `buf.len()` bytes of the file `path` from `offset`; returns how many, 0 at its end.
    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error>;

    /// The target of the symbolic link `path`.
    fn read_link(&self, path: &GuestPath) -> Result<String, Error>;

    /// The extended attributes of `path`, by full name ("security.selinux"), sorted.
    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Which file `path` is behind its name; `None` where it does not exist, or where the file system
    /// has no such thing (FAT).
    fn identity(&self, path: &GuestPath) -> Result<Option<Identity>, Error> {
        let _ = path;
        Ok(None)
    }

    /// The whole file, if it is no longer than `limit` bytes.
    fn read_file(&self, path: &GuestPath, limit: u64) -> Result<Vec<u8>, Error> {
        let metadata = self.lstat(path)?.ok_or_else(|| Error::Missing { path: path.clone() })?;
        if metadata.kind != FileType::Regular {
            return Err(Error::WrongType {
                path: path.clone(),
                found: metadata.kind.describe(),
                wanted: "a file",
            });
        }
        let mut content = Vec::new();
        let mut chunk = vec![0; 256 * 1024];
        loop {
            let count = self.read_at(path, content.len() as u64, &mut chunk)?;
            if count == 0 {
                return Ok(content);
            }
            content.extend_from_slice(&chunk[..count]);
            if content.len() as u64 > limit {
                return Err(Error::TooLarge { path: path.clone(), size: metadata.size, limit });
            }
        }
    }
}

/// Attributes of something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits (0o7777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A file system that can be changed; one that is only read says so in [`read_only`](Self::read_only)
/// and leaves out the changes. Paths as in [`Tree`]. Times come from the clock given at
/// opening (`SOURCE_DATE_EPOCH`), parents' times included where the driver can.
pub trait FileSystem: Tree {
    /// Which file system this is, for messages ("ext4 on partition 1").
    fn describe(&self) -> String;

    /// Why this file system cannot be written, if it cannot; asked before anything is planned on it.
    fn read_only(&self) -> Option<String>;

    /// Creates an empty regular file; the parent exists, the path does not.
    fn create(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        let _ = (path, attributes);
        refused(self)
    }

    /// Replaces the content of an existing file; inode, owner, mode, xattrs and hard links stay.
    fn set_content(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        let _ = (path, content);
        refused(self)
    }

    /// Adds bytes to the end of an existing file.
    fn append(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        let _ = (path, content);
        refused(self)
    }

    /// Creates a directory.
    fn mkdir(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        let _ = (path, attributes);
        refused(self)
    }

    /// Creates a symbolic link (its mode is always 0777).
    fn symlink(&mut self, path: &GuestPath, target: &str, attributes: Attributes) -> Result<(), Error> {
        let _ = (path, target, attributes);
        refused(self)
    }

    /// Creates a hard link `path` to the existing file `original`.
    fn hard_link(&mut self, original: &GuestPath, path: &GuestPath) -> Result<(), Error> {
        let _ = (original, path);
        refused(self)
    }

    /// Removes a file, link or empty directory.
    fn remove(&mut self, path: &GuestPath) -> Result<(), Error> {
        let _ = path;
        refused(self)
    }

    /// Renames within this file system; an existing file at `to` is replaced.
    fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        let _ = (from, to);
        refused(self)
    }

    /// Sets permission bits.
    fn set_mode(&mut self, path: &GuestPath, mode: u32) -> Result<(), Error> {
        let _ = (path, mode);
        refused(self)
    }

    /// Sets owner and group.
    fn set_owner(&mut self, path: &GuestPath, uid: u32, gid: u32) -> Result<(), Error> {
        let _ = (path, uid, gid);
        refused(self)
    }

    /// Sets the modification and access time, seconds since 1970.
    fn set_mtime(&mut self, path: &GuestPath, seconds: i64) -> Result<(), Error> {
        let _ = (path, seconds);
        refused(self)
    }

    /// Sets one extended attribute.
    fn set_xattr(&mut self, path: &GuestPath, name: &str, value: &[u8]) -> Result<(), Error> {
        let _ = (path, name, value);
        refused(self)
    }

    /// Writes out everything that is still cached; nothing may be changed afterwards.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Byte ranges, from the file system's start, that hold nothing any more; none where the
    /// allocation map is not known.
    fn residue(&self, which: Residue) -> Result<Vec<Range<u64>>, Error> {
        let _ = which;
        Ok(Vec::new())
    }
}

/// Which blocks without an owner are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residue {
    /// Those that the edits gave up.
    OfEdits,
    /// All, and what an empty journal still holds.
    All,
}

/// What a file system answers to a change when it is only read.
fn refused(fs: &(impl FileSystem + ?Sized)) -> Result<(), Error> {
    let what = fs.read_only().unwrap_or_else(|| "cannot be changed".to_owned());
    Err(Error::FileSystem { file_system: fs.describe(), what })
}
