//! What becomes of each cluster of an edited image, in windows of the disk.

use std::collections::VecDeque;
use std::ops::Range;

use crate::qcow2::Stored;
use crate::ranges::touching;
use crate::sink::qcow2::fresh::{self, BATCH, Runs};
use crate::{BlockSource, Error, Qcow2Source};

/// Kept clusters of a window at most.
const WINDOW: usize = 1 << 16;
/// Stored bytes of the kept clusters of a window at most, so that progress is seen.
const WINDOW_BYTES: u64 = 512 << 20;

/// A cluster that is taken over as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The disk's cluster.
    pub(super) index: u64,
    /// Where it lies in the old file.
    pub(super) offset: u64,
    /// Its length there in bytes: of a compressed cluster the most that it can be, at first.
    pub(super) length: u64,
    /// Not compressed.
    pub(super) plain: bool,
}

/// The clusters of a part of the disk; those that are in neither list are zeros.
pub(super) struct Window {
    /// Where it begins on the disk.
    pub(super) start: u64,
    pub(super) kept: Vec<Kept>,
    /// Runs of clusters that are read from the disk.
    pub(super) renewed: Vec<Range<u64>>,
}

/// Walks over the disk.
pub(super) struct Planner<'a> {
    source: &'a Qcow2Source,
    disk: &'a dyn BlockSource,
    changed: &'a [Range<u64>],
    cluster: u64,
    /// Where the disk has not been asked for its data yet.
    next: u64,
    /// Clusters with data that are in no window yet.
    data: VecDeque<Range<u64>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(source: &'a Qcow2Source, disk: &'a dyn BlockSource, changed: &'a [Range<u64>]) -> Self {
        Self { source, disk, changed, cluster: source.cluster_size(), next: 0, data: VecDeque::new() }
    }

    /// The next cluster that may hold data.
    fn next_cluster(&mut self) -> Result<Option<u64>, Error> {
        loop {
            if let Some(range) = self.data.front_mut() {
                if let Some(index) = range.next() {
                    return Ok(Some(index));
                }
                self.data.pop_front();
                continue;
            }
            if self.next >= self.disk.len() {
                return Ok(None);
            }
            let span = self.next..self.next.saturating_add(fresh::span(self.cluster)).min(self.disk.len());
            self.next = span.end;
            self.data = fresh::clusters(self.disk.data_ranges(span)?, self.cluster).into();
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Window>, Error> {
        let mut window: Option<Window> = None;
        let (mut runs, mut waiting, mut copied) = (Runs::default(), 0, 0);
        while waiting < BATCH
            && copied < WINDOW_BYTES
            && window.as_ref().is_none_or(|window| window.kept.len() < WINDOW)
        {
            let Some(index) = self.next_cluster()? else { break };
            let start = index * self.cluster;
            let window =
                window.get_or_insert_with(|| Window { start, kept: Vec::new(), renewed: Vec::new() });
            match self.kept(index)? {
                Fate::Keep(kept) => {
                    copied += kept.length;
                    window.kept.push(kept);
                }
                Fate::Renew => {
                    runs.push(index, self.cluster);
                    waiting += self.cluster;
                }
                Fate::Zero => {}
            }
        }
        Ok(window.map(|window| Window { renewed: runs.0, ..window }))
    }

    fn kept(&self, index: u64) -> Result<Fate, Error> {
        let (start, end) = (index * self.cluster, (index + 1) * self.cluster);
        // What lies behind the disk's end may be anything in the source.
        let whole = end <= self.source.len().min(self.disk.len());
        if !whole || !touching(self.changed, &(start..end)).is_empty() {
            return Ok(Fate::Renew);
        }
        Ok(match self.source.cluster_at(index)? {
            Stored::Plain { offset } => Fate::Keep(Kept { index, offset, length: self.cluster, plain: true }),
            Stored::Compressed { offset, length } => Fate::Keep(Kept { index, offset, length, plain: false }),
            Stored::Zero => Fate::Zero,
            // A backing file's, or a mixture.
            Stored::Absent | Stored::Subclusters { .. } => Fate::Renew,
        })
    }
}

enum Fate {
    Keep(Kept),
    Renew,
    Zero,
}
