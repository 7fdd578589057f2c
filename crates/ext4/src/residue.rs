//! Blocks that hold what nobody owns any more: for outputs that must not carry it on.

use std::ops::Range;

use crate::allocate::merge;
use crate::{Error, Ext4};

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

    /// Byte ranges that no file owns, and the journal behind its superblock, which holds copies of blocks
    /// and, being empty, is not read by anybody.
    ///
    /// # Errors
    /// As [`given_up`](Self::given_up), or a damaged journal inode.
    pub fn unowned(&self) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges = self.volume.free_ranges()?;
        if self.read_only_reason().is_none() {
            ranges.extend(self.volume.journal_log()?);
        }
        Ok(self.in_bytes(merge(ranges)))
    }

    fn in_bytes(&self, blocks: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let size = u64::from(self.volume.superblock.block_size);
        blocks.into_iter().map(|range| range.start * size..range.end * size).collect()
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
        if one.end < other.end { left.next() } else { right.next() };
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
