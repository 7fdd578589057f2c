//! Giving out inodes and taking them back.
//!
//! Linux, fs/ext4/ialloc.c `__ext4_new_inode`, `ext4_free_inode`.

use std::ops::Range;

use super::bits;
use crate::Error;
use crate::group::INODE_UNINIT;
use crate::inode::{Inode, Time};
use crate::volume::Volume;

impl Volume {
    /// Gives out an inode near its parent directory: blank but for its generation, all four times
    /// set to the clock. It is not written yet.
    ///
    /// # Errors
    /// [`Error::NoInodes`].
    pub(crate) fn allocate_inode(&mut self, parent: u32, directory: bool) -> Result<Inode, Error> {
        let count = self.superblock.group_count();
        let home = (parent.saturating_sub(1) / self.superblock.inodes_per_group).min(count.saturating_sub(1));
        let first = match &self.space.without_inodes {
            Some(without) if without.contains(&home) => without.end,
            _ => home,
        };
        for number in (first..count).chain(0..first.min(count)) {
            if self.group(number)?.free_inodes == 0 {
                continue;
            }
            if number > first {
                self.space.without_inodes = Some(first..number);
            }
            let bitmap = self.inode_bitmap(number)?;
            let before = number * self.superblock.inodes_per_group;
            let reserved = self.superblock.first_inode.saturating_sub(1).saturating_sub(before);
            let bit = bits::find(&bitmap, reserved..self.superblock.inodes_per_group, false);
            if bit < self.superblock.inodes_per_group {
                self.take_inode(number, bit, bitmap, directory)?;
                return Ok(self.new_inode(before + bit + 1));
            }
        }
        Err(Error::NoInodes { path: String::new(), inodes: self.superblock.inodes })
    }

    fn take_inode(
        &mut self,
        number: u32,
        bit: u32,
        mut bitmap: Vec<u8>,
        directory: bool,
    ) -> Result<(), Error> {
        self.initialise_block_bitmap(number)?;
        let per_group = self.superblock.inodes_per_group;
        let lazy = self.superblock.has_group_checksums();
        let never_used = self.group(number)?.flags & INODE_UNINIT != 0;
        bits::fill(&mut bitmap, bit..bit + 1, true);
        self.store_inode_bitmap(number, bitmap)?;
        let group = self.group_mut(number)?;
        group.free_inodes -= 1;
        group.directories = group.directories.saturating_add(directory.into());
        if lazy {
            let unused = if never_used { per_group } else { group.unused_inodes };
            group.unused_inodes = unused.min(per_group - bit - 1);
        }
        self.superblock.free_inodes = self.superblock.free_inodes.saturating_sub(1);
        Ok(())
    }

    fn new_inode(&mut self, number: u32) -> Inode {
        let mut inode = Inode::blank(number, &self.superblock);
        inode.set_generation(self.new_generation());
        for time in [Time::Access, Time::Change, Time::Modify, Time::Creation] {
            // Inodes of 128 bytes end in 2038: the last second that they can say.
            let near = if self.epoch < 0 { i32::MIN } else { i32::MAX };
            let _ = inode.set_time(time, self.epoch, 0) || inode.set_time(time, near.into(), 0);
        }
        inode
    }

    /// Takes an inode back: bitmap and counters only.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is free already.
    pub(crate) fn free_inode(&mut self, number: u32, directory: bool) -> Result<(), Error> {
        if number < self.superblock.first_inode || number > self.superblock.inodes {
            return Err(Error::Damaged(format!(
                "inode {number} of {} cannot be freed",
                self.superblock.inodes
            )));
        }
        let per_group = self.superblock.inodes_per_group;
        let (group_number, bit) = ((number - 1) / per_group, (number - 1) % per_group);
        let mut bitmap = self.inode_bitmap(group_number)?;
        if !bits::is_set(&bitmap, bit) {
            return Err(Error::Damaged(format!("inode {number} is free already")));
        }
        bits::fill(&mut bitmap, bit..bit + 1, false);
        self.store_inode_bitmap(group_number, bitmap)?;
        let group = self.group_mut(group_number)?;
        let free = group.free_inodes + 1;
        if free > per_group {
            return Err(Error::Damaged(format!(
                "group {group_number}: {} of {per_group} inodes are said to be free",
                group.free_inodes
            )));
        }
        group.free_inodes = free;
        if directory {
            let Some(left) = group.directories.checked_sub(1) else {
                return Err(Error::Damaged(format!(
                    "group {group_number}: it is said to have no directories"
                )));
            };
            group.directories = left;
        }
        self.superblock.free_inodes = self.superblock.free_inodes.saturating_add(1);
        self.space.inodes_freed(group_number);
        Ok(())
    }

    /// Runs of free inodes of a group, counted from its first one, without those that were never used.
    pub(crate) fn free_inodes(&self, number: u32) -> Result<Vec<Range<u32>>, Error> {
        let group = self.group(number)?;
        let per_group = self.superblock.inodes_per_group;
        let used = match self.superblock.has_group_checksums() {
            true if group.flags & INODE_UNINIT != 0 => 0,
            true => per_group.saturating_sub(group.unused_inodes),
            false => per_group,
        };
        Ok(bits::clear_runs(&self.inode_bitmap(number)?, 0..used).collect())
    }
}
