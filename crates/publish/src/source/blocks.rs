//! A snapshot as a disk: blocks are fetched when somebody reads them, neighbours ahead, and some are kept.
//!
//! A block takes the service about 100 ms, however many are asked for at a time (EBS user guide, "Optimize
//! performance for EBS direct APIs"), so reading on begins the blocks behind. Threads of its own fetch; readers wait for
//! what they need only. 64 blocks are kept, 32 MiB.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use hardtack_cloud::Client;
use hardtack_cloud::ebs::{BLOCK, BlockEntry, get_block, list_blocks};
use hardtack_disk::BlockSource;

use super::index::{Index, Tokens};
use super::{Resolved, access};
use crate::journal::Journal;
use crate::{Error, Teller};

/// Blocks that are kept, those under way included.
const KEPT: usize = 64;
/// Blocks that are fetched ahead of who reads one after the other.
const AHEAD: usize = 32;
/// By how much a block that nobody has read yet counts as younger: the clock goes some steps on with each block.
const UNREAD: u64 = 4 * KEPT as u64;
/// Threads that fetch.
const THREADS: usize = 24;
/// Tries of a block that comes damaged, or whose token has expired.
const TRIES: u32 = 4;

/// Where blocks come from: the service, or a test.
pub(super) trait Fetch: Send + Sync {
    /// The block's bytes; `None`: there is none, which reads as zeros.
    fn fetch(&self, block: u64) -> Result<Option<Vec<u8>>, Error>;
}

/// What is known of a block.
#[derive(Clone)]
enum Slot {
    /// It is asked for, or under way.
    Coming,
    /// Its bytes (none: zeros), and when they were used last.
    Here(Option<Arc<Vec<u8>>>, u64),
    /// Why it cannot be had. Who reads it next asks again.
    Failed(String),
}

#[derive(Default)]
struct State {
    slots: BTreeMap<u64, Slot>,
    queue: VecDeque<u64>,
    clock: u64,
    stop: bool,
}

impl State {
    /// Makes room for one block more: drops the one that was used longest ago. False where all are under way.
    fn make_room(&mut self) -> bool {
        if self.slots.len() < KEPT {
            return true;
        }
        let oldest = self.slots.iter().filter_map(|(block, slot)| match slot {
            Slot::Coming => None,
            Slot::Failed(_) => Some((0, *block)),
            Slot::Here(_, used) => Some((*used, *block)),
        });
        match oldest.min() {
            Some((_, block)) => self.slots.remove(&block).is_some(),
            None => false,
        }
    }
}

/// Blocks that are fetched by threads and kept for a while.
pub(super) struct Cache<F> {
    fetch: F,
    state: Mutex<State>,
    /// There is something to fetch, or to stop for.
    work: Condvar,
    /// A block has come.
    news: Condvar,
}

impl<F: Fetch> Cache<F> {
    pub(super) fn new(fetch: F) -> Self {
        Self { fetch, state: Mutex::default(), work: Condvar::new(), news: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of `block`; then those of `ahead` are begun. `None`: zeros.
    pub(super) fn get(
        &self,
        block: u64,
        ahead: impl Iterator<Item = u64>,
    ) -> Result<Option<Arc<Vec<u8>>>, String> {
        let mut state = self.lock();
        // Somebody reads on, where the block before is known. (`ahead` is asked for only then.)
        let reads_on = block.checked_sub(1).is_some_and(|before| state.slots.contains_key(&before));
        if let Some(Slot::Failed(_)) = state.slots.get(&block) {
            state.slots.remove(&block);
        }
        if !state.slots.contains_key(&block) {
            // Who waits for it may exceed what is kept: there are only so many readers.
            state.make_room();
            state.slots.insert(block, Slot::Coming);
            state.queue.push_front(block);
            self.work.notify_one();
        }
        if reads_on {
            for next in ahead {
                if state.slots.contains_key(&next) {
                    continue;
                }
                if !state.make_room() {
                    break;
                }
                state.slots.insert(next, Slot::Coming);
                state.queue.push_back(next);
                self.work.notify_one();
            }
        }
        loop {
            state.clock += 1;
            let now = state.clock;
            match state.slots.get_mut(&block) {
                Some(Slot::Here(bytes, used)) => {
                    *used = now;
                    return Ok(bytes.clone());
                }
                Some(Slot::Failed(why)) => return Err(why.clone()),
                Some(Slot::Coming) => {}
                // It came and went before this thread could look.
                None => {
                    state.slots.insert(block, Slot::Coming);
                    state.queue.push_front(block);
                    self.work.notify_one();
                }
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Fetches until it is stopped.
    pub(super) fn run(&self) {
        let mut state = self.lock();
        while !state.stop {
            let Some(block) = state.queue.pop_front() else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let fetched = self.fetch.fetch(block);
            state = self.lock();
            state.clock += 1;
            let slot = match fetched {
                // Who asked for it has not read it yet: what was read goes first.
                Ok(bytes) => Slot::Here(bytes.map(Arc::new), state.clock + UNREAD),
                Err(error) => Slot::Failed(error.to_string()),
            };
            state.slots.insert(block, slot);
            self.news.notify_all();
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_all();
    }
}

/// Blocks of a snapshot by EBS direct.
struct Remote {
    client: Client,
    snapshot: String,
    listing: Mutex<Listing>,
}

struct Listing {
    index: Arc<Index>,
    tokens: Tokens,
}

impl Remote {
    /// What reads `block`.
    fn entry(&self, block: u64) -> Result<Option<BlockEntry>, Error> {
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let index = listing.index.clone();
        let list = |next: Option<&str>| Ok(list_blocks(&self.client, &self.snapshot, next)?);
        match listing.tokens.find(&index, block, list) {
            // Where a page begins is known for a while only.
            Err(Error::Cloud(error)) if error.is("ValidationException") => {
                listing.index = Arc::new(Index::read(&self.client, &self.snapshot)?);
                let index = listing.index.clone();
                listing.tokens.forget();
                listing.tokens.find(&index, block, list)
            }
            found => found,
        }
    }
}

impl Fetch for Remote {
    fn fetch(&self, block: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut tried = 0;
        loop {
            let Some(entry) = self.entry(block)? else { return Ok(None) };
            tried += 1;
            let error = match get_block(&self.client, &self.snapshot, &entry) {
                Ok(bytes) if bytes.len() == BLOCK => return Ok(Some(bytes)),
                Ok(bytes) => Error::Refused(format!(
                    "{}: block {block} has {} bytes, not {BLOCK}",
                    self.snapshot,
                    bytes.len()
                )),
                // Its token has expired; damage on the way is another case of an answer that is none.
                Err(error @ hardtack_cloud::Error::Answer { .. }) => error.into(),
                Err(error) if error.is("ValidationException") => {
                    self.listing.lock().unwrap_or_else(PoisonError::into_inner).tokens.forget();
                    error.into()
                }
                Err(error) => return Err(error.into()),
            };
            if tried >= TRIES {
                return Err(error);
            }
        }
    }
}

/// A snapshot as a disk. Blocks are fetched when somebody reads them, neighbours ahead, all in parallel; a bounded
/// number is kept.
pub struct SnapshotSource {
    client: Client,
    /// The snapshot that was meant.
    given: String,
    /// The snapshot that is read: that one, or a copy of it.
    snapshot: String,
    encrypted: bool,
    kms_key: Option<String>,
    index: Arc<Index>,
    cache: Arc<Cache<Remote>>,
}

impl std::fmt::Debug for SnapshotSource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SnapshotSource").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl SnapshotSource {
    /// Lists the snapshot's blocks. A snapshot of others is first copied into the account (it cannot be read
    /// otherwise); the copy is in the journal, and [`release`](Self::release) deletes it.
    ///
    /// # Errors
    /// The copy comes to nothing; the account may not read the snapshot, or use its key.
    pub fn open(
        client: &Client,
        resolved: &Resolved,
        journal: &Journal,
        tell: &dyn Teller,
    ) -> Result<Self, Error> {
        let client = client.in_region(&resolved.region);
        let (snapshot, encrypted, kms_key) = if resolved.own {
            (resolved.snapshot.clone(), resolved.encrypted, resolved.kms_key.clone())
        } else {
            let copy = access::copy(&client, resolved, journal, tell)?;
            (copy.id, copy.encrypted, copy.kms_key)
        };
        let index = Arc::new(Index::read(&client, &snapshot)?);
        if index.size != resolved.size {
            return Err(Error::Refused(format!(
                "{snapshot}: EC2 says that it has {} GiB, and its list of blocks says {}",
                resolved.size, index.size
            )));
        }
        let cache = Arc::new(Cache::new(Remote {
            client: client.clone(),
            snapshot: snapshot.clone(),
            listing: Mutex::new(Listing { index: index.clone(), tokens: Tokens::default() }),
        }));
        let source =
            Self { client, given: resolved.snapshot.clone(), snapshot, encrypted, kms_key, index, cache };
        for _ in 0..THREADS {
            let cache = source.cache.clone();
            std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || cache.run()).map_err(
                |error| Error::Refused(format!("cannot begin a thread to read the snapshot: {error}")),
            )?;
        }
        Ok(source)
    }

    /// The snapshot that was read: the parent of what is made of it.
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// True when it is a copy, which [`release`](Self::release) deletes.
    pub fn is_copy(&self) -> bool {
        self.snapshot != self.given
    }

    /// The snapshot as the parent of one that is written in `region`, so that only changed blocks travel: `None` where
    /// it lies elsewhere, or what is written is to be encrypted otherwise. A snapshot with a parent is encrypted as
    /// that one; `encrypted` is what the caller or the account's default ask for, `kms_key` the key that was given.
    pub fn parent(&self, region: &str, encrypted: bool, kms_key: Option<&str>) -> Option<&str> {
        let same_key = kms_key.is_none_or(|key| self.kms_key.as_deref() == Some(key));
        let same = region == self.client.place().region && encrypted == self.encrypted && same_key;
        same.then_some(&*self.snapshot)
    }

    /// Deletes a copy that was made for reading; does nothing where there is none. After what was written of it is
    /// completed: a parent that is gone then is nobody's loss.
    ///
    /// # Errors
    /// It cannot be deleted: it still stands in the journal.
    pub fn release(&self, journal: &Journal) -> Result<(), Error> {
        if self.is_copy() {
            access::release(&self.client, &self.given, &self.snapshot, journal)
        } else {
            Ok(())
        }
    }
}

impl Drop for SnapshotSource {
    fn drop(&mut self) {
        // The threads end with the call that they are in; nobody waits for that.
        self.cache.stop();
    }
}

impl BlockSource for SnapshotSource {
    fn len(&self) -> u64 {
        self.index.size << 30
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        let length = buf.len() as u64;
        let Some(end) = offset.checked_add(length).filter(|end| *end <= self.len()) else {
            return Err(hardtack_disk::Error::OutOfRange { offset, length, size: self.len() });
        };
        let size = BLOCK as u64;
        let mut rest = buf;
        let mut at = offset;
        while at < end {
            let block = at / size;
            let inside = (at % size) as usize;
            let (part, after) = rest.split_at_mut((BLOCK - inside).min(rest.len()));
            rest = after;
            at += part.len() as u64;
            let bytes = if self.index.may_hold(block) {
                self.cache.get(block, self.index.after(block, AHEAD)).map_err(|why| {
                    hardtack_disk::Error::Io {
                        action: format!("read block {block}"),
                        path: PathBuf::from(&self.snapshot),
                        source: std::io::Error::other(why),
                    }
                })?
            } else {
                None
            };
            match bytes.as_ref().and_then(|bytes| bytes.get(inside..inside + part.len())) {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
        let size = BLOCK as u64;
        let runs = hardtack_disk::ranges::touching(
            &self.index.runs,
            &(within.start / size..within.end.div_ceil(size)),
        );
        let bytes = |run: &Range<u64>| (run.start * size).max(within.start)..(run.end * size).min(within.end);
        Ok(runs.iter().map(bytes).filter(|range| !range.is_empty()).collect())
    }
}
