//! Directories that lie in their inode (inline_data): the parent's number and 56 bytes of entries in
//! `i_block`, further entries in `system.data`. `.` and `..` are not stored.
//!
//! Linux, fs/ext4/inline.c `ext4_try_add_inline_entry`, `ext4_update_inline_dir`,
//! `ext4_try_create_inline_dir`, `ext4_finish_convert_inline_dir`.

use std::ops::Range;

use super::entry::{self, Target};
use super::linear::name_of;
use super::{Name, TAG_DIRECTORY, damaged, is_dots};
use crate::Error;
use crate::bytes::{put_u32, u32_at};
use crate::inode::Inode;
use crate::volume::Volume;

/// `EXT4_INLINE_DOTDOT_SIZE`: bytes of the parent's number.
const PARENT: usize = 4;
/// `EXT4_MIN_INLINE_DATA_SIZE`: bytes of `i_block`.
const IN_BLOCK: usize = 60;

/// The two regions of entries: in `i_block` and in `system.data`, which may be empty.
fn regions(content: &[u8]) -> [Range<usize>; 2] {
    [PARENT..IN_BLOCK, IN_BLOCK..content.len()]
}

impl Volume {
    /// The content, long enough for the first region.
    fn inline_directory(&self, directory: &Inode) -> Result<Vec<u8>, Error> {
        let content = self.inline_content(directory)?;
        if content.len() < IN_BLOCK {
            return Err(damaged(directory, format!("its inline data has {} bytes", content.len())));
        }
        Ok(content)
    }

    /// Stores the content and the size that follows from it; false when it does not fit.
    fn store_inline(&mut self, directory: &mut Inode, content: &[u8]) -> Result<bool, Error> {
        if !self.set_inline_content(directory, content)? {
            return Ok(false);
        }
        directory.set_size(content.len() as u64);
        Ok(true)
    }

    /// Stores a content that is as long as before.
    fn replace_inline(&mut self, directory: &mut Inode, content: &[u8]) -> Result<(), Error> {
        if self.store_inline(directory, content)? {
            return Ok(());
        }
        Err(damaged(directory, format!("{} bytes of inline data do not fit where they were", content.len())))
    }

    /// The names, with the places of those that are stored.
    fn inline_names(
        &self,
        directory: &Inode,
        content: &[u8],
    ) -> Result<Vec<(Range<usize>, usize, Name)>, Error> {
        let mut names = Vec::new();
        for region in regions(content) {
            let bytes = content.get(region.clone()).unwrap_or_default();
            for entry in entry::entries(bytes, self.block_size(), self.superblock.inodes) {
                let entry = entry.map_err(|what| {
                    damaged(directory, format!("inline data from byte {}: {what}", region.start))
                })?;
                if entry.inode != 0 {
                    names.push((region.clone(), entry.at, name_of(&entry)));
                }
            }
        }
        Ok(names)
    }

    /// `.` and `..`.
    fn inline_dots(&self, directory: &Inode, content: &[u8]) -> [Name; 2] {
        let tag = self.stored_tag(TAG_DIRECTORY);
        [
            Name { name: b".".to_vec(), inode: directory.number, tag },
            Name { name: b"..".to_vec(), inode: u32_at(content, 0), tag },
        ]
    }

    /// The entry `name`.
    pub(super) fn find_inline(&self, directory: &Inode, name: &[u8]) -> Result<Option<Name>, Error> {
        Ok(self.list_inline(directory)?.into_iter().find(|entry| entry.name == name))
    }

    /// All names, `.` and `..` included.
    pub(super) fn list_inline(&self, directory: &Inode) -> Result<Vec<Name>, Error> {
        let content = self.inline_directory(directory)?;
        let mut names = self.inline_dots(directory, &content).to_vec();
        names.extend(self.inline_names(directory, &content)?.into_iter().map(|(_, _, name)| name));
        Ok(names)
    }

    /// Adds a name; false when the inode has no room for it.
    pub(super) fn insert_inline(&mut self, directory: &mut Inode, target: Target<'_>) -> Result<bool, Error> {
        let mut content = self.inline_directory(directory)?;
        for region in regions(&content) {
            let (size, inodes) = (self.block_size(), self.superblock.inodes);
            let bytes = content.get_mut(region.clone()).unwrap_or_default();
            let done = entry::insert(bytes, size, inodes, target).map_err(|what| {
                damaged(directory, format!("inline data from byte {}: {what}", region.start))
            })?;
            if done {
                self.replace_inline(directory, &content)?;
                return Ok(true);
            }
        }
        let end = content.len();
        let length = entry::needed(target.name.len());
        content.resize(end + length, 0);
        entry::store(&mut content, end, length, target);
        self.store_inline(directory, &content)
    }

    fn inline_place(
        &self,
        directory: &Inode,
        content: &[u8],
        name: &[u8],
    ) -> Result<(Range<usize>, usize), Error> {
        self.inline_names(directory, content)?
            .into_iter()
            .find(|(_, _, entry)| entry.name == name)
            .map(|(region, at, _)| (region, at))
            .ok_or_else(|| Error::Missing { path: String::from_utf8_lossy(name).into_owned() })
    }

    /// Takes a name away. The room stays.
    pub(super) fn remove_inline(&mut self, directory: &mut Inode, name: &[u8]) -> Result<(), Error> {
        let mut content = self.inline_directory(directory)?;
        let (region, at) = self.inline_place(directory, &content, name)?;
        let (size, inodes) = (self.block_size(), self.superblock.inodes);
        entry::remove(content.get_mut(region).unwrap_or_default(), size, inodes, at)
            .map_err(|what| damaged(directory, format!("inline data: {what}")))?;
        self.replace_inline(directory, &content)
    }

    /// Lets a name, or `..`, mean another inode.
    pub(super) fn retarget_inline(&mut self, directory: &mut Inode, target: Target<'_>) -> Result<(), Error> {
        let mut content = self.inline_directory(directory)?;
        if target.name == b".." {
            put_u32(&mut content, 0, target.inode);
        } else if is_dots(target.name) {
            return Err(damaged(directory, "its own name is not stored"));
        } else {
            let (region, at) = self.inline_place(directory, &content, target.name)?;
            entry::retarget(&mut content, region.start + at, target.inode, target.tag);
        }
        self.replace_inline(directory, &content)
    }

    /// Makes a new directory in its inode; false when there is no place for it.
    pub(super) fn init_inline(&mut self, directory: &mut Inode, parent: u32) -> Result<bool, Error> {
        let mut content = vec![0; IN_BLOCK];
        put_u32(&mut content, 0, parent);
        entry::clear(content.get_mut(PARENT..).unwrap_or_default());
        self.store_inline(directory, &content)
    }

    /// Gives a directory that outgrows its inode a block.
    pub(super) fn move_out_of_inode(&mut self, directory: &mut Inode) -> Result<(), Error> {
        let content = self.inline_directory(directory)?;
        let names: Vec<Name> =
            self.inline_names(directory, &content)?.into_iter().map(|(_, _, name)| name).collect();
        self.clear_inline_content(directory)?;
        directory.set_size(0);
        self.fill_first_block(directory, [directory.number, u32_at(&content, 0)], &names)
    }
}
