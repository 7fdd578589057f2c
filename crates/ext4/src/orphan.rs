//! Orphans: files that were deleted while open, or half truncated, when the machine stopped.
//!
//! Linux, fs/ext4/orphan.c `ext4_orphan_cleanup`, `ext4_process_orphan`, `ext4_init_orphan_info`,
//! `ext4_orphan_file_block_csum_verify`; fs/ext4/ialloc.c `ext4_orphan_get`.

use crate::Error;
use crate::bytes::{put_u32, u32_at};
use crate::checksum::crc32c;
use crate::inode::{Inode, flag};
use crate::superblock::layout;
use crate::volume::Volume;

/// `EXT4_ORPHAN_BLOCK_MAGIC`, in the last eight bytes of each block of the orphan file, the checksum
/// behind it.
const MAGIC: u32 = 0x0b10_ca04;
const TAIL: usize = 8;

/// The kernel mounts no larger orphan file than 8 MiB, mke2fs makes 512 blocks at most.
const MOST_BYTES: u64 = 8 << 20;
const MOST_BLOCKS: u64 = 512;

impl Volume {
    /// True when the orphan list or the orphan file is not empty.
    pub(crate) fn has_orphans(&self) -> bool {
        self.superblock.last_orphan != 0 || self.superblock.has_ro_compat(layout::RO_COMPAT_ORPHAN_PRESENT)
    }

    /// Finishes what the orphan list and the orphan file say, as the kernel does at mount.
    ///
    /// # Errors
    /// [`Error::Damaged`] when an orphan is none; those before it are gone then.
    pub(crate) fn process_orphans(&mut self) -> Result<(), Error> {
        let result = self.process_list().and_then(|()| self.process_file());
        if result.is_err() {
            self.rollback()?;
        }
        result
    }

    /// The list: its head in the superblock, the next one in place of each inode's time of deletion.
    fn process_list(&mut self) -> Result<(), Error> {
        // Each one leaves the list, and none is in it twice: a ring ends here at the latest.
        for _ in 0..self.superblock.inodes {
            let number = self.superblock.last_orphan;
            if number == 0 {
                return Ok(());
            }
            let inode = self.orphan(number)?;
            self.superblock.last_orphan = inode.dtime();
            self.finish_orphan(inode)?;
            self.commit()?;
        }
        match self.superblock.last_orphan {
            0 => Ok(()),
            number => Err(Error::Damaged(format!("the orphan list comes back to inode {number}"))),
        }
    }

    /// The file: blocks full of inode numbers.
    fn process_file(&mut self) -> Result<(), Error> {
        if !self.superblock.has_ro_compat(layout::RO_COMPAT_ORPHAN_PRESENT) {
            return Ok(());
        }
        let number = self.superblock.orphan_file_inode;
        let file = self.inode(number)?;
        let size = u64::from(self.superblock.block_size);
        let blocks = file.size() / size;
        if !self.superblock.has_compat(layout::COMPAT_ORPHAN_FILE)
            || !file.is_regular()
            || file.has(flag::INLINE_DATA)
            || blocks > MOST_BLOCKS.max(MOST_BYTES / size)
        {
            return Err(Error::Damaged(format!(
                "the orphan file, inode {number}: mode {:o} and {blocks} blocks",
                file.mode()
            )));
        }
        for logical in 0..blocks {
            self.process_orphan_block(&file, logical)?;
        }
        self.superblock.features[2] &= !layout::RO_COMPAT_ORPHAN_PRESENT;
        self.commit()
    }

    fn process_orphan_block(&mut self, file: &Inode, logical: u64) -> Result<(), Error> {
        let what = format!("the orphan file, inode {}: its block {logical}", file.number);
        let run = self.map_block(file, logical)?;
        let Some(block) = run.physical.filter(|_| !run.unwritten) else {
            return Err(Error::Damaged(format!("{what} is a hole")));
        };
        self.check_blocks(|| what.clone(), &(block..block + 1))?;
        let mut bytes = self.read_block(block)?;
        let tail = bytes.len() - TAIL;
        if u32_at(&bytes, tail) != MAGIC {
            return Err(Error::Damaged(format!(
                "{what} (block {block}): its magic number is {:#010x}, not {MAGIC:#010x}",
                u32_at(&bytes, tail)
            )));
        }
        let sum = |entries: &[u8]| crc32c(crc32c(self.inode_seed(file), &block.to_le_bytes()), entries);
        let checked = self.superblock.has_metadata_csum();
        if checked && u32_at(&bytes, tail + 4) != sum(&bytes[..tail]) {
            return Err(Error::Damaged(format!("{what} (block {block}): its checksum is wrong")));
        }
        let entries: Vec<u32> =
            (0..tail).step_by(4).map(|at| u32_at(&bytes, at)).filter(|number| *number != 0).collect();
        if entries.is_empty() {
            return Ok(());
        }
        bytes[..tail].fill(0);
        if checked {
            let sum = sum(&bytes[..tail]);
            put_u32(&mut bytes, tail + 4, sum);
        }
        for number in entries {
            let orphan = self.orphan(number)?;
            self.finish_orphan(orphan)?;
            self.commit()?;
        }
        self.write_block(block, bytes)?;
        self.commit()
    }

    /// An inode that is said to be an orphan, and can be one.
    fn orphan(&self, number: u32) -> Result<Inode, Error> {
        let refuse = |why: String| {
            Err(Error::Damaged(format!(
                "inode {number} is said to be an orphan: {why}; run e2fsck -fy on a copy"
            )))
        };
        let superblock = &self.superblock;
        let own = [superblock.journal_inode, superblock.orphan_file_inode].contains(&number);
        if number < superblock.first_inode || number > superblock.inodes || own {
            return refuse(format!(
                "the files of users are inodes {} to {}",
                superblock.first_inode, superblock.inodes
            ));
        }
        let bitmap = self.inode_bitmap((number - 1) / superblock.inodes_per_group)?;
        let bit = (number - 1) % superblock.inodes_per_group;
        if bitmap.get(bit as usize / 8).is_none_or(|byte| byte >> (bit % 8) & 1 == 0) {
            return refuse("it is free".to_owned());
        }
        let inode = self.inode(number)?;
        // In the orphan file the field is not used.
        if inode.has(flag::EA_INODE) || inode.dtime() > superblock.inodes && superblock.last_orphan == number
        {
            return refuse(format!("flags {:#x}, next orphan {}", inode.flags(), inode.dtime()));
        }
        let truncatable = inode.is_regular()
            || inode.is_directory()
            || inode.is_symlink() && !crate::map::is_fast_link(&inode);
        if inode.links() != 0 && (!truncatable || inode.has(flag::VERITY)) {
            return refuse(format!("mode {:o}, {} links", inode.mode(), inode.links()));
        }
        Ok(inode)
    }

    /// Removes an orphan without a name, cuts one with a name to its size.
    fn finish_orphan(&mut self, mut inode: Inode) -> Result<(), Error> {
        if inode.links() == 0 {
            return self.remove_inode(inode);
        }
        if !inode.has(flag::INLINE_DATA) {
            let size = u64::from(self.superblock.block_size);
            let blocks = inode.size().div_ceil(size);
            self.truncate_map(&mut inode, blocks)?;
            self.clear_last_block(&inode)?;
        }
        inode.set_dtime(0);
        self.write_inode(&mut inode)
    }

    /// What stands behind the end of a file, in its last block, becomes zeros: a later append must not
    /// bring it back.
    fn clear_last_block(&mut self, inode: &Inode) -> Result<(), Error> {
        let size = u64::from(self.superblock.block_size);
        // Encrypted blocks only make sense as a whole.
        if inode.size().is_multiple_of(size) || !inode.is_regular() || inode.has(flag::ENCRYPT) {
            return Ok(());
        }
        let run = self.map_block(inode, inode.size() / size)?;
        let Some(block) = run.physical.filter(|_| !run.unwritten) else { return Ok(()) };
        let mut bytes = vec![0; self.block_size()];
        self.read_raw(block, 0, &mut bytes)?;
        let rest = &mut bytes[usize::try_from(inode.size() % size).unwrap_or(0)..];
        if rest.iter().any(|byte| *byte != 0) {
            rest.fill(0);
            self.write_run(block, bytes)?;
        }
        Ok(())
    }
}
