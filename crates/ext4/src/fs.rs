//! Opening a file system and reading it, through `rust-fs-ext4` 0.8.0.

use std::sync::Arc;

use fs_ext4::dir::{DirBlockIter, DirEntryType};
use fs_ext4::inode::{self, Inode};
use fs_ext4::{Error as DriverError, Filesystem};
use hardtack_disk::BlockWrite;

use crate::device::{Device, Fixed};
use crate::{Error, Superblock};

/// The most bytes one directory may have: a million entries fit, and a crafted size does not
/// become an endless walk.
const DIRECTORY_LIMIT: u64 = 256 * 1024 * 1024;

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

    fn of(inode: &Inode) -> Self {
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
    pub(crate) driver: Filesystem,
    pub(crate) disk: Arc<dyn BlockWrite>,
    pub(crate) superblock: Superblock,
    pub(crate) epoch: i64,
    pub(crate) finished: bool,
}

impl Ext4 {
    /// Opens the file system that fills `disk`; `epoch` (seconds since 1970) is the time that
    /// every edit writes. Nothing is written before the first edit; a file system that must not
    /// be changed opens too, and says why in [`read_only_reason`](Self::read_only_reason).
    ///
    /// # Errors
    /// See [`Superblock::read`]; [`Error::Damaged`] when checksums or descriptors are wrong.
    pub fn open(disk: Arc<dyn BlockWrite>, epoch: i64) -> Result<Self, Error> {
        let superblock = Superblock::read(&disk)?;
        let writable = superblock.read_only_reason.is_none();
        let driver = mount(&disk, &superblock, epoch, writable)?;
        check_groups(&driver, &superblock)?;
        Ok(Self { driver, disk, superblock, epoch, finished: false })
    }

    /// The superblock as it was at opening.
    #[must_use]
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Why this file system must not be changed, if so.
    #[must_use]
    pub fn read_only_reason(&self) -> Option<&str> {
        self.superblock.read_only_reason.as_deref()
    }

    /// What `path` is; `None` when it, or a directory above it, does not exist.
    ///
    /// # Errors
    /// [`Error::Operation`] when a structure on the way is damaged.
    pub fn lstat(&self, path: &str) -> Result<Option<Stat>, Error> {
        match self.driver.lookup_path_bytes(path.as_bytes()) {
            Ok(number) => {
                let inode = self.inode(path, number)?;
                Ok(Some(stat(number, &inode)))
            }
            Err(DriverError::NotFound | DriverError::NotADirectory | DriverError::NameTooLong) => Ok(None),
            Err(error) => Err(self.failed(path, "look it up", &error)),
        }
    }

    /// The names in the directory `path`, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], or a damaged directory.
    pub fn read_dir(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let number = self.existing(path, Kind::Directory)?;
        let mut entries = Vec::new();
        for (name, target, tag) in self.raw_entries(path, number)? {
            let Ok(name) = String::from_utf8(name) else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let kind = match tag {
                DirEntryType::RegFile => Kind::Regular,
                DirEntryType::Directory => Kind::Directory,
                DirEntryType::Symlink => Kind::Symlink,
                // Without the filetype feature only the inode knows.
                DirEntryType::Unknown => Kind::of(&self.inode(path, target)?),
                _ => Kind::Special,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn raw_entries(&self, path: &str, number: u32) -> Result<Vec<(Vec<u8>, u32, DirEntryType)>, Error> {
        let fail = |error: &DriverError| self.failed(path, "list it", error);
        let (inode, _) = self.driver.read_inode_verified(number).map_err(|error| fail(&error))?;
        if inode.has_inline_data() || inode.has_extents() {
            let entries = self.driver.read_dir_ino(number).map_err(|error| fail(&error))?;
            return Ok(entries.into_iter().map(|entry| (entry.name, entry.inode, entry.file_type)).collect());
        }
        // The driver's listing knows extents only; ext2 and ext3 map blocks.
        if inode.size > DIRECTORY_LIMIT {
            return Err(Error::Damaged(format!("{path}: a directory of {} bytes", inode.size)));
        }
        let has_type = self.driver.sb.feature_incompat & 2 != 0;
        let mut entries = Vec::new();
        for logical in 0..inode.size.div_ceil(u64::from(self.superblock.block_size)) {
            let Some(physical) =
                self.driver.map_inode_logical(&inode, logical).map_err(|error| fail(&error))?
            else {
                continue;
            };
            let block = self.driver.read_block(physical).map_err(|error| fail(&error))?;
            for entry in DirBlockIter::new(&block, has_type) {
                let entry = entry.map_err(|error| fail(&error))?;
                entries.push((entry.name, entry.inode, entry.file_type));
            }
        }
        Ok(entries)
    }

    /// Up to `buf.len()` bytes of the file `path` from `offset`; returns how many, 0 at its end.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], or a damaged block map.
    pub fn read_at(&self, path: &str, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let number = self.existing(path, Kind::Regular)?;
        let size = self.inode(path, number)?.size;
        if offset >= size {
            return Ok(0);
        }
        let wanted = usize::try_from(size - offset).unwrap_or(usize::MAX).min(buf.len());
        let count = self
            .driver
            .read_ino(number, offset, &mut buf[..wanted])
            .map_err(|error| self.failed(path, "read it", &error))?;
        Ok(count.min(wanted))
    }

    /// The target of the symbolic link `path`.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`]; [`Error::Operation`] when it is not UTF-8.
    pub fn read_link(&self, path: &str) -> Result<String, Error> {
        let number = self.existing(path, Kind::Symlink)?;
        let target = self.link_target(number).map_err(|error| self.failed(path, "read the link", &error))?;
        String::from_utf8(target).map_err(|_| Error::Operation {
            path: path.to_owned(),
            action: "read the link",
            what: "its target is not UTF-8".to_owned(),
        })
    }

    fn link_target(&self, number: u32) -> fs_ext4::Result<Vec<u8>> {
        let (inode, raw) = self.driver.read_inode_verified(number)?;
        // The driver's own function does not know a long target that lies in the inode.
        if inode.has_inline_data() && inode.size <= u64::from(self.superblock.inode_size) {
            return fs_ext4::file_io::read_inline(&self.driver, &inode, &raw);
        }
        self.driver.read_link(number)
    }

    /// The extended attributes of `path`, by full name ("security.selinux"), sorted.
    ///
    /// # Errors
    /// [`Error::Missing`], or damaged attributes.
    pub fn xattrs(&self, path: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let fail = |error: &DriverError| self.failed(path, "read its attributes", error);
        let number = self.lookup(path)?;
        let (inode, raw) = self.driver.read_inode_verified(number).map_err(|error| fail(&error))?;
        let entries =
            fs_ext4::xattr::read_all_resolved(&self.driver, &inode, &raw).map_err(|error| fail(&error))?;
        // "system.data" is where inline_data keeps a small file's content; the kernel hides it.
        let mut attributes: Vec<_> = entries
            .into_iter()
            .filter(|entry| entry.name != "system.data")
            .map(|entry| (entry.name, entry.value))
            .collect();
        attributes.sort();
        Ok(attributes)
    }

    pub(crate) fn lookup(&self, path: &str) -> Result<u32, Error> {
        self.driver
            .lookup_path_bytes(path.as_bytes())
            .map_err(|error| self.failed(path, "look it up", &error))
    }

    pub(crate) fn inode(&self, path: &str, number: u32) -> Result<Inode, Error> {
        self.driver
            .read_inode_verified(number)
            .map(|(inode, _)| inode)
            .map_err(|error| self.failed(path, "read its inode", &error))
    }

    pub(crate) fn existing(&self, path: &str, wanted: Kind) -> Result<u32, Error> {
        let number = self.lookup(path)?;
        let found = Kind::of(&self.inode(path, number)?);
        if found != wanted {
            return Err(Error::WrongType { path: path.to_owned(), found, wanted: wanted.describe() });
        }
        Ok(number)
    }

    /// The driver's error as ours, with the path and what was tried.
    pub(crate) fn failed(&self, path: &str, action: &'static str, error: &DriverError) -> Error {
        let path = path.to_owned();
        match error {
            DriverError::NotFound | DriverError::NotADirectory => Error::Missing { path },
            DriverError::AlreadyExists => Error::Exists { path },
            DriverError::DirectoryNotEmpty => Error::NotEmpty { path },
            other => Error::Operation { path, action, what: other.to_string() },
        }
    }
}

pub(crate) fn mount(
    disk: &Arc<dyn BlockWrite>,
    superblock: &Superblock,
    epoch: i64,
    writable: bool,
) -> Result<Filesystem, Error> {
    let device = Arc::new(Device::new(disk.clone(), writable));
    let runtime = Arc::new(Fixed::new(epoch, superblock.uuid_word));
    let mut driver = Filesystem::mount_with_runtime(device, runtime).map_err(|error| match error {
        DriverError::Io(source) => Error::Damaged(format!("cannot be opened: {source}")),
        DriverError::UnsupportedIncompat(bits) => {
            Error::Unsupported(format!("s_feature_incompat bits {bits:#x}"))
        }
        other => Error::Damaged(other.to_string()),
    })?;
    // Our copy becomes visible as a whole or not at all, so edits go straight to their place: the
    // journal stays empty and no content (a secret's, say) is left behind in it.
    driver.journal = None;
    Ok(driver)
}

/// Bitmaps and inode tables that lie on top of each other or outside: without metadata_csum
/// nothing else tells, and an edit would write one over the other.
fn check_groups(driver: &Filesystem, superblock: &Superblock) -> Result<(), Error> {
    let table = u64::from(driver.sb.inodes_per_group) * u64::from(superblock.inode_size);
    let table = table.div_ceil(u64::from(superblock.block_size));
    let mut places: Vec<(u64, u64, usize, &str)> = Vec::new();
    for (group, descriptor) in driver.groups.iter().enumerate() {
        for (first, count, what) in [
            (descriptor.block_bitmap, 1, "block bitmap"),
            (descriptor.inode_bitmap, 1, "inode bitmap"),
            (descriptor.inode_table, table, "inode table"),
        ] {
            let end = first.checked_add(count).filter(|end| *end <= superblock.blocks);
            let Some(end) = end.filter(|_| first > u64::from(driver.sb.first_data_block)) else {
                return Err(Error::Damaged(format!(
                    "group {group}: its {what} is said to be at block {first} of {}",
                    superblock.blocks
                )));
            };
            places.push((first, end, group, what));
        }
    }
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        None => Ok(()),
        Some(pair) => Err(Error::Damaged(format!(
            "the {} of group {} lies on top of the {} of group {} at block {}",
            pair[1].3, pair[1].2, pair[0].3, pair[0].2, pair[1].0
        ))),
    }
}

pub(crate) fn stat(number: u32, inode: &Inode) -> Stat {
    Stat {
        kind: Kind::of(inode),
        mode: u32::from(inode.mode & 0o7777),
        uid: inode.uid,
        gid: inode.gid,
        size: inode.size,
        mtime: inode.mtime,
        links: inode.links_count,
        inode: number,
    }
}
