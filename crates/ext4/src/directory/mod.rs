//! Directories: names to inodes, linear or as a hash tree, in blocks or in the inode.
//!
//! * [`entry`]: the entries of one block;
//! * [`block`]: the blocks of a directory, their kinds and checksums;
//! * [`linear`]: walking through all of them; [`htree`]: finding and adding names by hash
//!   ([`hash`], [`index`]); [`inline`]: directories that lie in their inode.
//!
//! Residue: the bytes of a name that was taken away become zeros, as do those behind the entries of
//! a block that is split.

mod block;
mod entry;
mod hash;
mod htree;
mod index;
mod inline;
mod linear;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::inode::{Inode, flag};
use crate::volume::Volume;
use block::Place;
use entry::Target;

/// One name of a directory, `.` and `..` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name's bytes, 1 to 255.
    pub(crate) name: Vec<u8>,
    /// The inode.
    pub(crate) inode: u32,
    /// `EXT4_FT_*`: 1 file, 2 directory, 3 character device, 4 block device, 5 FIFO, 6 socket, 7 link;
    /// 0 where the file system does not keep it.
    pub(crate) tag: u8,
}

/// `EXT4_FT_DIR`.
const TAG_DIRECTORY: u8 = 2;

/// `EXT4_FT_*` of an inode's mode.
pub(crate) fn tag_of(mode: u16) -> u8 {
    match mode & crate::inode::S_IFMT {
        0o100_000 => 1,
        0o040_000 => TAG_DIRECTORY,
        0o020_000 => 3,
        0o060_000 => 4,
        0o010_000 => 5,
        0o140_000 => 6,
        0o120_000 => 7,
        _ => 0,
    }
}

/// Damage in a directory.
fn damaged(directory: &Inode, what: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("directory inode {}: {what}", directory.number))
}

fn is_dots(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

/// Refuses what cannot be the name of a file.
fn check_new_name(name: &[u8]) -> Result<(), Error> {
    let what = if name.is_empty() || name.len() > 255 {
        format!("a name has 1 to 255 bytes, not {}", name.len())
    } else if name.contains(&b'/') || name.contains(&0) {
        "a name holds neither / nor NUL".to_owned()
    } else if is_dots(name) {
        "it is a name that every directory has".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Operation { path: String::from_utf8_lossy(name).into_owned(), action: "use this name", what })
}

impl Volume {
    /// The entry `name` of a directory.
    pub(crate) fn find_name(&self, directory: &Inode, name: &[u8]) -> Result<Option<Name>, Error> {
        check_readable(directory)?;
        if directory.has(flag::INLINE_DATA) {
            return self.find_inline(directory, name);
        }
        Ok(self.find_place(directory, name)?.map(|(_, name)| name))
    }

    /// All names, in disk order.
    pub(crate) fn list_names(&self, directory: &Inode) -> Result<Vec<Name>, Error> {
        check_readable(directory)?;
        let names = if directory.has(flag::INLINE_DATA) {
            self.list_inline(directory)?
        } else {
            self.list_blocks(directory)?
        };
        match names.iter().find(|name| name.name.contains(&b'/') || name.name.contains(&0)) {
            None => Ok(names),
            Some(name) => Err(damaged(
                directory,
                format!("the name {:?} holds / or NUL", String::from_utf8_lossy(&name.name)),
            )),
        }
    }

    /// Adds a name that is not there yet. The directory's inode is changed (size, blocks, flags) and not written.
    pub(crate) fn insert_name(
        &mut self,
        directory: &mut Inode,
        name: &[u8],
        inode: u32,
        tag: u8,
    ) -> Result<(), Error> {
        check_writable(directory)?;
        check_new_name(name)?;
        let target = Target { name, inode, tag: self.stored_tag(tag) };
        if directory.has(flag::INLINE_DATA) {
            if self.insert_inline(directory, target)? {
                return Ok(());
            }
            self.move_out_of_inode(directory)?;
        }
        if self.is_indexed(directory) {
            self.insert_indexed(directory, target)
        } else {
            self.insert_linear(directory, target)
        }
    }

    /// Takes a name away.
    pub(crate) fn remove_name(&mut self, directory: &mut Inode, name: &[u8]) -> Result<(), Error> {
        check_writable(directory)?;
        check_new_name(name)?;
        if directory.has(flag::INLINE_DATA) {
            return self.remove_inline(directory, name);
        }
        let (place, _) = self.existing_place(directory, name)?;
        let mut block = self.directory_block(directory, place.logical, place.physical)?;
        let (size, inodes) = (self.block_size(), self.superblock.inodes);
        entry::remove(block.entries_mut(), size, inodes, place.at)
            .map_err(|what| block.damaged(directory, what))?;
        self.write_directory_block(directory, block)
    }

    /// Lets an existing name (also `..`) mean another inode.
    pub(crate) fn retarget_name(
        &mut self,
        directory: &mut Inode,
        name: &[u8],
        inode: u32,
        tag: u8,
    ) -> Result<(), Error> {
        check_writable(directory)?;
        let tag = self.stored_tag(tag);
        if directory.has(flag::INLINE_DATA) {
            return self.retarget_inline(directory, Target { name, inode, tag });
        }
        let (place, _) = self.existing_place(directory, name)?;
        let mut block = self.directory_block(directory, place.logical, place.physical)?;
        entry::retarget(block.entries_mut(), place.at, inode, tag);
        self.write_directory_block(directory, block)
    }

    /// Gives a new directory its `.` and `..`.
    pub(crate) fn init_directory(&mut self, directory: &mut Inode, parent: u32) -> Result<(), Error> {
        if self.superblock.has_inline_data() && self.init_inline(directory, parent)? {
            return Ok(());
        }
        self.init_map(directory);
        let number = directory.number;
        self.fill_first_block(directory, [number, parent], &[])
    }

    /// Writes a directory's first block: `.` and `..` (the two inodes) and further names.
    fn fill_first_block(
        &mut self,
        directory: &mut Inode,
        dots: [u32; 2],
        names: &[Name],
    ) -> Result<(), Error> {
        let tag = self.stored_tag(TAG_DIRECTORY);
        let [this, parent] = dots;
        let mut block = self.append_directory_block(directory)?;
        let dots = [Target { name: b".", inode: this, tag }, Target { name: b"..", inode: parent, tag }];
        let names = names.iter().map(|name| Target { name: &name.name, inode: name.inode, tag: name.tag });
        if !entry::pack(block.entries_mut(), dots.into_iter().chain(names)) {
            return Err(damaged(directory, "the names in its inode do not fit into a block"));
        }
        self.write_directory_block(directory, block)
    }

    fn stored_tag(&self, tag: u8) -> u8 {
        if self.superblock.has_file_type() { tag } else { 0 }
    }

    /// True when names are found by hash. The kernel ignores the flag without the feature.
    fn is_indexed(&self, directory: &Inode) -> bool {
        directory.has(flag::INDEX) && self.superblock.has_dir_index()
    }

    /// Where a name stands in the directory's blocks.
    fn find_place(&self, directory: &Inode, name: &[u8]) -> Result<Option<(Place, Name)>, Error> {
        if self.is_indexed(directory) && !directory.has(flag::CASEFOLD) && !is_dots(name) {
            match self.find_indexed(directory, name) {
                // A damaged tree still is a list of blocks, and that is how the kernel goes on too.
                Err(Error::Damaged(_) | Error::Unsupported(_)) => {}
                answer => return answer,
            }
        }
        self.find_linear(directory, name)
    }

    fn existing_place(&self, directory: &Inode, name: &[u8]) -> Result<(Place, Name), Error> {
        self.find_place(directory, name)?
            .ok_or_else(|| Error::Missing { path: String::from_utf8_lossy(name).into_owned() })
    }
}

/// Encrypted names cannot be told apart from damage.
fn check_readable(directory: &Inode) -> Result<(), Error> {
    if directory.has(flag::ENCRYPT) {
        return Err(Error::ReadOnly(format!("the directory with inode {} is encrypted", directory.number)));
    }
    Ok(())
}

/// Names of a casefolded directory are hashed folded, by a table of Unicode.
fn check_writable(directory: &Inode) -> Result<(), Error> {
    check_readable(directory)?;
    if directory.has(flag::CASEFOLD) {
        return Err(Error::ReadOnly(format!(
            "the directory with inode {} does not tell upper from lower case (casefold)",
            directory.number
        )));
    }
    Ok(())
}
