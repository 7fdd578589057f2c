//! Which blocks a snapshot holds, and what reads them.
//!
//! `ListSnapshotBlocks` gives pages of up to 10,000 blocks, each with a token that reads it for a while. A snapshot of
//! 64 TiB has 134 million: all tokens would take gigabytes. So the first walk keeps where each page begins and
//! which runs of blocks there are; tokens are listed again, a page at a time, when somebody reads there.

use std::ops::Range;

use hardtack_cloud::Client;
use hardtack_cloud::ebs::{BLOCK, BlockEntry, BlockPage, list_blocks};

use crate::Error;

/// GiB of the largest volume there is.
const LARGEST: u64 = 64 << 10;
/// Runs that are kept; of a snapshot with more, neighbours are joined, and what lies between them is looked up when it
/// is read.
const MOST_RUNS: usize = 1 << 18;
/// Pages in a row without a block before an answer is no answer.
const EMPTY_PAGES: u32 = 1000;
/// Pages whose tokens are kept.
const PAGES: usize = 4;

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// GiB.
    pub(super) size: u64,
    /// Runs of blocks; between them there is nothing.
    pub(super) runs: Vec<Range<u64>>,
    /// Between the blocks of a run there may be others that the snapshot lacks.
    joined: bool,
    /// The first and the last block of each page, and the token that lists it.
    pages: Vec<(u64, u64, Option<String>)>,
}

impl Index {
    /// Lists all blocks.
    pub(super) fn read(client: &Client, snapshot: &str) -> Result<Self, Error> {
        Self::walk(snapshot, |next| Ok(list_blocks(client, snapshot, next)?))
    }

    pub(super) fn walk(
        snapshot: &str,
        mut list: impl FnMut(Option<&str>) -> Result<BlockPage, Error>,
    ) -> Result<Self, Error> {
        let refuse = |what: String| Err(Error::Refused(format!("{snapshot}: its list of blocks {what}")));
        let mut index = Self::default();
        let (mut next, mut empty): (Option<String>, u32) = (None, 0);
        let mut end = 0;
        loop {
            let page = list(next.as_deref())?;
            if page.block_size != BLOCK as u64 {
                return refuse(format!("has blocks of {} bytes, where {BLOCK} are known", page.block_size));
            }
            if !(1..=LARGEST).contains(&page.size) || index.size != 0 && index.size != page.size {
                return refuse(format!("is of a volume of {} GiB", page.size));
            }
            index.size = page.size;
            let blocks = page.size * (crate::GIB / BLOCK as u64);
            match (page.blocks.first(), page.blocks.last()) {
                (Some(first), Some(last)) => {
                    index.pages.push((first.index, last.index, next));
                    empty = 0;
                }
                _ => empty += 1,
            }
            for block in &page.blocks {
                if block.index < end || block.index >= blocks {
                    return refuse(format!("has block {} after {end}, of {blocks}", block.index));
                }
                end = block.index + 1;
                match index.runs.last_mut() {
                    Some(run) if run.end == block.index => run.end = end,
                    _ => index.runs.push(block.index..end),
                }
            }
            index.join();
            match page.next.filter(|next| !next.is_empty()) {
                Some(_) if empty >= EMPTY_PAGES => {
                    return refuse(format!("goes on for {empty} pages without a block"));
                }
                Some(token) => next = Some(token),
                None => return Ok(index),
            }
        }
    }

    /// Joins neighbours where there are too many runs.
    fn join(&mut self) {
        while self.runs.len() > MOST_RUNS {
            let pairs = self.runs.chunks(2);
            let joined = pairs.filter_map(|pair| Some(pair.first()?.start..pair.last()?.end));
            self.runs = joined.collect();
            self.joined = true;
        }
    }

    /// False where the snapshot surely holds nothing.
    pub(super) fn may_hold(&self, block: u64) -> bool {
        let after = self.runs.partition_point(|run| run.start <= block);
        after.checked_sub(1).and_then(|at| self.runs.get(at)).is_some_and(|run| run.contains(&block))
    }

    /// Up to `count` blocks after `block` that there may be.
    pub(super) fn after(&self, block: u64, count: usize) -> impl Iterator<Item = u64> + '_ {
        let from = self.runs.partition_point(|run| run.end <= block + 1);
        let rest = self.runs.get(from..).unwrap_or_default();
        rest.iter().flat_map(move |run| run.start.max(block + 1)..run.end).take(count)
    }
}

/// The tokens of some pages.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Pages by their place in the index, the one that was used last at the end.
    held: Vec<(usize, Vec<BlockEntry>)>,
}

impl Tokens {
    /// What reads `block`; `None`: the snapshot does not hold it.
    ///
    /// # Errors
    /// The snapshot held it when it was listed first, and now it does not: nothing must be read as zeros for that.
    pub(super) fn find(
        &mut self,
        index: &Index,
        block: u64,
        mut list: impl FnMut(Option<&str>) -> Result<BlockPage, Error>,
    ) -> Result<Option<BlockEntry>, Error> {
        let after = index.pages.partition_point(|(first, ..)| *first <= block);
        let Some((place, (_, last, token))) =
            after.checked_sub(1).and_then(|place| Some((place, index.pages.get(place)?)))
        else {
            return Ok(None);
        };
        let entries = match self.held.iter().position(|(held, _)| *held == place) {
            Some(at) => self.held.remove(at).1,
            None => relist(token.as_deref(), *last, &mut list)?,
        };
        let found = entries.binary_search_by_key(&block, |entry| entry.index).ok();
        let entry = found.and_then(|at| entries.get(at)).cloned();
        if entry.is_none() && !index.joined && index.may_hold(block) {
            return Err(Error::Refused(format!(
                "block {block} was in the snapshot's list of blocks, and now it is not; run it again"
            )));
        }
        if self.held.len() >= PAGES {
            self.held.remove(0);
        }
        self.held.push((place, entries));
        Ok(entry)
    }

    /// Forgets all tokens: they have expired.
    pub(super) fn forget(&mut self) {
        self.held.clear();
    }
}

/// The blocks of a page up to `last`: a page may be shorter than it was when it was listed first.
fn relist(
    token: Option<&str>,
    last: u64,
    list: &mut impl FnMut(Option<&str>) -> Result<BlockPage, Error>,
) -> Result<Vec<BlockEntry>, Error> {
    let mut page = list(token)?;
    let mut entries = page.blocks;
    for _ in 0..EMPTY_PAGES {
        if entries.last().is_some_and(|entry| entry.index >= last) {
            return Ok(entries);
        }
        let Some(next) = page.next.filter(|next| !next.is_empty()) else { return Ok(entries) };
        page = list(Some(&next))?;
        // A list that does not ascend is none, and what cannot be found in it is an error.
        entries.append(&mut page.blocks);
    }
    Err(Error::Refused(format!(
        "the snapshot's list of blocks goes on for {EMPTY_PAGES} pages without {last}"
    )))
}
