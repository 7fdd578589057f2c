//! Group descriptors: where the bitmaps and inode tables of a group lie, and what is free in it.
//!
//! Linux, fs/ext4/ext4.h `struct ext4_group_desc`; fs/ext4/super.c `descriptor_loc` (meta_bg),
//! `ext4_group_desc_csum`, `ext4_bg_has_super`.

use crate::bytes::{put_split_u16, put_split_u32, put_u16, u16_at, u32_at};
use crate::checksum::{crc16, crc32c};
use crate::superblock::Superblock;

/// The inode bitmap and table were never written: all inodes are free (`EXT4_BG_INODE_UNINIT`).
pub(crate) const INODE_UNINIT: u16 = 1;
/// The block bitmap was never written: only metadata is in use (`EXT4_BG_BLOCK_UNINIT`).
pub(crate) const BLOCK_UNINIT: u16 = 2;
/// The inode table is zeroed (`EXT4_BG_INODE_ZEROED`).
pub(crate) const INODE_ZEROED: u16 = 4;

const CHECKSUM: usize = 0x1e;

/// One group descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Block of the block bitmap.
    pub(crate) block_bitmap: u64,
    /// Block of the inode bitmap.
    pub(crate) inode_bitmap: u64,
    /// First block of the inode table.
    pub(crate) inode_table: u64,
    /// Free blocks.
    pub(crate) free_blocks: u32,
    /// Free inodes.
    pub(crate) free_inodes: u32,
    /// Directories among its inodes.
    pub(crate) directories: u32,
    /// `INODE_UNINIT` and others.
    pub(crate) flags: u16,
    /// crc32c of the block bitmap; 16 bits with descriptors of 32 bytes.
    pub(crate) block_bitmap_checksum: u32,
    /// crc32c of the inode bitmap.
    pub(crate) inode_bitmap_checksum: u32,
    /// Inodes at the end of the table that were never used.
    pub(crate) unused_inodes: u32,
}

impl Group {
    /// Reads a descriptor from its bytes (`Superblock::descriptor_size` of them).
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let wide = bytes.len() >= 64;
        let long = |low, high| {
            u64::from(u32_at(bytes, low)) | if wide { u64::from(u32_at(bytes, high)) << 32 } else { 0 }
        };
        let short = |low, high| {
            u32::from(u16_at(bytes, low)) | if wide { u32::from(u16_at(bytes, high)) << 16 } else { 0 }
        };
        Self {
            block_bitmap: long(0x00, 0x20),
            inode_bitmap: long(0x04, 0x24),
            inode_table: long(0x08, 0x28),
            free_blocks: short(0x0c, 0x2c),
            free_inodes: short(0x0e, 0x2e),
            directories: short(0x10, 0x30),
            flags: u16_at(bytes, 0x12),
            block_bitmap_checksum: short(0x18, 0x38),
            inode_bitmap_checksum: short(0x1a, 0x3a),
            unused_inodes: short(0x1c, 0x32),
        }
    }

    /// Puts the descriptor into its bytes, checksum included; what is not known here stays.
    pub(crate) fn store(&self, superblock: &Superblock, number: u32, bytes: &mut [u8]) {
        let high = |at: usize| (bytes.len() >= 64).then_some(at);
        let highs = [0x20, 0x24, 0x28, 0x2c, 0x2e, 0x30, 0x38, 0x3a, 0x32].map(high);
        put_split_u32(bytes, 0x00, highs[0], self.block_bitmap);
        put_split_u32(bytes, 0x04, highs[1], self.inode_bitmap);
        put_split_u32(bytes, 0x08, highs[2], self.inode_table);
        put_split_u16(bytes, 0x0c, highs[3], self.free_blocks);
        put_split_u16(bytes, 0x0e, highs[4], self.free_inodes);
        put_split_u16(bytes, 0x10, highs[5], self.directories);
        put_u16(bytes, 0x12, self.flags);
        put_split_u16(bytes, 0x18, highs[6], self.block_bitmap_checksum);
        put_split_u16(bytes, 0x1a, highs[7], self.inode_bitmap_checksum);
        put_split_u16(bytes, 0x1c, highs[8], self.unused_inodes);
        if let Some(sum) = checksum(superblock, number, bytes) {
            put_u16(bytes, CHECKSUM, sum);
        }
    }
}

/// The checksum that a descriptor should have; `None` where there are none.
pub(crate) fn checksum(superblock: &Superblock, number: u32, bytes: &[u8]) -> Option<u16> {
    let before = bytes.get(..CHECKSUM)?;
    let after = bytes.get(CHECKSUM + 2..)?;
    if superblock.has_metadata_csum() {
        let mut sum = crc32c(superblock.checksum_seed, &number.to_le_bytes());
        sum = crc32c(sum, before);
        sum = crc32c(sum, &[0; 2]);
        Some(crate::bytes::low_u16(crc32c(sum, after).into()))
    } else if superblock.has_group_checksums() {
        let mut sum = crc16(!0, &superblock.uuid_bytes);
        sum = crc16(sum, &number.to_le_bytes());
        Some(crc16(crc16(sum, before), after))
    } else {
        None
    }
}

/// The block and the byte in it where the descriptor of group `number` lies.
pub(crate) fn location(superblock: &Superblock, number: u32) -> (u64, usize) {
    let per_block = descriptors_per_block(superblock);
    let meta_group = number / per_block;
    let within = (number % per_block) as usize * superblock.descriptor_size;
    let block = if superblock.has_meta_bg() && meta_group >= superblock.first_meta_bg {
        // The descriptors of each meta group lie in its own first group.
        let first = meta_group * per_block;
        superblock.group_start(first) + u64::from(superblock.has_backup(first))
    } else {
        // Not the first data block: with bigalloc that is 0 even when blocks have 1 KiB.
        u64::from(superblock.block_size == 1024) + 1 + u64::from(meta_group)
    };
    (block, within)
}

/// Descriptors in one block.
pub(crate) fn descriptors_per_block(superblock: &Superblock) -> u32 {
    superblock.block_size / u32::try_from(superblock.descriptor_size.max(1)).unwrap_or(u32::MAX)
}

/// Blocks of descriptors for that many groups, if all stood together.
pub(crate) fn descriptor_blocks(superblock: &Superblock, groups: u32) -> u32 {
    groups.div_ceil(descriptors_per_block(superblock))
}

/// The block of a group that holds its meta group's descriptors, or a copy of them: in the first, second
/// and last group of a meta group.
pub(crate) fn own_descriptors(superblock: &Superblock, group: u32) -> Option<u64> {
    let per_block = descriptors_per_block(superblock);
    let place = group % per_block;
    let meta = superblock.has_meta_bg() && group / per_block >= superblock.first_meta_bg;
    (meta && (place < 2 || place == per_block - 1))
        .then(|| superblock.group_start(group) + u64::from(superblock.has_backup(group)))
}

/// Blocks at the start of a group that hold copies of the superblock and of descriptors.
pub(crate) fn head_blocks(superblock: &Superblock, group: u32) -> u64 {
    let backup = u64::from(superblock.has_backup(group));
    if superblock.has_meta_bg() && group / descriptors_per_block(superblock) >= superblock.first_meta_bg {
        return backup + u64::from(own_descriptors(superblock, group).is_some());
    }
    let descriptors = if superblock.has_meta_bg() {
        superblock.first_meta_bg
    } else {
        descriptor_blocks(superblock, superblock.group_count()) + u32::from(superblock.reserved_gdt_blocks)
    };
    backup * (1 + u64::from(descriptors))
}
