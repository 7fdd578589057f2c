//! Numbers that contradict each other, or the disk.
//!
//! Linux, fs/ext4/super.c `ext4_check_geometry`, `ext4_block_group_meta_init`, `ext4_handle_clustersize`;
//! e2fsprogs, lib/ext2fs/openfs.c `ext2fs_open2`.

use super::{Fields, layout};
use crate::Error;

/// Descriptors in memory take 64 bytes: 64 MiB at most, for a file system of 128 TiB with blocks of 4 KiB.
const MOST_GROUPS: u64 = 1 << 20;

/// What the superblock says about sizes.
pub(super) struct Geometry {
    pub(super) blocks: u64,
    pub(super) block_size: u32,
    pub(super) inodes: u32,
    pub(super) inode_size: u16,
    pub(super) wide: bool,
    pub(super) disk_size: u64,
}

fn damaged<T>(what: String) -> Result<T, Error> {
    Err(Error::Damaged(format!("superblock: {what}")))
}

impl Geometry {
    /// Sizes and counts of blocks, groups and inodes.
    pub(super) fn check(&self, fields: &Fields<'_>) -> Result<(), Error> {
        let &Self { blocks, block_size, inodes, inode_size, wide, disk_size } = self;
        let blocks_per_group = fields.u32(layout::S_BLOCKS_PER_GROUP);
        let inodes_per_group = fields.u32(layout::S_INODES_PER_GROUP);
        let first_data_block = fields.u32(layout::S_FIRST_DATA_BLOCK);
        let bits = block_size.saturating_mul(8);
        if blocks_per_group < 8 || inodes_per_group == 0 || inodes_per_group > bits {
            return damaged(format!(
                "{blocks_per_group} blocks and {inodes_per_group} inodes per group; a bitmap of one block holds 1 to {bits}"
            ));
        }
        if !inode_size.is_power_of_two() || inode_size < 128 || u32::from(inode_size) > block_size {
            return damaged(format!(
                "inodes of {inode_size} bytes; they are a power of two from 128 to {block_size}"
            ));
        }
        if !(u64::from(inodes_per_group) * u64::from(inode_size)).is_multiple_of(block_size.into()) {
            return damaged(format!(
                "{inodes_per_group} inodes of {inode_size} bytes per group are no whole blocks of {block_size} bytes"
            ));
        }
        if wide {
            let size = fields.u16(layout::S_DESC_SIZE);
            if !size.is_power_of_two() || !(64..=1024).contains(&size) {
                return damaged(format!(
                    "group descriptors of {size} bytes; with 64bit they have 64 to 1024"
                ));
            }
        }
        if u64::from(first_data_block) >= blocks {
            return damaged(format!("the first data block is {first_data_block} of {blocks}"));
        }
        match blocks.checked_mul(u64::from(block_size)) {
            Some(size) if size <= disk_size => {}
            _ => {
                return damaged(format!(
                    "{blocks} blocks of {block_size} bytes do not fit the partition's {disk_size} bytes"
                ));
            }
        }
        let groups = self.groups(fields);
        if groups > MOST_GROUPS {
            return Err(Error::Unsupported(format!(
                "{groups} block groups; at most {MOST_GROUPS} are held in memory"
            )));
        }
        if groups.checked_mul(u64::from(inodes_per_group)) != Some(u64::from(inodes)) {
            return damaged(format!("{inodes} inodes in {groups} groups of {inodes_per_group}"));
        }
        Ok(())
    }

    fn groups(&self, fields: &Fields<'_>) -> u64 {
        let first_data_block = u64::from(fields.u32(layout::S_FIRST_DATA_BLOCK));
        let blocks_per_group = u64::from(fields.u32(layout::S_BLOCKS_PER_GROUP)).max(1);
        self.blocks.saturating_sub(first_data_block).div_ceil(blocks_per_group)
    }

    /// Fields that belong to features. Called after [`check`](Self::check).
    pub(super) fn check_features(
        &self,
        fields: &Fields<'_>,
        dynamic: bool,
        [_, incompat, ro_compat]: [u32; 3],
    ) -> Result<(), Error> {
        let first_data_block = fields.u32(layout::S_FIRST_DATA_BLOCK);
        let wanted = u32::from(self.block_size == 1024);
        // With bigalloc a cluster of several KiB holds the superblock even when blocks have 1 KiB.
        if first_data_block != wanted && ro_compat & layout::RO_COMPAT_BIGALLOC == 0 {
            return damaged(format!(
                "the first data block is {first_data_block}; with blocks of {} bytes it is {wanted}",
                self.block_size
            ));
        }
        let first_inode = fields.u32(layout::S_FIRST_INO);
        if dynamic && (first_inode < 11 || first_inode > self.inodes) {
            return damaged(format!(
                "the first inode for files is {first_inode}; it is 11 to {}",
                self.inodes
            ));
        }
        let reserved = u32::from(fields.u16(layout::S_RESERVED_GDT_BLOCKS));
        if reserved > self.block_size / 4 {
            return damaged(format!(
                "{reserved} blocks are reserved for group descriptors; a block of numbers holds {}",
                self.block_size / 4
            ));
        }
        if incompat & layout::INCOMPAT_META_BG != 0 {
            let size = if self.wide { u64::from(fields.u16(layout::S_DESC_SIZE)) } else { 32 };
            let blocks = self.groups(fields).saturating_mul(size).div_ceil(self.block_size.into());
            let first = fields.u32(layout::S_FIRST_META_BG);
            if u64::from(first) > blocks {
                return damaged(format!(
                    "s_first_meta_bg is {first}; the group descriptors take {blocks} blocks"
                ));
            }
        }
        Ok(())
    }
}

/// Fields that only bigalloc and flex_bg use, and that e2fsck and the kernel judge all the same:
/// e2fsck would go on with a backup superblock, which knows nothing of our edits.
pub(super) fn check_clusters(fields: &Fields<'_>, log_block_size: u32, bigalloc: bool) -> Result<(), Error> {
    let log_cluster_size = fields.u32(layout::S_LOG_CLUSTER_SIZE);
    let clusters_per_group = fields.u32(layout::S_CLUSTERS_PER_GROUP);
    let blocks_per_group = fields.u32(layout::S_BLOCKS_PER_GROUP);
    if !bigalloc && log_cluster_size != log_block_size {
        return damaged(format!(
            "s_log_cluster_size is {log_cluster_size}; without bigalloc it is {log_block_size}, as s_log_block_size"
        ));
    }
    if !bigalloc && clusters_per_group != blocks_per_group {
        return damaged(format!(
            "s_clusters_per_group is {clusters_per_group}; without bigalloc it is {blocks_per_group}, as \
             s_blocks_per_group"
        ));
    }
    let ratio = log_cluster_size.checked_sub(log_block_size).filter(|ratio| *ratio <= 19);
    let bits = 8192_u64 << log_block_size;
    if ratio.is_none_or(|ratio| u64::from(clusters_per_group) << ratio != u64::from(blocks_per_group))
        || u64::from(clusters_per_group) > bits
        || !clusters_per_group.is_multiple_of(8)
    {
        return damaged(format!(
            "{clusters_per_group} clusters and {blocks_per_group} blocks per group (s_log_cluster_size \
             {log_cluster_size}); a bitmap of one block holds {bits}, and no broken bytes"
        ));
    }
    let [log_groups_per_flex] = fields.array(layout::S_LOG_GROUPS_PER_FLEX);
    if log_groups_per_flex > 31 {
        return damaged(format!("s_log_groups_per_flex is {log_groups_per_flex}; it is at most 31"));
    }
    Ok(())
}
