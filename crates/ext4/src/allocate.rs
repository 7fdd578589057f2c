//! Giving out blocks and inodes, and taking them back.

use std::ops::Range;

use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

impl Volume {
    /// Gives out `count` blocks in as few pieces as there are, near `goal`; in disk order.
    ///
    /// # Errors
    /// [`Error::NoSpace`]; nothing is given out then.
    pub(crate) fn allocate_blocks(&mut self, count: u64, goal: u64) -> Result<Vec<Range<u64>>, Error> {
        let _ = (count, goal);
        Err(Error::Damaged("blocks cannot be given out yet".to_owned()))
    }

    /// Takes blocks back.
    ///
    /// # Errors
    /// [`Error::Damaged`] when one of them is free already, or metadata.
    pub(crate) fn free_blocks(&mut self, blocks: Range<u64>) -> Result<(), Error> {
        let _ = blocks;
        Err(Error::Damaged("blocks cannot be taken back yet".to_owned()))
    }

    /// Gives out an inode near its parent directory: blank but for its generation, all four times
    /// set to the clock. It is not written yet.
    ///
    /// # Errors
    /// [`Error::NoInodes`].
    pub(crate) fn allocate_inode(&mut self, parent: u32, directory: bool) -> Result<Inode, Error> {
        let _ = (parent, directory);
        Err(Error::Damaged("inodes cannot be given out yet".to_owned()))
    }

    /// Takes an inode back: bitmap and counters only.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is free already.
    pub(crate) fn free_inode(&mut self, number: u32, directory: bool) -> Result<(), Error> {
        let _ = (number, directory);
        Err(Error::Damaged("inodes cannot be taken back yet".to_owned()))
    }

    /// The block bitmap of a group: as stored (checksum verified), or as it would be where it was
    /// never written. One bit per block, 1 in use, padding set.
    pub(crate) fn block_bitmap(&self, group: u32) -> Result<Vec<u8>, Error> {
        let _ = group;
        Err(Error::Damaged("bitmaps cannot be read yet".to_owned()))
    }

    /// The same for inodes.
    pub(crate) fn inode_bitmap(&self, group: u32) -> Result<Vec<u8>, Error> {
        let _ = group;
        Err(Error::Damaged("bitmaps cannot be read yet".to_owned()))
    }
}
