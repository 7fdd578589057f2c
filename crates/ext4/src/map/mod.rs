//! Which blocks of the disk hold which blocks of a file: extents, or the classic block map.

use std::ops::Range;

use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

/// Where a run of a file's blocks lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First block on the disk; `None` for a hole.
    pub(crate) physical: Option<u64>,
    /// Blocks from the one asked for on, at least 1.
    pub(crate) length: u64,
    /// Allocated, but reads as zeros.
    pub(crate) unwritten: bool,
}

impl Volume {
    /// Where the file's block `logical` and those that follow it lie. Not for inline data.
    pub(crate) fn map_block(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        let _ = (inode, logical);
        Err(Error::Damaged("files cannot be mapped yet".to_owned()))
    }

    /// Allocates `count` blocks for the file from its block `logical` on, where it has none, and maps
    /// them; `i_blocks` is kept. Answers where they lie, in the file's order. The inode is not written.
    pub(crate) fn extend_map(
        &mut self,
        inode: &mut Inode,
        logical: u64,
        count: u64,
    ) -> Result<Vec<Range<u64>>, Error> {
        let _ = (inode, logical, count);
        Err(Error::Damaged("files cannot be mapped yet".to_owned()))
    }

    /// Frees all blocks of the file from its block `logical` on, and the map blocks that become
    /// needless; `i_blocks` is kept. The inode is not written.
    pub(crate) fn truncate_map(&mut self, inode: &mut Inode, logical: u64) -> Result<(), Error> {
        let _ = (inode, logical);
        Err(Error::Damaged("files cannot be mapped yet".to_owned()))
    }

    /// Makes the map of a new file that has no blocks: an empty extent root, or 15 zeros.
    pub(crate) fn init_map(&self, inode: &mut Inode) {
        let _ = inode;
    }

    /// Up to `buf.len()` bytes of the content from `offset`; inline data, holes and unwritten extents
    /// included. For files, directories and long link targets alike.
    pub(crate) fn read_content(&self, inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let _ = (inode, offset, buf);
        Err(Error::Damaged("files cannot be read yet".to_owned()))
    }

    /// Replaces the whole content and the size; inline data where it fits and the file system has it.
    /// Times are the caller's. The inode is not written.
    pub(crate) fn set_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<(), Error> {
        let _ = (inode, content);
        Err(Error::Damaged("files cannot be written yet".to_owned()))
    }

    /// Adds bytes at the end.
    pub(crate) fn append_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<(), Error> {
        let _ = (inode, content);
        Err(Error::Damaged("files cannot be written yet".to_owned()))
    }
}
