//! Giving out blocks and inodes, and taking them back.
//!
//! * `bits`: runs of bits in a bitmap;
//! * `metadata`: which blocks are never given out;
//! * `bitmap`: the bitmaps of a group, lazily initialised ones included;
//! * `blocks`, `inodes`: giving out and taking back.

mod bitmap;
mod bits;
mod blocks;
mod inodes;
mod metadata;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

/// What is remembered of the bitmaps, so that not every request reads them all. All of it can be
/// forgotten at any time.
#[derive(Debug, Default)]
pub(crate) struct Space {
    /// Where metadata lies.
    metadata: OnceLock<Vec<Range<u64>>>,
    /// No free run of the group is longer than this.
    longest: BTreeMap<u32, u32>,
    /// Groups without a free block.
    full: Option<Range<u32>>,
    /// Groups without a free inode.
    without_inodes: Option<Range<u32>>,
}

impl Space {
    /// Blocks of a group have been freed.
    fn blocks_freed(&mut self, group: u32) {
        self.longest.remove(&group);
        if self.full.as_ref().is_some_and(|full| full.contains(&group)) {
            self.full = None;
        }
    }

    /// An inode of a group has been freed.
    fn inodes_freed(&mut self, group: u32) {
        if self.without_inodes.as_ref().is_some_and(|without| without.contains(&group)) {
            self.without_inodes = None;
        }
    }

    /// The bitmaps are no longer what they were: after a roll back, or when blocks that had to be
    /// left alone can be given out again.
    pub(crate) fn forget(&mut self) {
        self.longest.clear();
        self.full = None;
        self.without_inodes = None;
    }
}
