//! Block and inode bitmaps: read, made up where they were never written, stored with their checksum.
//!
//! Linux, fs/ext4/balloc.c `ext4_init_block_bitmap`; fs/ext4/ialloc.c `ext4_init_inode_bitmap`;
//! fs/ext4/bitmap.c `ext4_block_bitmap_csum_set`, `ext4_inode_bitmap_csum_set`.

use std::ops::Range;

use super::bits;
use crate::Error;
use crate::checksum::crc32c;
use crate::group::{BLOCK_UNINIT, INODE_UNINIT};
use crate::volume::Volume;

impl Volume {
    /// True when groups of this file system may be uninitialised, and this one has the flag.
    fn is_uninitialised(&self, number: u32, flag: u16) -> Result<bool, Error> {
        Ok(self.superblock.has_group_checksums() && self.group(number)?.flags & flag != 0)
    }

    fn bitmap_checksum(&self, bytes: &[u8], bits: u32) -> u32 {
        let covered = bytes.get(..bits as usize / 8).unwrap_or(bytes);
        crc32c(self.superblock.checksum_seed, covered)
    }

    fn verify_bitmap(
        &self,
        bytes: &[u8],
        bits: u32,
        stored: u32,
        what: &str,
        number: u32,
    ) -> Result<(), Error> {
        if !self.superblock.has_metadata_csum() {
            return Ok(());
        }
        // Descriptors of 32 bytes have room for the lower half alone.
        let mask = if self.superblock.descriptor_size >= 64 { u32::MAX } else { 0xffff };
        let wanted = self.bitmap_checksum(bytes, bits) & mask;
        if stored & mask == wanted {
            return Ok(());
        }
        Err(Error::Damaged(format!(
            "group {number}: the checksum of its {what} bitmap is {stored:#010x}, not {wanted:#010x}"
        )))
    }

    /// The blocks of a group.
    pub(super) fn group_range(&self, number: u32) -> Range<u64> {
        let start = self.superblock.group_start(number);
        start..start + u64::from(self.superblock.group_blocks(number))
    }

    /// Those bits of a group's bitmap that stand for `blocks`.
    pub(super) fn bits_of(&self, number: u32, blocks: &Range<u64>) -> Range<u32> {
        let group = self.group_range(number);
        let bit =
            |block: u64| u32::try_from(block.clamp(group.start, group.end) - group.start).unwrap_or(u32::MAX);
        bit(blocks.start)..bit(blocks.end)
    }

    fn mark_metadata(&self, number: u32, bitmap: &mut [u8]) {
        for range in hardtack_disk::ranges::touching(self.metadata(), &self.group_range(number)) {
            bits::fill(bitmap, self.bits_of(number, range), true);
        }
    }

    /// The block bitmap of a group: as stored (checksum verified), or as it would be where it was
    /// never written. One bit per block, 1 in use, padding set.
    pub(crate) fn block_bitmap(&self, number: u32) -> Result<Vec<u8>, Error> {
        let count = self.superblock.group_blocks(number);
        let mut bitmap = if self.is_uninitialised(number, BLOCK_UNINIT)? {
            let mut bitmap = vec![0; self.block_size()];
            self.mark_metadata(number, &mut bitmap);
            bitmap
        } else {
            let group = self.group(number)?;
            let bitmap = self.read_block(group.block_bitmap)?;
            let stored = group.block_bitmap_checksum;
            self.verify_bitmap(&bitmap, self.superblock.blocks_per_group, stored, "block", number)?;
            bitmap
        };
        pad(&mut bitmap, count);
        Ok(bitmap)
    }

    /// The same for inodes.
    pub(crate) fn inode_bitmap(&self, number: u32) -> Result<Vec<u8>, Error> {
        let count = self.superblock.inodes_per_group;
        let mut bitmap = if self.is_uninitialised(number, INODE_UNINIT)? {
            vec![0; self.block_size()]
        } else {
            let group = self.group(number)?;
            let bitmap = self.read_block(group.inode_bitmap)?;
            self.verify_bitmap(&bitmap, count, group.inode_bitmap_checksum, "inode", number)?;
            bitmap
        };
        pad(&mut bitmap, count);
        Ok(bitmap)
    }

    /// The block bitmap with everything set that must not be given out: metadata, whatever the bitmap
    /// says, and what the operation under way has freed.
    pub(super) fn free_bitmap(&self, number: u32) -> Result<Vec<u8>, Error> {
        let mut bitmap = self.block_bitmap(number)?;
        self.mark_metadata(number, &mut bitmap);
        let blocks = self.group_range(number);
        for range in self.freed() {
            if range.start < blocks.end && blocks.start < range.end {
                bits::fill(&mut bitmap, self.bits_of(number, range), true);
            }
        }
        Ok(bitmap)
    }

    /// Stores a block bitmap. Counters are the caller's.
    pub(crate) fn store_block_bitmap(&mut self, number: u32, bitmap: Vec<u8>) -> Result<(), Error> {
        let sum = self.bitmap_checksum(&bitmap, self.superblock.blocks_per_group);
        let csum = self.superblock.has_metadata_csum();
        let group = self.group_mut(number)?;
        group.flags &= !BLOCK_UNINIT;
        if csum {
            group.block_bitmap_checksum = sum;
        }
        let block = group.block_bitmap;
        self.write_block(block, bitmap)
    }

    /// Stores an inode bitmap. Counters are the caller's.
    pub(crate) fn store_inode_bitmap(&mut self, number: u32, bitmap: Vec<u8>) -> Result<(), Error> {
        let sum = self.bitmap_checksum(&bitmap, self.superblock.inodes_per_group);
        let csum = self.superblock.has_metadata_csum();
        let group = self.group_mut(number)?;
        group.flags &= !INODE_UNINIT;
        if csum {
            group.inode_bitmap_checksum = sum;
        }
        let block = group.inode_bitmap;
        self.write_block(block, bitmap)
    }

    /// Writes a block bitmap that was never written: the kernel does so when it uses the group's inodes.
    pub(super) fn initialise_block_bitmap(&mut self, number: u32) -> Result<(), Error> {
        if self.is_uninitialised(number, BLOCK_UNINIT)? {
            let bitmap = self.block_bitmap(number)?;
            self.store_block_bitmap(number, bitmap)?;
        }
        Ok(())
    }
}

/// Sets the bits behind the last one that means something.
fn pad(bitmap: &mut [u8], count: u32) {
    let all = u32::try_from(bitmap.len() * 8).unwrap_or(u32::MAX);
    bits::fill(bitmap, count.min(all)..all, true);
}
