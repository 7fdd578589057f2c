//! Where metadata lies: these blocks are never given out and never taken back.
//!
//! Superblock and descriptor copies: Linux, fs/ext4/balloc.c `ext4_num_base_meta_clusters`,
//! `ext4_bg_num_gdb`. With flex_bg the bitmaps and the inode table of a group lie in any group.

use std::ops::Range;

use hardtack_disk::ranges::{merge, touching};

use crate::group::{Group, head_blocks};
use crate::superblock::Superblock;
use crate::volume::Volume;

/// The metadata of all groups: sorted, merged.
pub(super) fn ranges(superblock: &Superblock, groups: &[Group]) -> Vec<Range<u64>> {
    let table = superblock.inode_table_blocks();
    let mut ranges = Vec::with_capacity(groups.len());
    for (number, group) in (0..).zip(groups) {
        let start = superblock.group_start(number);
        let base = head_blocks(superblock, number).min(superblock.group_blocks(number).into());
        ranges.extend([
            start..start + base,
            group.block_bitmap..group.block_bitmap.saturating_add(1),
            group.inode_bitmap..group.inode_bitmap.saturating_add(1),
            group.inode_table..group.inode_table.saturating_add(table),
        ]);
    }
    merge(ranges)
}

impl Volume {
    /// The metadata of the volume: sorted, merged.
    pub(crate) fn metadata(&self) -> &[Range<u64>] {
        self.space.metadata.get_or_init(|| ranges(&self.superblock, self.groups()))
    }

    /// The first block of `blocks` that is metadata.
    pub(crate) fn first_metadata(&self, blocks: &Range<u64>) -> Option<u64> {
        touching(self.metadata(), blocks).first().map(|range| range.start.max(blocks.start))
    }
}
