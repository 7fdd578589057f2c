//! The log as a sequence of records: descriptor blocks with the copies that follow them, revoke blocks,
//! commit blocks.
//!
//! Linux, fs/jbd2/recovery.c `do_one_pass`, `count_tags`, `scan_revoke_records`; the checksums in
//! `jbd2_descriptor_block_csum_verify`, `jbd2_commit_block_csum_verify`, `jbd2_block_tag_csum_verify`.

use super::layout::{self, be16, be32, be64};
use super::superblock::{Checksums, JournalSuperblock};
use crate::Error;
use crate::checksum::crc32c;

/// Where the blocks of a journal are read.
pub(super) trait LogBlocks {
    /// Fills `buf` with block `block` of the journal.
    fn read_log(&self, block: u32, buf: &mut [u8]) -> Result<(), Error>;
}

/// What a block of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Descriptor,
    Revoke,
    Commit,
}

/// Goes through the log, once around at most.
pub(super) struct Walker<'a> {
    log: &'a dyn LogBlocks,
    superblock: &'a JournalSuperblock,
    /// The transaction that is being read.
    pub(super) sequence: u32,
    next: u32,
    left: u32,
    bytes: Vec<u8>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(log: &'a dyn LogBlocks, superblock: &'a JournalSuperblock) -> Self {
        Self {
            log,
            superblock,
            sequence: superblock.sequence,
            next: superblock.start,
            left: superblock.log.end - superblock.log.start,
            bytes: vec![0; superblock.block_size],
        }
    }

    /// The transaction's number in the log, from 0: sequences may wrap, this does not.
    pub(super) fn age(&self) -> u32 {
        self.sequence.wrapping_sub(self.superblock.sequence)
    }

    /// The next block, whatever it is; `None` when the whole log has been read. A log is never quite
    /// full, so a sound transaction ends before.
    pub(super) fn take(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let block = self.next;
        self.next = if block + 1 >= self.superblock.log.end { self.superblock.log.start } else { block + 1 };
        Some(block)
    }

    /// The next record; `None` when what comes next is none of this transaction: the log ends.
    pub(super) fn record(&mut self) -> Result<Option<Record>, Error> {
        let Some(block) = self.take() else { return Ok(None) };
        self.log.read_log(block, &mut self.bytes)?;
        if be32(&self.bytes, 0) != layout::MAGIC || be32(&self.bytes, layout::H_SEQUENCE) != self.sequence {
            return Ok(None);
        }
        Ok(match be32(&self.bytes, layout::H_BLOCKTYPE) {
            layout::DESCRIPTOR => Some(Record::Descriptor),
            layout::REVOKE => Some(Record::Revoke),
            layout::COMMIT => Some(Record::Commit),
            _ => None,
        })
    }

    /// The bytes of the last record.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The checksum at the end of the last descriptor or revoke block is right, or there is none.
    pub(super) fn tail_is_right(&self) -> bool {
        if !self.superblock.has_crc32c() {
            return true;
        }
        let Some((body, tail)) = self.bytes.split_last_chunk::<4>() else { return false };
        crc32c(crc32c(self.superblock.seed, body), &[0; 4]) == u32::from_be_bytes(*tail)
    }

    /// The crc32c of the last commit block is right. A block of which only the header reached the disk
    /// counts (Linux, `jbd2_commit_block_csum_verify_partial`).
    pub(super) fn commit_is_right(&self) -> bool {
        let header = &self.bytes[..layout::COMMIT_HEADER];
        let found = be32(header, layout::C_CHECKSUM);
        let sum = crc32c(self.superblock.seed, &header[..layout::C_CHECKSUM]);
        let sum = crc32c(crc32c(sum, &[0; 4]), &header[layout::C_CHECKSUM + 4..]);
        let rest = &self.bytes[layout::COMMIT_HEADER..];
        crc32c(sum, rest) == found || crc32c(sum, &vec![0; rest.len()]) == found
    }

    /// When the last commit block was written, in seconds.
    pub(super) fn commit_time(&self) -> u64 {
        be64(&self.bytes, layout::C_SECONDS)
    }

    /// The tags of the last descriptor block: which blocks the copies behind it are of.
    pub(super) fn tags(&self) -> Vec<Tag> {
        let (length, full) = match self.superblock.checksums {
            Checksums::Full => (16, true),
            kind => {
                let padding = if kind == Checksums::Short { 2 } else { 0 };
                (if self.superblock.wide { 12 } else { 8 } + padding, false)
            }
        };
        let end = self.bytes.len() - if self.superblock.has_crc32c() { 4 } else { 0 };
        let mut tags = Vec::new();
        let mut at = layout::HEADER;
        while at + length <= end {
            let bytes = &self.bytes[at..at + length];
            let high = if self.superblock.wide { u64::from(be32(bytes, 8)) << 32 } else { 0 };
            let flags = be16(bytes, 6);
            tags.push(Tag {
                target: u64::from(be32(bytes, 0)) | high,
                escaped: flags & layout::FLAG_ESCAPE != 0,
                checksum: if full { be32(bytes, 12) } else { be16(bytes, 4).into() },
            });
            if flags & layout::FLAG_LAST_TAG != 0 {
                break;
            }
            at += length + if flags & layout::FLAG_SAME_UUID == 0 { 16 } else { 0 };
        }
        tags
    }

    /// The blocks that the last revoke block revokes.
    pub(super) fn revoked(&self) -> Result<impl Iterator<Item = u64> + '_, Error> {
        let used = be32(&self.bytes, layout::R_COUNT) as usize;
        let tail = if self.superblock.has_crc32c() { 4 } else { 0 };
        if used > self.bytes.len() - tail {
            return Err(Error::Damaged(format!(
                "journal: transaction {}: a revoke block is said to hold {used} bytes",
                self.sequence
            )));
        }
        let wide = self.superblock.wide;
        let records = self.bytes.get(layout::REVOKE_HEADER..used).unwrap_or_default();
        Ok(records
            .chunks_exact(if wide { 8 } else { 4 })
            .map(move |record| if wide { be64(record, 0) } else { be32(record, 0).into() }))
    }

    /// True when the copy `bytes` is what `tag` of the transaction says.
    pub(super) fn copy_is_right(&self, tag: &Tag, bytes: &[u8]) -> bool {
        if !self.superblock.has_crc32c() {
            return true;
        }
        let sum = crc32c(crc32c(self.superblock.seed, &self.sequence.to_be_bytes()), bytes);
        let sum = if self.superblock.checksums == Checksums::Full { sum } else { sum & 0xffff };
        sum == tag.checksum
    }
}

/// One copy in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the file system.
    pub(super) target: u64,
    /// Its first four bytes were the journal's magic number, and are zeros in the copy.
    pub(super) escaped: bool,
    checksum: u32,
}
