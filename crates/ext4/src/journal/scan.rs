//! Which transactions are complete, and what they write: decided before anything is written.
//!
//! Linux, fs/jbd2/recovery.c `do_one_pass`. The kernel replays and then refuses to mount when it met a
//! bad copy; here the same copies refuse the journal while the disk is untouched. A copy that a later
//! transaction supersedes is never written at all.

use std::collections::BTreeMap;

use super::layout::{self, be32};
use super::log::{LogBlocks, Record, Walker};
use super::superblock::{Checksums, JournalSuperblock};
use crate::Error;

/// What a replay writes. As large as the log has copies, whatever it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The sequence behind the last complete transaction.
    pub(super) end: u32,
    /// The last copy of each block.
    pub(super) copies: BTreeMap<u64, Copied>,
}

/// A block's last copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// The block of the journal that holds it.
    pub(super) block: u32,
    /// It begins with the magic number.
    pub(super) escaped: bool,
    /// The number of its transaction in the log.
    age: u32,
}

impl Plan {
    /// Reads the whole log.
    pub(super) fn make(log: &dyn LogBlocks, superblock: &JournalSuperblock) -> Result<Self, Error> {
        let end = find_end(log, superblock)?;
        let mut plan = Self { end, copies: BTreeMap::new() };
        let mut wrong = plan.collect(log, superblock)?;
        plan.revoke(log, superblock, &mut wrong)?;
        match wrong.first_key_value() {
            None => Ok(plan),
            Some((target, age)) => Err(Error::Damaged(format!(
                "journal: transaction {}: the checksum of its copy of block {target} is wrong; run e2fsck -fy on a \
                 copy",
                superblock.sequence.wrapping_add(*age)
            ))),
        }
    }

    /// Gathers the copies; answers those whose checksums are wrong, with their transactions.
    fn collect(
        &mut self,
        log: &dyn LogBlocks,
        superblock: &JournalSuperblock,
    ) -> Result<BTreeMap<u64, u32>, Error> {
        let mut walker = Walker::new(log, superblock);
        let mut bytes = vec![0; superblock.block_size];
        let mut wrong = BTreeMap::new();
        while walker.sequence != self.end {
            match walker.record()? {
                Some(Record::Descriptor) => {
                    for tag in walker.tags() {
                        let Some(block) = walker.take() else { return Err(changed(walker.sequence)) };
                        if superblock.has_crc32c() {
                            log.read_log(block, &mut bytes)?;
                            if !walker.copy_is_right(&tag, &bytes) {
                                wrong.insert(tag.target, walker.age());
                            }
                        }
                        let copied = Copied { block, escaped: tag.escaped, age: walker.age() };
                        self.copies.insert(tag.target, copied);
                    }
                }
                Some(Record::Revoke) => {}
                Some(Record::Commit) => walker.sequence = walker.sequence.wrapping_add(1),
                None => return Err(changed(walker.sequence)),
            }
        }
        Ok(wrong)
    }

    /// Drops the copies that the same or a later transaction revokes.
    fn revoke(
        &mut self,
        log: &dyn LogBlocks,
        superblock: &JournalSuperblock,
        wrong: &mut BTreeMap<u64, u32>,
    ) -> Result<(), Error> {
        let mut walker = Walker::new(log, superblock);
        while walker.sequence != self.end {
            match walker.record()? {
                Some(Record::Descriptor) => {
                    for _ in walker.tags() {
                        walker.take();
                    }
                }
                Some(Record::Revoke) => {
                    let age = walker.age();
                    for target in walker.revoked()? {
                        if self.copies.get(&target).is_some_and(|copied| copied.age <= age) {
                            self.copies.remove(&target);
                        }
                        if wrong.get(&target).is_some_and(|bad| *bad <= age) {
                            wrong.remove(&target);
                        }
                    }
                }
                Some(Record::Commit) => walker.sequence = walker.sequence.wrapping_add(1),
                None => return Err(changed(walker.sequence)),
            }
        }
        Ok(())
    }
}

fn changed(sequence: u32) -> Error {
    Error::Damaged(format!("journal: transaction {sequence} could be read once and not again"))
}

fn corrupt(sequence: u32, what: &str) -> Error {
    Error::Damaged(format!(
        "journal: transaction {sequence}: the checksum of {what} is wrong; run e2fsck -fy on a copy"
    ))
}

/// The sequence of the first transaction that is not complete.
fn find_end(log: &dyn LogBlocks, superblock: &JournalSuperblock) -> Result<u32, Error> {
    let mut walker = Walker::new(log, superblock);
    let mut bytes = vec![0; superblock.block_size];
    // A wrong checksum may be that of an old block that was never part of this log: the time of the
    // commit block behind it decides.
    let mut suspicious = false;
    let mut failed: Option<u32> = None;
    let mut last_time = 0;
    let mut sum = !0;
    while let Some(record) = walker.record()? {
        match record {
            Record::Descriptor => {
                suspicious |= !walker.tail_is_right();
                let summed = superblock.checksums == Checksums::Transaction && failed.is_none();
                if summed {
                    sum = crc32_be(sum, walker.bytes());
                }
                for _ in walker.tags() {
                    let Some(block) = walker.take() else { break };
                    if summed {
                        log.read_log(block, &mut bytes)?;
                        sum = crc32_be(sum, &bytes);
                    }
                }
            }
            Record::Revoke => suspicious |= !walker.tail_is_right(),
            Record::Commit => {
                let time = walker.commit_time();
                if suspicious && time >= last_time {
                    return Err(corrupt(walker.sequence, "a descriptor or revoke block"));
                } else if suspicious {
                    break;
                }
                let right = match superblock.checksums {
                    Checksums::Absent => true,
                    Checksums::Transaction => match failed {
                        // Another transaction follows the bad one: no crash does that.
                        Some(sequence) => return Err(corrupt(sequence, "it")),
                        None => sum_is_right(walker.bytes(), std::mem::replace(&mut sum, !0)),
                    },
                    Checksums::Short | Checksums::Full => walker.commit_is_right(),
                };
                if !right {
                    if time < last_time {
                        break;
                    }
                    // With asynchronous commits the commit block can be on the disk before the rest.
                    if !superblock.async_commit {
                        return Err(corrupt(walker.sequence, "its commit block"));
                    }
                    failed = failed.or(Some(walker.sequence));
                }
                last_time = time;
                walker.sequence = walker.sequence.wrapping_add(1);
            }
        }
    }
    Ok(failed.unwrap_or(walker.sequence))
}

/// The CRC-32 in a commit block is `sum`, or it was left out.
fn sum_is_right(commit: &[u8], sum: u32) -> bool {
    let found = be32(commit, layout::C_CHECKSUM);
    match (commit[layout::C_CHECKSUM_TYPE], commit[layout::C_CHECKSUM_SIZE]) {
        (layout::CRC32, 4) => found == sum,
        (0, 0) => found == 0,
        _ => false,
    }
}

/// CRC-32 with the polynomial 0x04c11db7, highest bit first, continued from `seed` (Linux, lib/crc32.c
/// `crc32_be`).
fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut crc = (index as u32) << 24;
            let mut bit = 0;
            while bit < 8 {
                crc = crc << 1 ^ if crc >> 31 != 0 { 0x04c1_1db7 } else { 0 };
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    bytes.iter().fold(seed, |crc, byte| crc << 8 ^ TABLE[usize::from((crc >> 24) as u8 ^ byte)])
}

#[cfg(test)]
#[test]
fn crc32_be_has_the_known_answer() {
    // CRC-32/MPEG-2 (reveng catalogue).
    assert_eq!(crc32_be(!0, b"123456789"), 0x0376_e6e7);
}
