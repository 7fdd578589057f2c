//! Which blocks of the disk hold which blocks of a file: extents, or the classic block map.
//!
//! * `extent`: nodes of an extent tree; `extent_tree`: the tree as a whole;
//! * `indirect`: the block map of ext2 and ext3;
//! * `content`: reading and writing the bytes of files through either.

mod content;
mod extent;
mod extent_tree;
mod indirect;
#[cfg(test)]
mod tests;

use std::ops::Range;

use extent::END;

use crate::Error;
use crate::inode::{Inode, S_IFDIR, S_IFLNK, S_IFREG, flag};
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

/// True for a symbolic link whose target stands in the inode.
pub(crate) fn is_fast_link(inode: &Inode) -> bool {
    // A long target that is being written has no size yet.
    inode.is_symlink()
        && (1..inode.block_area().len() as u64).contains(&inode.size())
        && !inode.has(flag::EXTENTS)
        && !inode.has(flag::INLINE_DATA)
}

/// Refuses an inode whose `i_block` is not a map.
fn check_mapped(inode: &Inode) -> Result<(), Error> {
    // Reserved inodes (bad blocks, resize) may be of no type at all.
    let what = if inode.has(flag::INLINE_DATA) {
        "its content lies in the inode"
    } else if is_fast_link(inode) {
        "it is a link whose target lies in the inode"
    } else if !matches!(inode.file_type(), S_IFREG | S_IFDIR | S_IFLNK | 0) {
        "it is a device, a pipe or a socket"
    } else {
        return Ok(());
    };
    Err(Error::Damaged(format!("inode {}: its block map is asked for, but {what}", inode.number)))
}

impl Volume {
    /// Where the file's block `logical` and those that follow it lie. Not for inline data.
    pub(crate) fn map_block(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        check_mapped(inode)?;
        if inode.has(flag::EXTENTS) {
            self.map_extent(inode, logical)
        } else {
            self.map_indirect(inode, logical)
        }
    }

    /// What [`map_block`](Self::map_block) tells of all blocks below `end`, in order: first block of the
    /// file, and a run that does not reach beyond `end`. A node of the map is read once.
    pub(crate) fn for_each_run(
        &self,
        inode: &Inode,
        end: u64,
        mut piece: impl FnMut(u64, Run) -> Result<(), Error>,
    ) -> Result<(), Error> {
        check_mapped(inode)?;
        let extents = if inode.has(flag::EXTENTS) { Some(self.extent_list(inode)?) } else { None };
        let mut logical = 0;
        while logical < end {
            let run = match &extents {
                Some(extents) => extent_tree::run_at(extents, logical, END),
                None => self.map_indirect(inode, logical)?,
            };
            let length = run.length.clamp(1, end - logical);
            piece(logical, Run { length, ..run })?;
            logical += length;
        }
        Ok(())
    }

    /// Allocates `count` blocks for the file from its block `logical` on, where it has none, and maps
    /// them; `i_blocks` is kept. Answers where they lie, in the file's order. The inode is not written.
    ///
    /// # Errors
    /// [`Error::NoSpace`], and the caller rolls back; [`Error::Damaged`] when one of them is mapped.
    pub(crate) fn extend_map(
        &mut self,
        inode: &mut Inode,
        logical: u64,
        count: u64,
    ) -> Result<Vec<Range<u64>>, Error> {
        check_mapped(inode)?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let blocks = logical..logical.saturating_add(count);
        let (runs, new) = if inode.has(flag::EXTENTS) {
            self.fill_extents(inode, blocks)?
        } else {
            self.fill_indirect(inode, blocks)?
        };
        if new != count {
            return Err(Error::Damaged(format!(
                "inode {}: {} of the {count} blocks from {logical} on are mapped already",
                inode.number,
                count - new
            )));
        }
        Ok(runs)
    }

    /// Frees all blocks of the file from its block `logical` on, and the map blocks that become
    /// needless; `i_blocks` is kept. The inode is not written.
    pub(crate) fn truncate_map(&mut self, inode: &mut Inode, logical: u64) -> Result<(), Error> {
        check_mapped(inode)?;
        if inode.has(flag::EXTENTS) {
            self.truncate_extents(inode, logical)
        } else {
            self.truncate_indirect(inode, logical)
        }
    }

    /// Makes the map of a new file that has no blocks: an empty extent root, or 15 zeros.
    pub(crate) fn init_map(&self, inode: &mut Inode) {
        if self.superblock.has_extents() {
            Self::init_extents(inode);
        } else {
            inode.block_area_mut().fill(0);
            inode.set_flags(inode.flags() & !flag::EXTENTS);
        }
    }

    /// True when the map is empty.
    fn has_no_blocks(&self, inode: &Inode) -> Result<bool, Error> {
        if !inode.has(flag::EXTENTS) {
            return Ok(inode.block_area().iter().all(|byte| *byte == 0));
        }
        let (root, _) = self.extent_root(inode)?;
        Ok(match root {
            extent::Node::Leaf(extents) => extents.is_empty(),
            extent::Node::Index(_) => false,
        })
    }
}
