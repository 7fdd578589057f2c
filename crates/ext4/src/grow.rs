//! Growing a file system into a larger disk, as `resize2fs` does.
//!
//! New groups keep their bitmaps and inode table at their own start. New descriptor blocks are taken
//! from those that mke2fs reserved behind the descriptors; the resize inode (number 7), which owns the
//! reserved ones, is kept right: its double indirect block names every reserved block, and each of these
//! names its copies in the groups with backups (Linux, fs/ext4/resize.c `add_new_gdb`,
//! `reserve_backup_gdb`, `ext4_list_backups`).

use crate::Error;
use crate::bytes::{low_u32, put_split_u32, put_u16, put_u32, u32_at};
use crate::group::{
    BLOCK_UNINIT, Group, INODE_UNINIT, INODE_ZEROED, descriptor_blocks, descriptors_per_block, head_blocks,
    own_descriptors,
};
use crate::inode::Time;
use crate::superblock::{Superblock, layout};
use crate::volume::Volume;

/// `EXT4_RESIZE_INO`.
const RESIZE_INODE: u32 = 7;
/// Where the double indirect block stands in `i_block`.
const DOUBLE_INDIRECT: usize = 13 * 4;
/// A last group with fewer blocks beside its own metadata is not made (resize2fs, `adjust_fs_info`).
const LEAST_DATA_BLOCKS: u64 = 50;

/// What a file system will look like.
struct Plan {
    blocks: u64,
    groups: u32,
    /// Descriptor blocks that are taken from the reserve.
    taken: u16,
}

impl Volume {
    /// Grows the file system to `size` bytes, or what is left of it in whole blocks; a last group too
    /// small to be of use is left out. Answers the new size in bytes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when descriptors for that many groups have no room, or 32-bit block numbers
    /// end; nothing is changed then. A smaller size is one too.
    pub(crate) fn grow(&mut self, size: u64) -> Result<u64, Error> {
        let plan = self.plan(size)?;
        let old_blocks = self.superblock.blocks;
        if plan.blocks > old_blocks {
            let old = self.superblock.clone();
            match self.enlarge(&old, &plan) {
                Ok(()) => {}
                Err(error) => {
                    self.superblock = old;
                    self.rollback()?;
                    self.reload()?;
                    return Err(error);
                }
            }
            self.store_sizes(&old, &plan)?;
            self.reload()?;
            self.write_backups()?;
        }
        Ok(self.superblock.blocks * u64::from(self.superblock.block_size))
    }

    fn plan(&self, size: u64) -> Result<Plan, Error> {
        let superblock = &self.superblock;
        let mut blocks = size / u64::from(superblock.block_size);
        if blocks < superblock.blocks {
            return Err(Error::Unsupported(format!(
                "growing to {size} bytes: the file system has {} already",
                superblock.blocks * u64::from(superblock.block_size)
            )));
        }
        if !superblock.has_64bit() {
            blocks = blocks.min(u32::MAX.into());
        }
        let with = |blocks| Superblock { blocks, ..superblock.clone() };
        let last = with(blocks).group_count() - 1;
        let least = overhead(superblock, last) + LEAST_DATA_BLOCKS;
        if last >= superblock.group_count() && u64::from(with(blocks).group_blocks(last)) < least {
            blocks = superblock.group_start(last);
        }
        let groups = with(blocks).group_count();
        let inodes = u64::from(groups) * u64::from(superblock.inodes_per_group);
        if inodes > u64::from(u32::MAX) || groups > 1 << 20 {
            return Err(Error::Unsupported(format!("growing to {groups} groups with {inodes} inodes")));
        }
        let more =
            descriptor_blocks(superblock, groups) - descriptor_blocks(superblock, superblock.group_count());
        let taken = if superblock.has_meta_bg() { 0 } else { more };
        let reserved = u32::from(superblock.reserved_gdt_blocks);
        let reserved = if superblock.has_compat(layout::COMPAT_RESIZE_INODE) { reserved } else { 0 };
        if taken > reserved {
            return Err(Error::Unsupported(format!(
                "growing to {groups} groups: {taken} more blocks of descriptors are needed, and {reserved} are \
                 reserved (mke2fs -E resize=); resize2fs can move things to make room"
            )));
        }
        Ok(Plan { blocks, groups, taken: u16::try_from(taken).unwrap_or(0) })
    }

    /// The operation: everything but the superblock's own sizes.
    fn enlarge(&mut self, old: &Superblock, plan: &Plan) -> Result<(), Error> {
        let last = old.group_count() - 1;
        let first_new_descriptor = descriptor_blocks(old, old.group_count());
        self.superblock.blocks = plan.blocks;
        self.superblock.reserved_gdt_blocks -= plan.taken;
        if !self.superblock.has_meta_bg() {
            for index in 0..u32::from(plan.taken) {
                let block = u64::from(old.first_data_block) + 1 + u64::from(first_new_descriptor + index);
                self.write_block(block, vec![0; self.block_size()])?;
            }
        }
        self.extend_last_group(old, last)?;
        for number in old.group_count()..plan.groups {
            self.add_group(number, number + 1 == plan.groups)?;
        }
        if old.has_compat(layout::COMPAT_RESIZE_INODE) && old.reserved_gdt_blocks > 0 {
            self.update_resize_inode(old, plan)?;
        }
        self.commit()
    }

    /// The last group was shorter than the others.
    fn extend_last_group(&mut self, old: &Superblock, last: u32) -> Result<(), Error> {
        let (before, now) = (old.group_blocks(last), self.superblock.group_blocks(last));
        if now == before {
            return Ok(());
        }
        if self.group(last)?.flags & BLOCK_UNINIT == 0 || !old.has_group_checksums() {
            let mut bitmap = self.read_block(self.group(last)?.block_bitmap)?;
            for bit in before..now {
                if let Some(byte) = bitmap.get_mut(bit as usize / 8) {
                    *byte &= !(1 << (bit % 8));
                }
            }
            self.store_block_bitmap(last, bitmap)?;
        }
        self.group_mut(last)?.free_blocks += now - before;
        self.superblock.free_blocks += u64::from(now - before);
        Ok(())
    }

    fn add_group(&mut self, number: u32, is_last: bool) -> Result<(), Error> {
        let superblock = self.superblock.clone();
        let start = superblock.group_start(number);
        let head = head_blocks(&superblock, number);
        let block_bitmap = start + head;
        let used = overhead(&superblock, number);
        let blocks = superblock.group_blocks(number);
        let free = blocks.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        let lazy = superblock.has_group_checksums();
        let mut group = Group {
            block_bitmap,
            inode_bitmap: block_bitmap + 1,
            inode_table: block_bitmap + 2,
            free_blocks: free,
            free_inodes: superblock.inodes_per_group,
            ..Group::default()
        };
        if lazy {
            group.flags = INODE_UNINIT | INODE_ZEROED;
            group.unused_inodes = superblock.inodes_per_group;
            // The bitmap of the last group is always written (mke2fs, resize2fs).
            if !is_last {
                group.flags |= BLOCK_UNINIT;
            }
        }
        self.push_group(number, group)?;
        if let Some(place) = own_descriptors(&superblock, number) {
            self.write_block(place, vec![0; self.block_size()])?;
        }
        self.zero_blocks(block_bitmap + 2..block_bitmap + 2 + superblock.inode_table_blocks())?;
        if !lazy || is_last {
            let mut bitmap = vec![0; self.block_size()];
            fill_bits(&mut bitmap, 0, used);
            fill_bits(&mut bitmap, blocks.into(), superblock.block_size as u64 * 8);
            self.store_block_bitmap(number, bitmap)?;
        }
        if !lazy {
            let mut bitmap = vec![0; self.block_size()];
            fill_bits(&mut bitmap, superblock.inodes_per_group.into(), superblock.block_size as u64 * 8);
            self.store_inode_bitmap(number, bitmap)?;
        }
        self.superblock.free_blocks += u64::from(free);
        self.superblock.free_inodes += superblock.inodes_per_group;
        self.superblock.inodes += superblock.inodes_per_group;
        Ok(())
    }

    /// Makes blocks of an inode table zero, where they are not already.
    fn zero_blocks(&mut self, blocks: std::ops::Range<u64>) -> Result<(), Error> {
        for block in blocks {
            if self.read_block(block)?.iter().any(|byte| *byte != 0) {
                self.write_block(block, vec![0; self.block_size()])?;
            }
        }
        Ok(())
    }

    /// The resize inode loses the descriptor blocks that were taken, and learns of the copies of the
    /// remaining ones in new groups.
    fn update_resize_inode(&mut self, old: &Superblock, plan: &Plan) -> Result<(), Error> {
        let mut inode = self.inode(RESIZE_INODE)?;
        let double = u64::from(u32_at(inode.block_area(), DOUBLE_INDIRECT));
        self.check_blocks(|| "the resize inode's block map".to_owned(), &(double..double + 1))?;
        let per_block = self.block_size() / 4;
        let mut map = self.read_block(double)?;
        let first = descriptor_blocks(old, old.group_count());
        let old_backups: Vec<u32> = (1..old.group_count()).filter(|group| old.has_backup(*group)).collect();
        let new_backups: Vec<u32> =
            (old.group_count()..plan.groups).filter(|group| self.superblock.has_backup(*group)).collect();
        let mut change = 0_i64;
        for index in 0..u32::from(old.reserved_gdt_blocks) {
            let primary = u64::from(old.first_data_block) + 1 + u64::from(first + index);
            let slot = (first + index) as usize % per_block * 4;
            if u64::from(u32_at(&map, slot)) != primary {
                return Err(Error::Damaged(format!(
                    "the resize inode names block {} where reserved block {primary} is meant",
                    u32_at(&map, slot)
                )));
            }
            if index < u32::from(plan.taken) {
                put_u32(&mut map, slot, 0);
                change -= 1 + old_backups.len() as i64;
                continue;
            }
            let mut copies = self.read_block(primary)?;
            for (place, group) in (old_backups.len()..).zip(&new_backups) {
                let copy = self.superblock.group_start(*group) + 1 + u64::from(first + index);
                put_u32(&mut copies, place * 4, low_u32(copy));
                change += 1;
            }
            self.write_block(primary, copies)?;
        }
        self.write_block(double, map)?;
        inode.add_blocks(&self.superblock, change);
        self.stamp(&mut inode, &[Time::Change])?;
        self.write_inode(&mut inode)
    }

    fn store_sizes(&mut self, old: &Superblock, plan: &Plan) -> Result<(), Error> {
        let inodes = self.superblock.inodes;
        let reserved_descriptors = self.superblock.reserved_gdt_blocks;
        let wide = old.has_64bit();
        self.edit_superblock(|bytes| {
            let high = |at| wide.then_some(at);
            put_split_u32(bytes, layout::S_BLOCKS_COUNT_LO, high(layout::S_BLOCKS_COUNT_HI), plan.blocks);
            put_u32(bytes, layout::S_INODES_COUNT, inodes);
            put_u16(bytes, layout::S_RESERVED_GDT_BLOCKS, reserved_descriptors);
            // What root keeps for itself stays the same part of the whole.
            let kept = u64::from(u32_at(bytes, layout::S_R_BLOCKS_COUNT_LO))
                | if wide { u64::from(u32_at(bytes, layout::S_R_BLOCKS_COUNT_HI)) << 32 } else { 0 };
            let kept = u128::from(kept) * u128::from(plan.blocks) / u128::from(old.blocks);
            let kept = u64::try_from(kept).unwrap_or(0);
            put_split_u32(bytes, layout::S_R_BLOCKS_COUNT_LO, high(layout::S_R_BLOCKS_COUNT_HI), kept);
            // 0: computed at the next mount.
            put_u32(bytes, layout::S_OVERHEAD_CLUSTERS, 0);
        })
    }

    /// Superblock and descriptors go to all groups that keep copies, old and new.
    fn write_backups(&mut self) -> Result<(), Error> {
        let superblock = self.superblock.clone();
        let descriptors = if superblock.has_meta_bg() {
            superblock.first_meta_bg.min(descriptor_blocks(&superblock, superblock.group_count()))
        } else {
            descriptor_blocks(&superblock, superblock.group_count())
        };
        for number in (1..superblock.group_count()).filter(|group| superblock.has_backup(*group)) {
            let start = superblock.group_start(number);
            let mut block = vec![0; self.block_size()];
            let copy = self.superblock_copy(number)?;
            block[..copy.len()].copy_from_slice(&copy);
            self.write_block(start, block)?;
            for index in 0..u64::from(descriptors) {
                let primary = self.read_block(u64::from(superblock.first_data_block) + 1 + index)?;
                self.write_block(start + 1 + index, primary)?;
            }
            self.commit()?;
        }
        self.write_meta_group_backups()
    }

    /// Each meta group keeps two copies of its block of descriptors.
    fn write_meta_group_backups(&mut self) -> Result<(), Error> {
        let superblock = self.superblock.clone();
        let per_block = descriptors_per_block(&superblock);
        for number in 0..superblock.group_count() {
            let Some(place) = own_descriptors(&superblock, number).filter(|_| number % per_block != 0) else {
                continue;
            };
            let (primary, _) = crate::group::location(&superblock, number);
            let bytes = self.read_block(primary)?;
            self.write_block(place, bytes)?;
        }
        self.commit()
    }
}

/// Blocks of a new group that hold its metadata.
fn overhead(superblock: &Superblock, group: u32) -> u64 {
    head_blocks(superblock, group) + 2 + superblock.inode_table_blocks()
}

fn fill_bits(bitmap: &mut [u8], from: u64, to: u64) {
    for bit in from..to {
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bitmap.get_mut(at)) {
            *byte |= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests;
