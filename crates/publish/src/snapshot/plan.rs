//! Which blocks of a disk a snapshot needs, in their order, without a list of them.
//!
//! A block that an unencrypted snapshot lacks reads as zeros; one that an encrypted snapshot lacks reads as noise; one
//! that a snapshot with a parent lacks reads as the parent's.

use std::collections::BTreeSet;
use std::ops::Range;

use hardtack_cloud::ebs::BLOCK;
use hardtack_disk::BlockSource;
use hardtack_disk::ranges::{merge, touching};

/// Bytes of a block.
pub(super) const SIZE: u64 = BLOCK as u64;
/// The disk is asked for its holes in steps of so many bytes.
const WINDOW: u64 = 1 << 30;

/// What decides about a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    encrypted: bool,
    free: Vec<Range<u64>>,
    parent: Option<(u64, Vec<Range<u64>>)>,
    touched: BTreeSet<u64>,
}

impl Rules {
    /// `free`: what nobody reads. `touched`: blocks that an earlier run has sent, or may have.
    pub(super) fn new(encrypted: bool, free: &[Range<u64>], touched: BTreeSet<u64>) -> Self {
        Self { encrypted, free: merge(free.to_vec()), parent: None, touched }
    }

    /// The snapshot begins with the blocks of a parent of `size` bytes, from which `changed` differs.
    pub(super) fn with_parent(mut self, size: u64, changed: &[Range<u64>]) -> Self {
        self.parent = Some((size, merge(changed.to_vec())));
        self
    }
}

/// A block that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its number.
    pub(super) index: u64,
    /// Bytes of it that lie on the disk and have to be read; it ends with zeros. None: all of it is zeros.
    pub(super) length: usize,
    /// It is sent even when all of it is zeros.
    pub(super) zeros: bool,
}

/// Gives a disk's blocks that are sent, ascending.
pub(super) struct Plan<'a> {
    disk: &'a dyn BlockSource,
    rules: Rules,
    next: u64,
    data: Vec<Range<u64>>,
    looked: u64,
}

impl<'a> Plan<'a> {
    /// Begins at the first block.
    pub(super) fn new(disk: &'a dyn BlockSource, rules: Rules) -> Self {
        Self { disk, rules, next: 0, data: Vec::new(), looked: 0 }
    }

    /// Bytes of the disk that were decided about.
    pub(super) fn position(&self) -> u64 {
        self.next.saturating_mul(SIZE).min(self.disk.len())
    }

    /// The next block.
    ///
    /// What lies between the disk's end and the volume's is left out, encrypted or not: it is behind the backup
    /// partition table, and so belongs to no partition. Who enlarges the partitions writes there before reading.
    pub(super) fn next(&mut self) -> Result<Option<Candidate>, hardtack_disk::Error> {
        let blocks = self.disk.len().div_ceil(SIZE);
        while self.next < blocks {
            let index = self.next;
            let start = index * SIZE;
            let range = start..start.saturating_add(SIZE).min(self.disk.len());
            let data = self.has_data(&range)?;
            self.next += 1;
            if let Some(zeros) = self.rules.judge(index, &range, data) {
                let length = if data { usize::try_from(range.end - start).unwrap_or(BLOCK) } else { 0 };
                return Ok(Some(Candidate { index, length, zeros }));
            }
        }
        // An earlier run saw a longer disk: what it sent there becomes zeros.
        let beyond = self.rules.touched.range(self.next..).next().copied();
        Ok(beyond.map(|index| {
            self.next = index.saturating_add(1);
            Candidate { index, length: 0, zeros: true }
        }))
    }

    /// Whether the disk has anything but a hole in `range`.
    fn has_data(&mut self, range: &Range<u64>) -> Result<bool, hardtack_disk::Error> {
        if range.end > self.looked {
            let end = range.start.saturating_add(WINDOW).min(self.disk.len());
            self.data = self.disk.data_ranges(range.start..end)?;
            self.looked = end;
        }
        Ok(!touching(&self.data, range).is_empty())
    }
}

impl Rules {
    /// `None`: the block is left out. Else whether it is sent even when it is all zeros.
    fn judge(&self, index: u64, range: &Range<u64>, data: bool) -> Option<bool> {
        if self.touched.contains(&index) {
            return Some(true);
        }
        if let Some((_, changed)) = self.parent.as_ref().filter(|(size, _)| range.start < *size) {
            // Also where it is zeros now: the parent has something else there.
            return (!touching(changed, range).is_empty()).then_some(true);
        }
        if self.encrypted {
            let [free] = touching(&self.free, range) else { return Some(true) };
            let unread = free.start <= range.start && range.end <= free.end;
            return (!unread).then_some(true);
        }
        data.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use super::*;

    /// A disk of `blocks` blocks and 1000 bytes, with data in the given blocks, that cannot be read.
    struct Outline(u64, Vec<u64>);

    impl BlockSource for Outline {
        fn len(&self) -> u64 {
            self.0 * SIZE + 1000
        }
        fn read_at(&self, offset: u64, _: &mut [u8]) -> Result<(), hardtack_disk::Error> {
            Err(hardtack_disk::Error::OutOfRange { offset, length: 0, size: 0 })
        }
        fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
            let data = self.1.iter().map(|block| block * SIZE + 10..block * SIZE + 20);
            Ok(data.filter(|range| within.start <= range.start && range.end <= within.end).collect())
        }
    }

    fn all(disk: &Outline, rules: Rules) -> Vec<Candidate> {
        let mut plan = Plan::new(disk, rules);
        let found: Vec<_> = std::iter::from_fn(|| plan.next().unwrap()).collect();
        assert_eq!(plan.position(), disk.len());
        found
    }

    fn indices(disk: &Outline, rules: Rules) -> Vec<u64> {
        all(disk, rules).iter().map(|candidate| candidate.index).collect()
    }

    #[test]
    fn unencrypted_snapshots_lack_holes_and_encrypted_ones_lack_what_nobody_reads() {
        let disk = Outline(6000, vec![1, 3, 5000, 6000]);
        let found = all(&disk, Rules::new(false, &[0..u64::MAX], BTreeSet::new()));
        assert_eq!(found.iter().map(|candidate| candidate.index).collect::<Vec<_>>(), [1, 3, 5000, 6000]);
        assert_eq!(
            found.iter().map(|candidate| candidate.length).collect::<Vec<_>>(),
            [BLOCK, BLOCK, BLOCK, 1000]
        );
        assert!(found.iter().all(|candidate| !candidate.zeros));
        // Free as a whole: blocks 2 to 9 and the last, which the disk's end cuts short.
        let free = [SIZE + 1..5 * SIZE, 5 * SIZE..10 * SIZE, 6000 * SIZE..6000 * SIZE + 1000, 7..9];
        let found = all(&disk, Rules::new(true, &free, BTreeSet::new()));
        assert_eq!(found.len(), 6001 - 9);
        assert_eq!(found.iter().take(3).map(|candidate| candidate.index).collect::<Vec<_>>(), [0, 1, 10]);
        assert!(found.iter().all(|candidate| candidate.zeros));
        assert_eq!(found.iter().filter(|candidate| candidate.length > 0).count(), 2, "holes are not read");
        let found = indices(&disk, Rules::new(true, &[], BTreeSet::new()));
        assert_eq!(found, (0..6001).collect::<Vec<_>>());
    }

    #[test]
    fn with_a_parent_what_changed_travels_and_what_lies_behind_the_parent() {
        let disk = Outline(6000, vec![1, 2, 3, 5000, 6000]);
        let changed = [SIZE - 1..SIZE + 1, 7 * SIZE..8 * SIZE];
        let rules = |encrypted, free: &[Range<u64>]| {
            Rules::new(encrypted, free, BTreeSet::new()).with_parent(4000 * SIZE, &changed)
        };
        let found = all(&disk, rules(false, &[0..u64::MAX]));
        assert_eq!(found.iter().map(|candidate| candidate.index).collect::<Vec<_>>(), [0, 1, 7, 5000, 6000]);
        assert_eq!(
            found.iter().map(|candidate| candidate.zeros).collect::<Vec<_>>(),
            [true, true, true, false, false]
        );
        let found = indices(&disk, rules(true, &[0..5999 * SIZE]));
        assert_eq!(found, [0, 1, 7, 5999, 6000]);
    }

    #[test]
    fn what_an_earlier_run_may_have_sent_is_sent_as_it_is_now() {
        let disk = Outline(10, vec![1]);
        let rules = Rules::new(false, &[], BTreeSet::from([4, 12, 13]));
        let found = all(&disk, rules);
        assert_eq!(found.iter().map(|candidate| candidate.index).collect::<Vec<_>>(), [1, 4, 12, 13]);
        assert_eq!(found[1], Candidate { index: 4, length: 0, zeros: true });
        assert_eq!(indices(&Outline(0, vec![]), Rules::default()), [] as [u64; 0]);
    }
}
