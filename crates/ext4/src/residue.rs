//! Blocks that hold what nobody owns any more: for outputs that must not carry it on.

use std::ops::Range;

use hardtack_disk::BlockSource;

use crate::volume::Volume;
use crate::{Error, Ext4};
use hardtack_disk::ranges::merge;

/// Bytes of inodes that are read at once: a multiple of their size.
const AT_ONCE: u64 = 1 << 20;

impl Ext4 {
    /// Byte ranges of the file system that its edits gave up and that nothing uses now, ascending.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a block bitmap is.
    pub fn given_up(&self) -> Result<Vec<Range<u64>>, Error> {
        let free = self.volume.free_ranges()?;
        let given_up = merge(self.volume.given_up().to_vec());
        Ok(self.in_bytes(intersection(&free, &given_up)))
    }

    /// Byte ranges that nobody can read anything from, ascending: the free blocks of the bitmaps, which nothing reads
    /// before it has written there. None where the file system must not be changed (a feature that is not known here
    /// may give the bitmaps another meaning; bigalloc does).
    ///
    /// # Errors
    /// [`Error::Damaged`] when a block bitmap is, or counts other free blocks than its group says: a repair may find
    /// files there.
    pub fn free(&self) -> Result<Vec<Range<u64>>, Error> {
        if self.read_only_reason().is_some() {
            return Ok(Vec::new());
        }
        self.volume.check_free_counts()?;
        Ok(self.in_bytes(self.volume.free_ranges()?))
    }

    /// Byte ranges that no file owns, and the journal behind its superblock, which holds copies of blocks
    /// and, being empty, is not read by anybody. Also inodes that were given back and are not zeros: the
    /// kernel leaves small contents, attributes and link targets in them.
    ///
    /// # Errors
    /// As [`given_up`](Self::given_up), or a damaged journal inode.
    pub fn unowned(&self) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges = self.volume.free_ranges()?;
        if self.read_only_reason().is_some() {
            return Ok(self.in_bytes(merge(ranges)));
        }
        ranges.extend(self.volume.journal_log()?);
        let mut bytes = self.in_bytes(ranges);
        bytes.extend(self.volume.stale_inodes()?);
        Ok(merge(bytes))
    }

    fn in_bytes(&self, blocks: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let size = u64::from(self.volume.superblock.block_size);
        blocks.into_iter().map(|range| range.start * size..range.end * size).collect()
    }
}

impl Volume {
    /// Byte ranges of free inodes that hold anything but zeros.
    fn stale_inodes(&self) -> Result<Vec<Range<u64>>, Error> {
        let size = u64::from(self.superblock.inode_size);
        let mut stale = Vec::new();
        for (number, group) in (0..).zip(self.groups()) {
            let table = group.inode_table * u64::from(self.superblock.block_size);
            for run in self.free_inodes(number)? {
                let run = table + u64::from(run.start) * size..table + u64::from(run.end) * size;
                for data in self.disk().data_ranges(run.clone())? {
                    // Whole inodes.
                    let first = data.start - (data.start - table) % size;
                    self.stale_in(first..table + (data.end - table).next_multiple_of(size), &mut stale)?;
                }
            }
        }
        Ok(stale)
    }

    /// The same of whole inodes in `inodes`.
    fn stale_in(&self, inodes: Range<u64>, stale: &mut Vec<Range<u64>>) -> Result<(), Error> {
        let size = u64::from(self.superblock.inode_size);
        let mut bytes = Vec::new();
        let mut at = inodes.start;
        while at < inodes.end {
            let end = inodes.end.min(at + AT_ONCE);
            bytes.resize(usize::try_from(end - at).unwrap_or(0), 0);
            self.disk().read_at(at, &mut bytes)?;
            for inode in bytes.chunks(self.superblock.inode_size.into()) {
                if inode.iter().any(|byte| *byte != 0) {
                    stale.push(at..at + size);
                }
                at += size;
            }
        }
        Ok(())
    }
}

/// What lies in a range of both; each list ascending and disjoint.
fn intersection(left: &[Range<u64>], right: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut common = Vec::new();
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let range = one.start.max(other.start)..one.end.min(other.end);
        if !range.is_empty() {
            common.push(range);
        }
        if one.end < other.end {
            left.next()
        } else {
            right.next()
        };
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn ranges_in_common() {
        assert_eq!(intersection(&[0..10, 20..30], &[5..25]), [5..10, 20..25]);
        assert_eq!(intersection(&[0..10], &[10..20]), []);
        assert_eq!(intersection(&[0..3, 4..6], &[0..1, 2..5, 5..9]), [0..1, 2..3, 4..5, 5..6]);
    }
}
