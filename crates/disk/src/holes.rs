//! A disk with parts that are known to hold nothing: blocks that no file owns.
//!
//! Such blocks hold what was deleted long ago. Read through [`Holes`] they are zeros, so that
//! nothing of it reaches an output, and the output is smaller.

use std::ops::Range;

use crate::error::check_range;
use crate::ranges::{merge, touching, uncovered};
use crate::{BlockSource, Error};

/// Shorter holes are read and cleared: many small reads of one compressed cluster cost more.
const SHORT: u64 = 64 << 10;

/// A disk of which some byte ranges read as zeros, whatever the disk itself holds there.
pub struct Holes<S> {
    source: S,
    free: Vec<Range<u64>>,
}

impl<S: BlockSource> Holes<S> {
    /// `source` with zeros in the ranges `free`, which may overlap and come in any order.
    pub fn new(source: S, free: Vec<Range<u64>>) -> Self {
        Self { source, free: merge(free) }
    }

    /// The holes, ascending and disjoint.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.free
    }

    /// The disk without the holes.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S: BlockSource> BlockSource for Holes<S> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.len())?;
        let within = offset..offset + buf.len() as u64;
        let mut holes = touching(&self.free, &within);
        let part = |range: &Range<u64>| {
            (range.start.max(offset) - offset) as usize..(range.end.min(within.end) - offset) as usize
        };
        let long = |range: &Range<u64>| part(range).len() as u64 >= SHORT;
        let mut at = 0;
        // At a hole that is long, or that the part to be read begins with, reading starts anew.
        while at < buf.len() {
            let next = holes.iter().position(|hole| long(hole) || part(hole).start == at);
            let (short, rest) = holes.split_at(next.unwrap_or(holes.len()));
            let end = rest.first().map_or(buf.len(), |hole| part(hole).start);
            // A hole at the end of that part needs no reading either.
            let used = match short.last() {
                Some(hole) if part(hole).end == end => part(hole).start,
                _ => end,
            };
            if used > at {
                self.source.read_at(offset + at as u64, &mut buf[at..used])?;
            }
            for hole in short {
                buf[part(hole)].fill(0);
            }
            at = end;
            if let Some((hole, after)) = rest.split_first() {
                buf[part(hole)].fill(0);
                at = part(hole).end;
                holes = after;
            } else {
                holes = &[];
            }
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let data = self.source.data_ranges(within)?;
        Ok(data.into_iter().flat_map(|range| uncovered(&self.free, range)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Ones everywhere; counts the bytes that are read.
    struct Ones(u64, AtomicU64);

    impl BlockSource for Ones {
        fn len(&self) -> u64 {
            self.0
        }
        fn read_at(&self, _: u64, buf: &mut [u8]) -> Result<(), Error> {
            buf.fill(1);
            self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn holes_read_as_zeros_and_nothing_else_does() {
        let size = 1 << 20;
        let free = vec![700_000..900_000, 0..4096, 8192..12_288, 100_000..110_000, 800_000..901_000];
        let disk = Holes::new(Ones(size, AtomicU64::new(0)), free.clone());
        let model: Vec<u8> =
            (0..size).map(|at| u8::from(!free.iter().any(|range| range.contains(&at)))).collect();
        let mut seed = 7_u64;
        let mut random = |limit: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % limit
        };
        let borders: Vec<u64> =
            free.iter().flat_map(|range| [range.start, range.end]).chain([0, size]).collect();
        for round in 0..3000 {
            let mut ends = [random(size + 1), random(size + 1)];
            if round % 3 == 0 {
                ends = [0, 1].map(|_| borders[random(borders.len() as u64) as usize]);
            }
            ends.sort_unstable();
            let mut got = vec![9; (ends[1] - ends[0]) as usize];
            disk.read_at(ends[0], &mut got).unwrap();
            assert!(got == model[ends[0] as usize..ends[1] as usize], "round {round}: {ends:?}");
        }
        let data = disk.data_ranges(0..size).unwrap();
        assert_eq!(
            data,
            [4096..8192, 12_288..100_000, 110_000..700_000, 901_000..size],
            "data and holes together are the disk"
        );
        assert_eq!(disk.data_ranges(1000..9000).unwrap(), [4096..8192]);
        assert_eq!(disk.ranges()[3], 700_000..901_000);
        assert!(disk.read_at(size, &mut [0]).is_err());
    }

    #[test]
    fn long_holes_are_not_read() {
        let disk = Holes::new(Ones(1 << 20, AtomicU64::new(0)), vec![0..300_000, 400_000..1 << 20]);
        disk.read_at(0, &mut vec![9; 1 << 20]).unwrap();
        assert_eq!(disk.source().1.load(Ordering::Relaxed), 100_000);
        disk.read_at(1000, &mut [9; 4096]).unwrap();
        assert_eq!(disk.source().1.load(Ordering::Relaxed), 100_000);
    }
}
