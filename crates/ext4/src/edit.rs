//! Changing a file system, through `rust-fs-ext4` 0.8.0.
//!
//! What the driver leaves undone is done here: it does not touch a parent directory's times; its
//! "replace content" needs one contiguous free run, so content goes in as writes of 1 MiB; it
//! appends to extent-mapped files only, so block-mapped ones (ext2, ext3) are replaced whole.

use fs_ext4::fs::UTIME_OMIT;
use fs_ext4::{Error as DriverError, InodeRef};

use crate::fs::{mount, stat};
use crate::{Error, Ext4, Kind, Superblock};

/// One write of the driver: its transaction and its extents stay small, whatever the file.
const CHUNK: usize = 1024 * 1024;

/// The longest block-mapped file that is read to be appended to.
const LEGACY_APPEND_LIMIT: u64 = 256 * 1024 * 1024;

/// No owner has this number: the kernel's "leave it as it is".
const NO_ID: u32 = u32::MAX;

impl Ext4 {
    /// Creates an empty regular file with permission bits `mode` (0o7777).
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Missing`] for the directory, [`Error::NoSpace`],
    /// [`Error::NoInodes`], [`Error::ReadOnly`].
    pub fn create(&mut self, path: &str, mode: u32, uid: u32, gid: u32) -> Result<(), Error> {
        let (parent, name) = self.new_entry(path)?;
        let number = self
            .driver
            .apply_create_at(parent, name, permissions(mode))
            .map_err(|error| self.full(path, "create it", 0, &error))?;
        self.settle_new(path, number, parent, mode, uid, gid)
    }

    /// Creates a directory.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn mkdir(&mut self, path: &str, mode: u32, uid: u32, gid: u32) -> Result<(), Error> {
        let (parent, name) = self.new_entry(path)?;
        let number = self
            .driver
            .apply_mkdir_at(parent, name, permissions(mode))
            .map_err(|error| self.full(path, "create the directory", self.block(), &error))?;
        self.settle_new(path, number, parent, mode, uid, gid)
    }

    /// Creates a symbolic link to `target`; its mode is 0777.
    ///
    /// # Errors
    /// As [`create`](Self::create); a target is at most one block and 4096 bytes long.
    pub fn symlink(&mut self, path: &str, target: &str, uid: u32, gid: u32) -> Result<(), Error> {
        let (parent, name) = self.new_entry(path)?;
        let number = self
            .driver
            .apply_symlink_at(parent, name, target.as_bytes())
            .map_err(|error| self.full(path, "create the link", self.block(), &error))?;
        self.settle_new(path, number, parent, 0o777, uid, gid)
    }

    /// Creates a hard link `path` to the existing file `original`.
    ///
    /// # Errors
    /// As [`create`](Self::create); directories are [`Error::WrongType`].
    pub fn hard_link(&mut self, original: &str, path: &str) -> Result<(), Error> {
        let number = self.lookup(original)?;
        let found = stat(number, &self.inode(original, number)?).kind;
        if found == Kind::Directory {
            return Err(Error::WrongType { path: original.to_owned(), found, wanted: "a file" });
        }
        let (parent, name) = self.new_entry(path)?;
        self.driver
            .apply_link_at(number, parent, name)
            .map_err(|error| self.full(path, "create the hard link", self.block(), &error))?;
        self.touch_changed(original, number)?;
        self.touch_parent(path, parent)
    }

    /// Replaces the content of an existing file; inode, owner, mode, attributes and hard links
    /// stay.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn set_content(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.writable()?;
        let number = self.existing(path, Kind::Regular)?;
        let inode = self.inode(path, number)?;
        let held = if inode.has_inline_data() { 0 } else { inode.blocks.saturating_mul(512) };
        self.room_for(path, content.len() as u64, held)?;
        if inode.has_extents() || inode.has_inline_data() {
            self.driver
                .apply_truncate_ino(number, 0)
                .map_err(|error| self.full(path, "empty it", 0, &error))?;
            self.write_chunks(path, number, 0, content)?;
        } else {
            self.driver
                .apply_replace_file_content(path, content)
                .map_err(|error| self.full(path, "replace its content", content.len() as u64, &error))?;
        }
        self.touch_modified(path, number)
    }

    /// Adds bytes to the end of an existing file.
    ///
    /// # Errors
    /// As [`set_content`](Self::set_content).
    pub fn append(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.writable()?;
        let number = self.existing(path, Kind::Regular)?;
        let inode = self.inode(path, number)?;
        if content.is_empty() {
            return Ok(());
        }
        if !inode.has_extents() && !inode.has_inline_data() {
            if inode.size > LEGACY_APPEND_LIMIT {
                return Err(Error::Operation {
                    path: path.to_owned(),
                    action: "append to it",
                    what: format!(
                        "{} bytes in a block map (ext2, ext3); at most {LEGACY_APPEND_LIMIT} are rewritten",
                        inode.size
                    ),
                });
            }
            let mut whole = self.read_whole(path, inode.size)?;
            whole.extend_from_slice(content);
            return self.set_content(path, &whole);
        }
        self.room_for(path, content.len() as u64, 0)?;
        self.write_chunks(path, number, inode.size, content)?;
        self.touch_modified(path, number)
    }

    /// Removes a file, link, special file or empty directory.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotEmpty`], [`Error::ReadOnly`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        self.writable()?;
        let (above, name) = split(path)?;
        let number = self.lookup(path)?;
        let parent = self.lookup(above)?;
        let inode = self.inode(path, number)?;
        let done = if inode.is_dir() {
            self.driver.apply_rmdir_at(parent, name)
        } else {
            self.driver.apply_unlink_at(parent, name)
        };
        done.map_err(|error| self.failed(path, "remove it", &error))?;
        self.touch_parent(path, parent)
    }

    /// Renames; an existing file (or empty directory) at `to` is replaced.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotEmpty`], [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.writable()?;
        let (above, old_name) = split(from)?;
        let (below, new_name) = split(to)?;
        let number = self.lookup(from)?;
        if from == to {
            return Ok(());
        }
        // rename(2) does nothing when both names are links to one file; here `from` must go.
        if self.driver.lookup_path_bytes(to.as_bytes()).is_ok_and(|other| other == number) {
            return self.remove(from);
        }
        let (old_parent, new_parent) = (self.lookup(above)?, self.lookup(below)?);
        self.driver
            .apply_rename_at(old_parent, old_name, new_parent, new_name, true)
            .map_err(|error| self.full(to, "rename to it", self.block(), &error))?;
        self.touch_changed(to, number)?;
        self.touch_parent(from, old_parent)?;
        self.touch_parent(to, new_parent)
    }

    /// Sets permission bits (0o7777).
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`].
    pub fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        self.writable()?;
        let number = self.lookup(path)?;
        self.driver
            .apply_chmod_ino(number, permissions(mode))
            .map_err(|error| self.failed(path, "set its mode", &error))
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`].
    pub fn set_owner(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Error> {
        self.writable()?;
        let number = self.lookup(path)?;
        self.chown(path, number, uid, gid)
    }

    /// Sets modification and access time, seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`]; a time that the inode cannot hold (before 1901,
    /// after 2446, after 2038 in inodes of 128 bytes).
    pub fn set_mtime(&mut self, path: &str, seconds: i64) -> Result<(), Error> {
        self.writable()?;
        let number = self.lookup(path)?;
        self.driver
            .apply_utimens_ino(number, seconds, 0, seconds, 0)
            .map_err(|error| self.failed(path, "set its times", &error))
    }

    /// Sets one extended attribute, by its full name.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoSpace`] (attributes of one file share one block),
    /// [`Error::ReadOnly`], or a name of no known kind.
    pub fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        self.writable()?;
        let number = self.lookup(path)?;
        self.driver
            .apply_setxattr(path, name, value)
            .map_err(|error| self.full(path, "set an attribute", value.len() as u64, &error))?;
        self.touch_changed(path, number)
    }

    /// Ends the changes: the superblock says "clean" again. Reading goes on, changing does not.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the driver could not write everything.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.finished || self.superblock.read_only_reason.is_some() {
            self.finished = true;
            return Ok(());
        }
        self.finished = true;
        let reader = mount(&self.disk, &self.superblock, self.epoch, false)?;
        let writer = std::mem::replace(&mut self.driver, reader);
        writer.finish().map_err(|error| Error::Damaged(error.to_string()))?;
        // The reader above was opened before the last write, which is the superblock's state.
        self.driver = mount(&self.disk, &self.superblock, self.epoch, false)?;
        Ok(())
    }

    fn writable(&self) -> Result<(), Error> {
        match &self.superblock.read_only_reason {
            Some(reason) => Err(Error::ReadOnly(reason.clone())),
            None if self.finished => Err(Error::ReadOnly("its changes have been finished".to_owned())),
            None => Ok(()),
        }
    }

    fn new_entry<'p>(&self, path: &'p str) -> Result<(u32, &'p [u8]), Error> {
        self.writable()?;
        let (above, name) = split(path)?;
        let parent = self.existing(above, Kind::Directory)?;
        if self.now()?.free_inodes == 0 {
            return Err(Error::NoInodes { path: path.to_owned(), inodes: self.superblock.inodes });
        }
        Ok((parent, name))
    }

    fn settle_new(
        &mut self,
        path: &str,
        number: u32,
        parent: u32,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<(), Error> {
        if (uid, gid) != (0, 0) {
            self.chown(path, number, uid, gid)?;
        }
        if stat(number, &self.inode(path, number)?).mode != u32::from(permissions(mode)) {
            self.driver
                .apply_chmod_ino(number, permissions(mode))
                .map_err(|error| self.failed(path, "set its mode", &error))?;
        }
        self.touch_parent(path, parent)
    }

    fn chown(&self, path: &str, number: u32, uid: u32, gid: u32) -> Result<(), Error> {
        if uid == NO_ID || gid == NO_ID {
            return Err(Error::Operation {
                path: path.to_owned(),
                action: "set its owner",
                what: format!("{NO_ID} is no user or group number"),
            });
        }
        self.driver
            .apply_chown_ino(number, uid, gid)
            .map_err(|error| self.failed(path, "set its owner", &error))
    }

    fn write_chunks(&self, path: &str, number: u32, offset: u64, content: &[u8]) -> Result<(), Error> {
        let mut at = offset;
        for chunk in content.chunks(CHUNK) {
            self.driver
                .apply_pwrite_ino(number, at, chunk)
                .map_err(|error| self.full(path, "write its content", content.len() as u64, &error))?;
            at += chunk.len() as u64;
        }
        Ok(())
    }

    fn read_whole(&self, path: &str, size: u64) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = self.read_at(path, whole.len() as u64, &mut chunk)?;
            if count == 0 || whole.len() as u64 >= size {
                return Ok(whole);
            }
            whole.extend_from_slice(&chunk[..count]);
        }
    }

    /// Modification time to the clock, access time kept.
    fn touch_modified(&self, path: &str, number: u32) -> Result<(), Error> {
        self.driver
            .apply_utimens_ino(InodeRef::any(number), 0, UTIME_OMIT, self.epoch, 0)
            .map_err(|error| self.failed(path, "set its times", &error))
    }

    fn touch_parent(&self, path: &str, parent: u32) -> Result<(), Error> {
        self.touch_modified(path, parent)
    }

    /// Change time to the clock, nothing else: what setting the same mode again does.
    fn touch_changed(&self, path: &str, number: u32) -> Result<(), Error> {
        let mode = self.inode(path, number)?.mode & 0o7777;
        self.driver.apply_chmod_ino(number, mode).map_err(|error| self.failed(path, "set its times", &error))
    }

    /// The superblock as it is now; the driver keeps its copy from opening.
    fn now(&self) -> Result<Superblock, Error> {
        Superblock::read(&self.disk)
    }

    fn block(&self) -> u64 {
        u64::from(self.superblock.block_size)
    }

    /// Asks before anything is written whether `length` bytes fit, `held` being given back first.
    fn room_for(&self, path: &str, length: u64, held: u64) -> Result<(), Error> {
        let needed = length.div_ceil(self.block()).saturating_mul(self.block());
        let free = self.now()?.free_bytes();
        if needed > free.saturating_add(held) {
            return Err(Error::NoSpace { path: path.to_owned(), needed, free });
        }
        Ok(())
    }

    /// As [`failed`](Self::failed), with "no space" in bytes: the driver reports a full disk in
    /// several ways.
    fn full(&self, path: &str, action: &'static str, length: u64, error: &DriverError) -> Error {
        let exhausted = match error {
            DriverError::NoSpaceLeftOnDevice => true,
            DriverError::Corrupt(what) => what.contains("free run") || what.contains("free block"),
            _ => false,
        };
        let Ok(now) = self.now() else { return self.failed(path, action, error) };
        let needed = length.max(1).div_ceil(self.block()).saturating_mul(self.block());
        // Room elsewhere: an attribute block that is full, or free space in pieces. Say which.
        if exhausted && now.free_bytes() < needed.saturating_add(self.block().saturating_mul(8)) {
            return Error::NoSpace { path: path.to_owned(), needed, free: now.free_bytes() };
        }
        self.failed(path, action, error)
    }
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}

/// The directory above and the last name. The root has neither.
fn split(path: &str) -> Result<(&str, &[u8]), Error> {
    match path.rsplit_once('/') {
        Some((above, name)) if !name.is_empty() => {
            Ok((if above.is_empty() { "/" } else { above }, name.as_bytes()))
        }
        _ => Err(Error::Operation {
            path: path.to_owned(),
            action: "change it",
            what: "the root directory can be neither created nor removed".to_owned(),
        }),
    }
}
