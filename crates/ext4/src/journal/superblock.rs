//! The journal's own superblock: where the log lies and begins, and how it is protected.
//!
//! Linux, fs/jbd2/journal.c `journal_get_superblock`, `jbd2_mark_journal_empty`.

use std::ops::Range;

use super::layout::{self, be32, put_be32};
use crate::Error;
use crate::checksum::crc32c;

/// How the log is protected. A journal has one of them at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    /// Not at all: a commit block is believed.
    Absent,
    /// Each commit block holds the CRC-32 of its transaction (`journal_checksum`).
    Transaction,
    /// Every block has a crc32c; tags hold its low 16 bits (`journal_checksum_v2`).
    Short,
    /// The same with tags of 16 bytes that hold all of it (`journal_checksum_v3`).
    Full,
}

/// What the journal's superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JournalSuperblock {
    raw: Vec<u8>,
    pub(super) block_size: usize,
    /// The log: a ring of these blocks of the journal.
    pub(super) log: Range<u32>,
    /// First block of the fast commits; `None` without the feature.
    pub(super) fast_commits: Option<u32>,
    /// Sequence of the first transaction in the log.
    pub(super) sequence: u32,
    /// Where it begins; 0: the log is empty.
    pub(super) start: u32,
    /// The error that the kernel recorded; 0: none.
    pub(super) error: u32,
    pub(super) checksums: Checksums,
    /// Where crc32c starts.
    pub(super) seed: u32,
    /// Block numbers have 64 bits.
    pub(super) wide: bool,
    pub(super) async_commit: bool,
}

impl JournalSuperblock {
    /// Reads it out of the journal's first block. `blocks`: what the journal's file has.
    pub(super) fn parse(bytes: &[u8], blocks: u64) -> Result<Self, Error> {
        let damaged = |what: String| Err(Error::Damaged(format!("journal: {what}")));
        let Some(raw) = bytes.get(..layout::SUPERBLOCK_SIZE) else {
            return damaged(format!("its superblock has {} bytes", bytes.len()));
        };
        let word = |at| be32(raw, at);
        if word(0) != layout::MAGIC {
            return damaged(format!("its magic number is {:#010x}, not {:#010x}", word(0), layout::MAGIC));
        }
        let second = match word(layout::H_BLOCKTYPE) {
            layout::SUPERBLOCK_V1 => false,
            layout::SUPERBLOCK_V2 => true,
            other => return damaged(format!("its first block is of type {other}, not a superblock")),
        };
        let feature = |at| if second { word(at) } else { 0 };
        let compat = feature(layout::S_FEATURE_COMPAT);
        let incompat = feature(layout::S_FEATURE_INCOMPAT);
        let unknown = [incompat & !layout::INCOMPAT_KNOWN, feature(layout::S_FEATURE_RO_COMPAT)];
        if unknown != [0, 0] {
            return Err(Error::Unsupported(format!(
                "the journal has unknown features, s_feature_incompat bits {:#x}, s_feature_ro_compat bits {:#x}",
                unknown[0], unknown[1]
            )));
        }
        if feature(layout::S_NR_USERS) > 1 {
            return Err(Error::Unsupported(format!(
                "{} file systems share the journal",
                word(layout::S_NR_USERS)
            )));
        }
        let checksums = match (
            compat & layout::COMPAT_CHECKSUM != 0,
            incompat & layout::INCOMPAT_CSUM_V2 != 0,
            incompat & layout::INCOMPAT_CSUM_V3 != 0,
        ) {
            (false, false, false) => Checksums::Absent,
            (true, false, false) => Checksums::Transaction,
            (false, true, false) => Checksums::Short,
            (false, false, true) => Checksums::Full,
            _ => return damaged("it claims several kinds of checksums".to_owned()),
        };
        let mut seed = 0;
        if matches!(checksums, Checksums::Short | Checksums::Full) {
            let kind = raw[layout::S_CHECKSUM_TYPE];
            if kind != layout::CRC32C {
                return damaged(format!("its checksums are of type {kind}, not {}", layout::CRC32C));
            }
            let (found, wanted) = (word(layout::S_CHECKSUM), checksum(raw));
            if found != wanted {
                return damaged(format!("its superblock's checksum is {found:#010x}, not {wanted:#010x}"));
            }
            seed = crc32c(!0, &raw[layout::S_UUID..layout::S_UUID + 16]);
        }
        let mut found = Self {
            block_size: bytes.len(),
            log: word(layout::S_FIRST)..word(layout::S_MAXLEN),
            fast_commits: None,
            sequence: word(layout::S_SEQUENCE),
            start: word(layout::S_START),
            error: word(layout::S_ERRNO),
            checksums,
            seed,
            wide: incompat & layout::INCOMPAT_64BIT != 0,
            async_commit: incompat & layout::INCOMPAT_ASYNC_COMMIT != 0,
            raw: raw.to_vec(),
        };
        found.check_log(blocks, incompat & layout::INCOMPAT_FAST_COMMIT != 0)?;
        Ok(found)
    }

    fn check_log(&mut self, blocks: u64, fast_commit: bool) -> Result<(), Error> {
        let damaged = |what: String| Err(Error::Damaged(format!("journal: {what}")));
        let block_size = be32(&self.raw, layout::S_BLOCKSIZE);
        let length = self.log.end;
        if usize::try_from(block_size) != Ok(self.block_size) {
            return damaged(format!(
                "its blocks have {block_size} bytes, those of the file system {}",
                self.block_size
            ));
        }
        if u64::from(length) > blocks {
            return damaged(format!("it claims {length} blocks, its file has {blocks}"));
        }
        if fast_commit {
            let count = match be32(&self.raw, layout::S_NUM_FC_BLKS) {
                0 => layout::FAST_COMMIT_BLOCKS,
                count => count,
            };
            let end = length.checked_sub(count).filter(|end| *end >= layout::LEAST_BLOCKS);
            let Some(end) = end else {
                return damaged(format!("{count} of its {length} blocks are said to be for fast commits"));
            };
            self.log.end = end;
            // The kernel leaves one block between the log and the fast commits.
            self.fast_commits = Some(end + 1).filter(|first| *first < length);
        }
        if self.log.start == 0 || self.log.is_empty() {
            return damaged(format!("its log is said to be blocks {}..{}", self.log.start, self.log.end));
        }
        if self.start != 0 && !self.log.contains(&self.start) {
            return damaged(format!(
                "the log of blocks {}..{} is said to begin at block {}",
                self.log.start, self.log.end, self.start
            ));
        }
        Ok(())
    }

    /// Every block has a crc32c.
    pub(super) fn has_crc32c(&self) -> bool {
        matches!(self.checksums, Checksums::Short | Checksums::Full)
    }

    /// The superblock of the same journal when it is empty and `sequence` comes next.
    pub(super) fn emptied(&self, sequence: u32) -> Vec<u8> {
        let mut raw = self.raw.clone();
        put_be32(&mut raw, layout::S_START, 0);
        put_be32(&mut raw, layout::S_SEQUENCE, sequence);
        if self.has_crc32c() {
            let sum = checksum(&raw);
            put_be32(&mut raw, layout::S_CHECKSUM, sum);
        }
        raw
    }
}

/// The checksum of a journal superblock: crc32c, its own field taken as zeros.
fn checksum(raw: &[u8]) -> u32 {
    let sum = crc32c(!0, &raw[..layout::S_CHECKSUM]);
    crc32c(crc32c(sum, &[0; 4]), &raw[layout::S_CHECKSUM + 4..])
}
