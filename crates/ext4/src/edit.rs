//! Changing a file system by path. Each operation happens as a whole or not at all.
//!
//! What the kernel does beside the change itself (Linux, fs/ext4/namei.c) is done here too: times of
//! the file and of its directory, numbers of links, `..`.

use crate::directory::tag_of;
use crate::fs::NAME_LIMIT;
use crate::inode::{Inode, S_IFDIR, S_IFLNK, S_IFREG, Time, flag};
use crate::superblock::layout;
use crate::volume::Volume;
use crate::{Error, Ext4, Kind};

/// `EXT4_LINK_MAX`: names of one file, and subdirectories of a directory without a hash tree.
const LINK_LIMIT: u16 = 65_000;

/// The longest target of a link: `PATH_MAX` without its NUL.
const TARGET_LIMIT: usize = 4095;

/// No owner has this number: the kernel's "leave it as it is".
const NO_ID: u32 = u32::MAX;

impl Ext4 {
    /// Creates an empty regular file with permission bits `mode` (0o7777).
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Missing`] for the directory, [`Error::NoSpace`],
    /// [`Error::NoInodes`], [`Error::ReadOnly`].
    pub fn create(&mut self, path: &str, mode: u32, uid: u32, gid: u32) -> Result<(), Error> {
        self.add(path, S_IFREG | permissions(mode), uid, gid, |volume, inode, _| {
            volume.init_map(inode);
            Ok(())
        })
    }

    /// Creates a directory.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn mkdir(&mut self, path: &str, mode: u32, uid: u32, gid: u32) -> Result<(), Error> {
        self.add(path, S_IFDIR | permissions(mode), uid, gid, |volume, inode, parent| {
            volume.init_map(inode);
            volume.init_directory(inode, parent.number)?;
            inode.set_links(2);
            volume.add_subdirectory(parent)
        })
    }

    /// Creates a symbolic link to `target`; its mode is 0777.
    ///
    /// # Errors
    /// As [`create`](Self::create); a target is at most one block and 4095 bytes long.
    pub fn symlink(&mut self, path: &str, target: &str, uid: u32, gid: u32) -> Result<(), Error> {
        let limit = TARGET_LIMIT.min(self.volume.block_size() - 1);
        if target.is_empty() || target.len() > limit || target.contains('\0') {
            let what = format!("a target has 1 to {limit} bytes without NUL, this one has {}", target.len());
            return Err(Error::Operation { path: path.to_owned(), action: "create the link", what });
        }
        self.add(path, S_IFLNK | 0o777, uid, gid, |volume, inode, _| {
            let area = inode.block_area_mut();
            if target.len() < area.len() {
                area[..target.len()].copy_from_slice(target.as_bytes());
                inode.set_size(target.len() as u64);
                return Ok(());
            }
            volume.init_map(inode);
            // Without extents its length tells a link with blocks from one without.
            inode.set_size(target.len() as u64);
            volume.set_content(inode, target.as_bytes())
        })
    }

    /// Creates a hard link `path` to the existing file `original`.
    ///
    /// # Errors
    /// As [`create`](Self::create); directories are [`Error::WrongType`].
    pub fn hard_link(&mut self, original: &str, path: &str) -> Result<(), Error> {
        let mut inode = self.lookup(original)?;
        let found = Kind::of(&inode);
        if found == Kind::Directory {
            return Err(Error::WrongType { path: original.to_owned(), found, wanted: "a file" });
        }
        let (mut parent, name) = self.new_entry(path)?;
        if inode.links() >= LINK_LIMIT {
            let what = format!("{original} has {} names, which is the most", inode.links());
            return Err(Error::Operation { path: path.to_owned(), action: "create the hard link", what });
        }
        self.change(path, |volume| {
            volume.insert_name(&mut parent, name, inode.number, tag_of(inode.mode()))?;
            volume.touch_and_write(&mut parent)?;
            inode.set_links(inode.links() + 1);
            volume.stamp(&mut inode, &[Time::Change])?;
            volume.write_inode(&mut inode)
        })
    }

    /// Replaces the content of an existing file; inode, owner, mode, attributes and hard links
    /// stay.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::WrongType`], [`Error::NoSpace`], [`Error::ReadOnly`].
    pub fn set_content(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.change_content(path, |volume, inode| volume.set_content(inode, content))
    }

    /// Adds bytes to the end of an existing file.
    ///
    /// # Errors
    /// As [`set_content`](Self::set_content).
    pub fn append(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.change_content(path, |volume, inode| volume.append_content(inode, content))
    }

    /// Removes a file, link, special file or empty directory.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotEmpty`], [`Error::ReadOnly`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        self.writable()?;
        let (above, name) = split(path)?;
        let inode = self.lookup(path)?;
        let mut parent = self.existing(above, Kind::Directory)?;
        self.change(path, |volume| {
            volume.remove_name(&mut parent, name)?;
            volume.drop_name_of(inode, &mut parent)?;
            volume.touch_and_write(&mut parent)
        })
    }

    /// Renames; an existing file (or empty directory) at `to` is replaced.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotEmpty`], [`Error::WrongType`], [`Error::NoSpace`],
    /// [`Error::ReadOnly`].
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.writable()?;
        let (above, old_name) = split(from)?;
        let (below, new_name) = split(to)?;
        let inode = self.lookup(from)?;
        if from == to {
            return Ok(());
        }
        if to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
            let what = "a directory cannot be moved into itself".to_owned();
            return Err(Error::Operation { path: to.to_owned(), action: "rename to it", what });
        }
        let replaced = self.find(to).map_err(|error| error.at(to))?;
        // rename(2) does nothing when both names are links to one file; here `from` must go.
        if replaced.as_ref().is_some_and(|other| other.number == inode.number) {
            return self.remove(from);
        }
        if let Some(other) = &replaced
            && other.is_directory() != inode.is_directory()
        {
            let wanted = if inode.is_directory() { "a directory" } else { "a file" };
            return Err(Error::WrongType { path: to.to_owned(), found: Kind::of(other), wanted });
        }
        let old_parent = self.existing(above, Kind::Directory)?;
        let new_parent = self.existing(below, Kind::Directory)?;
        check_name(to, new_name)?;
        self.change(to, |volume| {
            volume.move_name((old_parent, old_name), (new_parent, new_name), inode, replaced)
        })
    }

    /// Sets permission bits (0o7777). A list of access rights follows them, as chmod(2) has it.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`], or damaged attributes.
    pub fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        self.change_inode(path, |volume, inode| volume.set_permissions(inode, permissions(mode)))
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`].
    pub fn set_owner(&mut self, path: &str, uid: u32, gid: u32) -> Result<(), Error> {
        check_owner(path, uid, gid)?;
        self.change_inode(path, |_, inode| {
            inode.set_owner(uid, gid);
            Ok(())
        })
    }

    /// Sets modification and access time, seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::ReadOnly`]; a time that the inode cannot hold (before 1901,
    /// after 2446, after 2038 in inodes of 128 bytes).
    pub fn set_mtime(&mut self, path: &str, seconds: i64) -> Result<(), Error> {
        self.change_inode(path, |_, inode| {
            for time in [Time::Modify, Time::Access] {
                if !inode.set_time(time, seconds, 0) {
                    return Err(Error::Operation {
                        path: path.to_owned(),
                        action: "set its times",
                        what: format!("the inode cannot hold the time {seconds}"),
                    });
                }
            }
            Ok(())
        })
    }

    /// Sets one extended attribute, by its full name.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NoSpace`] (attributes of one file share one block),
    /// [`Error::ReadOnly`], or a name of no known kind.
    pub fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        self.change_inode(path, |volume, inode| volume.set_named_attribute(inode, name, Some(value)))
    }

    /// Removes one extended attribute, by its full name; one that is not there is no error.
    ///
    /// # Errors
    /// As [`set_xattr`](Self::set_xattr).
    pub fn remove_xattr(&mut self, path: &str, name: &str) -> Result<(), Error> {
        self.change_inode(path, |volume, inode| volume.set_named_attribute(inode, name, None))
    }

    /// Grows the file system to `size` bytes (at most its disk): answers the size that it has then, in
    /// whole blocks and without a last group too small to be of use.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::Unsupported`] when descriptors for so many groups have no room.
    pub fn grow(&mut self, size: u64) -> Result<u64, Error> {
        self.writable()?;
        self.changed = true;
        self.volume.grow(size)
    }

    /// Ends the changes: the superblock says when. Reading goes on, changing does not.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.changed && !self.finished {
            self.volume.mark_clean()?;
        }
        self.finished = true;
        Ok(())
    }

    fn writable(&self) -> Result<(), Error> {
        match self.read_only_reason() {
            Some(reason) => Err(Error::ReadOnly(reason.to_owned())),
            None if self.finished => Err(Error::ReadOnly("its changes have been finished".to_owned())),
            None => Ok(()),
        }
    }

    /// Runs one operation: all of it, or none.
    fn change(
        &mut self,
        path: &str,
        edit: impl FnOnce(&mut Volume) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.writable()?;
        self.changed = true;
        match edit(&mut self.volume) {
            Ok(()) => self.volume.commit(),
            Err(error) => {
                self.volume.rollback()?;
                Err(error.at(path))
            }
        }
    }

    /// Changes an inode, and its change time.
    fn change_inode(
        &mut self,
        path: &str,
        edit: impl FnOnce(&mut Volume, &mut Inode) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.writable()?;
        let mut inode = self.lookup(path)?;
        self.change(path, |volume| {
            edit(volume, &mut inode)?;
            volume.stamp(&mut inode, &[Time::Change])?;
            volume.write_inode(&mut inode)
        })
    }

    fn change_content(
        &mut self,
        path: &str,
        edit: impl FnOnce(&mut Volume, &mut Inode) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.writable()?;
        let mut inode = self.existing(path, Kind::Regular)?;
        for (bit, why) in [
            (flag::VERITY, "its content is sealed by fs-verity"),
            (flag::ENCRYPT, "its content is encrypted"),
        ] {
            if inode.has(bit) {
                return Err(Error::ReadOnly(why.to_owned()).at(path));
            }
        }
        self.change(path, |volume| {
            edit(volume, &mut inode)?;
            volume.stamp(&mut inode, &[Time::Modify, Time::Change])?;
            volume.write_inode(&mut inode)
        })
    }

    /// Adds a new inode; `fill` gets it and its parent directory.
    fn add(
        &mut self,
        path: &str,
        mode: u16,
        uid: u32,
        gid: u32,
        fill: impl FnOnce(&mut Volume, &mut Inode, &mut Inode) -> Result<(), Error>,
    ) -> Result<(), Error> {
        check_owner(path, uid, gid)?;
        let (mut parent, name) = self.new_entry(path)?;
        self.change(path, |volume| {
            let mut inode = volume.allocate_inode(parent.number, mode & crate::inode::S_IFMT == S_IFDIR)?;
            inode.set_mode(mode);
            inode.set_owner(uid, gid);
            inode.set_links(1);
            fill(volume, &mut inode, &mut parent)?;
            volume.write_inode(&mut inode)?;
            volume.insert_name(&mut parent, name, inode.number, tag_of(mode))?;
            volume.touch_and_write(&mut parent)
        })
    }

    /// The directory and the last component of a path at which nothing is yet.
    fn new_entry<'p>(&self, path: &'p str) -> Result<(Inode, &'p [u8]), Error> {
        self.writable()?;
        let (above, name) = split(path)?;
        let parent = self.existing(above, Kind::Directory)?;
        check_name(path, name)?;
        if self.volume.find_name(&parent, name).map_err(|error| error.at(path))?.is_some() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        Ok((parent, name))
    }
}

impl Volume {
    /// Sets times of an inode to the clock.
    pub(crate) fn stamp(&self, inode: &mut Inode, times: &[Time]) -> Result<(), Error> {
        match times.iter().all(|time| inode.set_time(*time, self.epoch, 0)) {
            true => Ok(()),
            false => Err(Error::Operation {
                path: String::new(),
                action: "set its times",
                what: format!("the inode cannot hold the time {}", self.epoch),
            }),
        }
    }

    /// Stores a directory whose names have changed.
    fn touch_and_write(&mut self, directory: &mut Inode) -> Result<(), Error> {
        self.stamp(directory, &[Time::Modify, Time::Change])?;
        self.write_inode(directory)
    }

    /// One more subdirectory (Linux, fs/ext4/namei.c `ext4_inc_count`): with dir_nlink a directory
    /// that has a hash tree stops counting, and has one link then.
    fn add_subdirectory(&mut self, parent: &mut Inode) -> Result<(), Error> {
        let links = parent.links();
        if links == 1 {
            return Ok(());
        }
        if links.saturating_add(1) < LINK_LIMIT {
            parent.set_links(links + 1);
        } else if parent.has(flag::INDEX) {
            parent.set_links(1);
            self.superblock.features[2] |= layout::RO_COMPAT_DIR_NLINK;
        } else {
            return Err(Error::Operation {
                path: String::new(),
                action: "create a directory",
                what: format!("the directory above has {links} links, which is the most"),
            });
        }
        Ok(())
    }

    /// One subdirectory less (`ext4_dec_count`).
    fn lose_subdirectory(parent: &mut Inode) {
        if parent.links() > 2 {
            parent.set_links(parent.links() - 1);
        }
    }

    /// `inode` has lost a name in `parent`: with its last one it goes.
    fn drop_name_of(&mut self, mut inode: Inode, parent: &mut Inode) -> Result<(), Error> {
        if inode.is_directory() {
            let names = self.list_names(&inode)?;
            if names.iter().any(|entry| entry.name != b"." && entry.name != b"..") {
                return Err(Error::NotEmpty { path: String::new() });
            }
            Self::lose_subdirectory(parent);
            return self.remove_inode(inode);
        }
        if inode.links() > 1 {
            inode.set_links(inode.links() - 1);
            self.stamp(&mut inode, &[Time::Change])?;
            return self.write_inode(&mut inode);
        }
        self.remove_inode(inode)
    }

    fn move_name(
        &mut self,
        (mut old_parent, old_name): (Inode, &[u8]),
        (new_parent, new_name): (Inode, &[u8]),
        mut inode: Inode,
        replaced: Option<Inode>,
    ) -> Result<(), Error> {
        let tag = tag_of(inode.mode());
        // One directory must not be changed through two copies of its inode.
        let mut other = (new_parent.number != old_parent.number).then_some(new_parent);
        let target = other.as_mut().unwrap_or(&mut old_parent);
        match replaced {
            Some(replaced) => {
                self.retarget_name(target, new_name, inode.number, tag)?;
                self.drop_name_of(replaced, target)?;
            }
            None => self.insert_name(target, new_name, inode.number, tag)?,
        }
        if let Some(new_parent) = &mut other {
            if inode.is_directory() {
                self.retarget_name(&mut inode, b"..", new_parent.number, 2)?;
                self.add_subdirectory(new_parent)?;
                Self::lose_subdirectory(&mut old_parent);
            }
            self.touch_and_write(new_parent)?;
        }
        self.remove_name(&mut old_parent, old_name)?;
        self.touch_and_write(&mut old_parent)?;
        self.stamp(&mut inode, &[Time::Change])?;
        self.write_inode(&mut inode)
    }
}

fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}

fn check_owner(path: &str, uid: u32, gid: u32) -> Result<(), Error> {
    if uid == NO_ID || gid == NO_ID {
        return Err(Error::Operation {
            path: path.to_owned(),
            action: "set its owner",
            what: format!("{NO_ID} is no user or group number"),
        });
    }
    Ok(())
}

fn check_name(path: &str, name: &[u8]) -> Result<(), Error> {
    if name.len() > NAME_LIMIT || name == b"." || name == b".." || name.contains(&0) {
        return Err(Error::Operation {
            path: path.to_owned(),
            action: "create it",
            what: format!("a name has 1 to {NAME_LIMIT} bytes without NUL and is not . or .."),
        });
    }
    Ok(())
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
