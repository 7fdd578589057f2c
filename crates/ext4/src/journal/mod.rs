//! The journal (JBD2): replayed as the kernel would, then empty.
//!
//! Linux, fs/ext4/super.c `ext4_load_journal`, `ext4_clear_journal_err`; fs/jbd2/recovery.c
//! `jbd2_journal_recover`. Everything is checked before the first block is written. What the log held
//! is zeros afterwards: it has copies of old directories, inodes and (with `data=journal`) of files.
//!
//! Limits: journals on other devices and fast commits that wait for their replay are refused.

mod file;
mod layout;
mod log;
mod scan;
mod superblock;
#[cfg(test)]
mod tests;

use hardtack_disk::{BlockSource, BlockWrite};

use self::file::JournalFile;
use self::log::LogBlocks;
use self::scan::Plan;
use crate::Error;
use crate::bytes::{put, put_split_u32, put_u16, put_u32, u16_at, u32_at};
use crate::superblock::{Superblock, layout as disk_layout};
use crate::volume::Volume;

impl Volume {
    /// Brings a file system that was not unmounted cleanly into the state in which the kernel would
    /// mount it. Writes nothing when it was.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Unsupported`] or [`Error::ReadOnly`] when it needs more than that.
    pub(crate) fn recover(&mut self) -> Result<(), Error> {
        let replayed = self.superblock.has_incompat(disk_layout::INCOMPAT_RECOVER);
        self.replay_journal()?;
        let orphans = self.has_orphans();
        if orphans {
            self.process_orphans()?;
        }
        if replayed || orphans {
            self.recount()?;
        }
        Ok(())
    }

    /// Replays the journal into the disk and marks it and the superblock clean.
    pub(crate) fn replay_journal(&mut self) -> Result<(), Error> {
        let needed = self.superblock.has_incompat(disk_layout::INCOMPAT_RECOVER);
        let Some(journal) = self.journal()? else { return Ok(()) };
        let found = &journal.superblock;
        if found.error != 0 {
            return Err(Error::ReadOnly(format!(
                "the kernel recorded error {} in its journal (s_errno); run e2fsck -fy on a copy and use that",
                found.error.cast_signed()
            )));
        }
        if !needed && found.start == 0 {
            return Ok(());
        }
        let mut sequence = found.sequence;
        if needed && found.start != 0 {
            let plan = Plan::make(&journal, found)?;
            refuse_fast_commits(&journal, plan.end)?;
            self.check_plan(&journal, &plan)?;
            self.apply_plan(&journal, &plan)?;
            // One number is left out, as the kernel does: nothing that is left in the log can follow it.
            sequence = plan.end.wrapping_add(1);
        }
        // A log without needs_recovery is thrown away, as the kernel does (`jbd2_journal_wipe`).
        journal.store_superblock(&found.emptied(sequence))?;
        journal.clear_log()?;
        self.reload()?;
        self.edit_superblock(|bytes| {
            let incompat = u32_at(bytes, disk_layout::S_FEATURE_INCOMPAT);
            put_u32(bytes, disk_layout::S_FEATURE_INCOMPAT, incompat & !disk_layout::INCOMPAT_RECOVER);
            if needed {
                let state = u16_at(bytes, disk_layout::S_STATE);
                put_u16(bytes, disk_layout::S_STATE, state | disk_layout::VALID_FS);
            }
        })?;
        match &self.superblock.read_only_reason {
            None => Ok(()),
            Some(reason) => Err(Error::ReadOnly(reason.clone())),
        }
    }

    /// The blocks of an empty journal's log: nobody reads what they hold.
    pub(crate) fn journal_log(&self) -> Result<Vec<std::ops::Range<u64>>, Error> {
        match self.journal()? {
            Some(journal) if journal.superblock.start == 0 => Ok(journal.log()),
            _ => Ok(Vec::new()),
        }
    }

    /// The journal; `None` when there is none.
    fn journal(&self) -> Result<Option<JournalFile>, Error> {
        if !self.superblock.has_compat(disk_layout::COMPAT_HAS_JOURNAL) {
            return Ok(None);
        }
        let inode = self.inode(self.superblock.journal_inode)?;
        JournalFile::open(self, &inode).map(Some)
    }

    /// Refuses a replay whose blocks or superblock are nonsense.
    fn check_plan(&self, journal: &JournalFile, plan: &Plan) -> Result<(), Error> {
        let size = u64::from(self.superblock.block_size);
        // An online resize is in the journal too: the disk decides, not the superblock.
        let blocks = self.disk().len() / size;
        for target in plan.copies.keys() {
            if *target >= blocks || journal.holds(*target) {
                return Err(Error::Damaged(format!(
                    "journal: a copy is said to be of block {target} of {blocks}, or of the journal itself"
                )));
            }
        }
        let own = disk_layout::OFFSET / size;
        if let Some(copied) = plan.copies.get(&own) {
            let mut bytes = vec![0; self.block_size()];
            journal.read_log(copied.block, &mut bytes)?;
            let at = usize::try_from(disk_layout::OFFSET % size).unwrap_or(0);
            Superblock::parse(&bytes[at..at + disk_layout::SIZE], self.disk().len())?;
        }
        Ok(())
    }

    fn apply_plan(&self, journal: &JournalFile, plan: &Plan) -> Result<(), Error> {
        let mut bytes = vec![0; self.block_size()];
        for (target, copied) in &plan.copies {
            journal.read_log(copied.block, &mut bytes)?;
            if copied.escaped {
                put(&mut bytes, 0, &layout::MAGIC.to_be_bytes());
            }
            self.disk().write_at(target * u64::from(self.superblock.block_size), &bytes)?;
        }
        Ok(())
    }

    /// Sets the superblock's counters to what the groups say: while mounted they are in memory only.
    fn recount(&mut self) -> Result<(), Error> {
        let blocks = self.groups().iter().map(|group| u64::from(group.free_blocks)).sum();
        let inodes = self.groups().iter().fold(0_u32, |sum, group| sum.saturating_add(group.free_inodes));
        let wide = self.superblock.has_64bit();
        self.edit_superblock(|bytes| {
            let high = wide.then_some(disk_layout::S_FREE_BLOCKS_COUNT_HI);
            put_split_u32(bytes, disk_layout::S_FREE_BLOCKS_COUNT_LO, high, blocks);
            put_u32(bytes, disk_layout::S_FREE_INODES_COUNT, inodes);
        })
    }
}

/// Fast commits say what changed in ext4's own words, after the last whole transaction. They are not
/// replayed here, and must not be lost.
fn refuse_fast_commits(journal: &JournalFile, end: u32) -> Result<(), Error> {
    let Some(first) = journal.superblock.fast_commits else { return Ok(()) };
    let mut bytes = vec![0; journal.superblock.block_size];
    journal.read_log(first, &mut bytes)?;
    if u16_at(&bytes, 0) == layout::FAST_COMMIT_HEAD && u32_at(&bytes, 8) == end {
        return Err(Error::Unsupported(format!(
            "the journal ends with fast commits of transaction {end}, which are not replayed; boot it once and shut it \
             down, or run e2fsck -fy on a copy"
        )));
    }
    Ok(())
}
