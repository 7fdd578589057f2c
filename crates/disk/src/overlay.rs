//! Edits in memory above a disk that is never written: copy-on-write pages of 4 KiB.
//!
//! Four KiB is the block size of nearly every guest, so whole-block writes never read the disk
//! below. The pages lie in shards by region, so that threads at different places do not meet.
//!
//! An overlay can be larger than the disk below: what lies behind that disk's end reads as zeros.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::error::check_range;
use crate::ranges::merge;
use crate::{BlockSource, BlockWrite, Error};

/// Size of a page in bytes.
const PAGE: u64 = 4096;
/// Pages that follow each other in one shard: 1 MiB of the disk.
const REGION: u64 = 256;
const SHARDS: usize = 16;

type Page = Box<[u8]>;

/// A disk whose changes are kept in memory.
pub struct Overlay<S> {
    below: S,
    /// Length of the disk below, which asks nobody.
    below_len: u64,
    /// Length of this disk, never less than that.
    len: AtomicU64,
    shards: Vec<RwLock<BTreeMap<u64, Page>>>,
}

impl<S: BlockSource> Overlay<S> {
    /// An overlay without changes above `below`.
    pub fn new(below: S) -> Self {
        Self::with_size(below, 0)
    }

    /// An overlay above `below` that is `size` bytes long, or as long as `below` when that is more.
    pub fn with_size(below: S, size: u64) -> Self {
        let below_len = below.len();
        let shards = (0..SHARDS).map(|_| RwLock::new(BTreeMap::new())).collect();
        Self { below, below_len, len: AtomicU64::new(size.max(below_len)), shards }
    }

    /// Makes the disk `size` bytes long, with zeros in what is new. It never becomes shorter.
    pub fn grow(&self, size: u64) {
        self.len.fetch_max(size, Ordering::AcqRel);
    }

    /// The disk below, which is never written.
    pub fn below(&self) -> &S {
        &self.below
    }

    /// Memory that the changes take, in bytes of whole pages.
    pub fn changed_bytes(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len() as u64 * PAGE)
            .sum()
    }

    /// The byte ranges inside `within` that were written, in whole pages, ascending and disjoint.
    /// Everything else is what the disk below holds, and zeros behind its end.
    pub fn changed_ranges(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let within = within.start..within.end.min(self.len());
        let whole =
            |page: u64| (page * PAGE).max(within.start)..(page + 1).saturating_mul(PAGE).min(within.end);
        merge(self.changed_pages(&within).into_iter().map(whole).collect())
    }

    /// Reads what the disk below holds, zeros behind its end.
    fn read_below(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let there = self.below_len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (held, beyond) = buf.split_at_mut(there);
        beyond.fill(0);
        if held.is_empty() { Ok(()) } else { self.below.read_at(offset, held) }
    }

    fn shard(&self, page: u64) -> &RwLock<BTreeMap<u64, Page>> {
        &self.shards[(page / REGION) as usize % SHARDS]
    }

    /// The changed pages that touch `within`, ascending.
    fn changed_pages(&self, within: &Range<u64>) -> Vec<u64> {
        if within.is_empty() {
            return Vec::new();
        }
        let pages = within.start / PAGE..within.end.div_ceil(PAGE);
        let mut changed = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            changed.extend(shard.range(pages.clone()).map(|(page, _)| *page));
        }
        changed.sort_unstable();
        changed
    }
}

/// The part of `offset..offset + length` that lies in the page which holds `offset`.
fn in_page(offset: u64, length: usize) -> (u64, usize, usize) {
    let inside = (offset % PAGE) as usize;
    (offset / PAGE, inside, length.min(PAGE as usize - inside))
}

impl<S: BlockSource> BlockSource for Overlay<S> {
    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.len())?;
        let end = offset + buf.len() as u64;
        // What lies between changed pages is read from below in one go: an inflated cluster
        // holds many pages.
        let mut at = offset;
        for page in self.changed_pages(&(offset..end)) {
            let start = (page * PAGE).max(offset);
            if start > at {
                self.read_below(at, &mut buf[(at - offset) as usize..(start - offset) as usize])?;
            }
            at = (page + 1).saturating_mul(PAGE).min(end);
            let shard = self.shard(page).read().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = shard.get(&page) {
                let inside = (start - page * PAGE) as usize;
                let target = &mut buf[(start - offset) as usize..(at - offset) as usize];
                target.copy_from_slice(&bytes[inside..inside + target.len()]);
            }
        }
        if at < end {
            self.read_below(at, &mut buf[(at - offset) as usize..])?;
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let below = within.start..within.end.min(self.below_len);
        let mut ranges = if below.is_empty() { Vec::new() } else { self.below.data_ranges(below)? };
        ranges.extend(self.changed_ranges(within));
        Ok(merge(ranges))
    }
}

impl<S: BlockSource> BlockWrite for Overlay<S> {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        check_range(offset, bytes.len(), self.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let (page, inside, length) = in_page(offset + done as u64, bytes.len() - done);
            let new = &bytes[done..done + length];
            let mut shard = self.shard(page).write().unwrap_or_else(PoisonError::into_inner);
            match shard.get_mut(&page) {
                Some(held) => held[inside..inside + length].copy_from_slice(new),
                None => {
                    let mut held = vec![0; PAGE as usize].into_boxed_slice();
                    if length < PAGE as usize {
                        self.read_below(page * PAGE, &mut held)?;
                    }
                    held[inside..inside + length].copy_from_slice(new);
                    shard.insert(page, held);
                }
            }
            done += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
