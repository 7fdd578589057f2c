//! Directories as lists of blocks: how all of them can be read, and how those without an index grow.
//!
//! Linux, fs/ext4/namei.c `__ext4_find_entry`, `ext4_add_entry`.

use super::block::{Block, Place};
use super::entry::{self, Entry, Target};
use super::{Name, damaged};
use crate::Error;
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// An entry as a name of its own.
pub(super) fn name_of(entry: &Entry<'_>) -> Name {
    Name { name: entry.name.to_vec(), inode: entry.inode, tag: entry.tag }
}

impl Volume {
    /// The entries of a block.
    pub(super) fn block_entries<'a>(
        &self,
        directory: &Inode,
        block: &'a Block,
    ) -> impl Iterator<Item = Result<Entry<'a>, Error>> {
        entry::entries(block.entries(), self.block_size(), self.superblock.inodes)
            .map(move |entry| entry.map_err(|what| block.damaged(directory, what)))
    }

    /// A name in one block.
    pub(super) fn find_in_block(
        &self,
        directory: &Inode,
        block: &Block,
        name: &[u8],
    ) -> Result<Option<(Place, Name)>, Error> {
        for entry in self.block_entries(directory, block) {
            let entry = entry?;
            if entry.inode != 0 && entry.name == name {
                let place = Place { logical: block.logical, physical: block.physical, at: entry.at };
                return Ok(Some((place, name_of(&entry))));
            }
        }
        Ok(None)
    }

    /// A name, looked for in all blocks.
    pub(super) fn find_linear(&self, directory: &Inode, name: &[u8]) -> Result<Option<(Place, Name)>, Error> {
        for extent in self.directory_extents(directory)? {
            for (logical, physical) in extent.blocks() {
                let block = self.directory_block(directory, logical, physical)?;
                if let Some(found) = self.find_in_block(directory, &block, name)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// All names in blocks.
    pub(super) fn list_blocks(&self, directory: &Inode) -> Result<Vec<Name>, Error> {
        let mut names = Vec::new();
        for extent in self.directory_extents(directory)? {
            for (logical, physical) in extent.blocks() {
                let block = self.directory_block(directory, logical, physical)?;
                for entry in self.block_entries(directory, &block) {
                    let entry = entry?;
                    if entry.inode != 0 {
                        names.push(name_of(&entry));
                    }
                }
            }
        }
        Ok(names)
    }

    /// Adds an entry to a block; false when there is no room.
    pub(super) fn insert_into_block(
        &self,
        directory: &Inode,
        block: &mut Block,
        target: Target<'_>,
    ) -> Result<bool, Error> {
        let (size, inodes) = (self.block_size(), self.superblock.inodes);
        entry::insert(block.entries_mut(), size, inodes, target)
            .map_err(|what| block.damaged(directory, what))
    }

    /// Adds a name to a directory without an index. One that outgrows its only block gets an index
    /// where the file system has them.
    pub(super) fn insert_linear(&mut self, directory: &mut Inode, target: Target<'_>) -> Result<(), Error> {
        let length = self.directory_length(directory)?;
        if length == 0 {
            return Err(damaged(directory, "it has no block"));
        }
        // An index from before dir_index was taken away would not know of the new name.
        directory.set_flags(directory.flags() & !flag::INDEX);
        for extent in self.directory_extents(directory)? {
            for (logical, physical) in extent.blocks() {
                let mut block = self.directory_block(directory, logical, physical)?;
                if self.insert_into_block(directory, &mut block, target)? {
                    return self.write_directory_block(directory, block);
                }
            }
        }
        if length == 1 && self.superblock.has_dir_index() && self.make_indexed(directory)? {
            return self.insert_indexed(directory, target);
        }
        let mut block = self.append_directory_block(directory)?;
        if !self.insert_into_block(directory, &mut block, target)? {
            return Err(block.damaged(directory, "an empty block has no room for a name"));
        }
        self.write_directory_block(directory, block)
    }
}
