//! Directories: names to inodes, linear or as a hash tree, in blocks or in the inode.

use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

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

/// `EXT4_FT_*` of an inode's mode.
pub(crate) fn tag_of(mode: u16) -> u8 {
    match mode & crate::inode::S_IFMT {
        0o100_000 => 1,
        0o040_000 => 2,
        0o020_000 => 3,
        0o060_000 => 4,
        0o010_000 => 5,
        0o140_000 => 6,
        0o120_000 => 7,
        _ => 0,
    }
}

impl Volume {
    /// The entry `name` of a directory.
    pub(crate) fn find_name(&self, directory: &Inode, name: &[u8]) -> Result<Option<Name>, Error> {
        let _ = (directory, name);
        Err(Error::Damaged("directories cannot be read yet".to_owned()))
    }

    /// All names, in disk order.
    pub(crate) fn list_names(&self, directory: &Inode) -> Result<Vec<Name>, Error> {
        let _ = directory;
        Err(Error::Damaged("directories cannot be read yet".to_owned()))
    }

    /// Adds a name that is not there yet. The directory's inode is changed (size, blocks, flags) and not written.
    pub(crate) fn insert_name(
        &mut self,
        directory: &mut Inode,
        name: &[u8],
        inode: u32,
        tag: u8,
    ) -> Result<(), Error> {
        let _ = (directory, name, inode, tag);
        Err(Error::Damaged("directories cannot be written yet".to_owned()))
    }

    /// Takes a name away.
    pub(crate) fn remove_name(&mut self, directory: &mut Inode, name: &[u8]) -> Result<(), Error> {
        let _ = (directory, name);
        Err(Error::Damaged("directories cannot be written yet".to_owned()))
    }

    /// Lets an existing name (also `..`) mean another inode.
    pub(crate) fn retarget_name(
        &mut self,
        directory: &mut Inode,
        name: &[u8],
        inode: u32,
        tag: u8,
    ) -> Result<(), Error> {
        let _ = (directory, name, inode, tag);
        Err(Error::Damaged("directories cannot be written yet".to_owned()))
    }

    /// Gives a new directory its `.` and `..`.
    pub(crate) fn init_directory(&mut self, directory: &mut Inode, parent: u32) -> Result<(), Error> {
        let _ = (directory, parent);
        Err(Error::Damaged("directories cannot be written yet".to_owned()))
    }
}
