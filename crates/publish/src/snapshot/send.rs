//! Workers that read, compare, hash and send blocks, and the digest of all of them.
//!
//! Each worker has one block in memory. Before a block is sent its number is kept in the journal, and after it its
//! digest: so a later run knows what the snapshot has, and what it may have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hardtack_bundle::hex;
use hardtack_cloud::Client;
use hardtack_cloud::ebs::{BLOCK, put_block};
use hardtack_disk::BlockSource;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::gate::Gate;
use super::plan::{Candidate, Plan, SIZE};
use crate::journal::Journal;
use crate::poll::{Fresh, jitter};
use crate::refusal::throttled;
use crate::{Error, Teller};

/// Workers, at most: 32 MiB of blocks. EBS' own advice for its full speed is 64 to 100 connections.
pub(super) const MOST: usize = 64;
/// Tries of a block that the service is too busy for, each of them the client's own tries.
const ROUNDS: u32 = 8;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// What earlier runs have sent: by a block's number its digest, or `None` where that is not certain.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeMap<u64, Option<[u8; 32]>>);

impl Earlier {
    /// Reads the journal.
    pub(super) fn read(snapshot: &str, journal: &Journal) -> Self {
        let entries = journal.kept_all(&prefix(snapshot)).into_iter().filter_map(|(index, value)| {
            let digest = value.as_str().and_then(hex::decode).and_then(|bytes| bytes.try_into().ok());
            Some((index.parse().ok()?, digest))
        });
        Self(entries.collect())
    }

    /// All numbers.
    pub(super) fn touched(&self) -> BTreeSet<u64> {
        self.0.keys().copied().collect()
    }
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Blocks that the snapshot has now.
    pub(super) blocks: u64,
    /// Of these, sent by this run.
    pub(super) sent: u64,
    /// The digest of their digests.
    pub(super) digest: [u8; 32],
}

/// What is sent, and where to.
pub(super) struct Task<'a> {
    /// Whom it is sent to.
    pub(super) client: &'a Client,
    /// The disk.
    pub(super) disk: &'a dyn BlockSource,
    /// The snapshot that gets it.
    pub(super) snapshot: &'a str,
    /// Blocks that it has already.
    pub(super) earlier: &'a Earlier,
    /// Gets each block's digest.
    pub(super) journal: &'a Journal,
    /// Is told how far it is.
    pub(super) tell: &'a dyn Teller,
}

/// Sends what `plan` says, `parallel` blocks at a time. The first error ends it.
pub(super) fn send(task: &Task<'_>, plan: Plan<'_>, parallel: usize) -> Result<Sent, Error> {
    let Task { disk, tell, .. } = *task;
    let parallel = parallel.clamp(1, MOST);
    let line = Line {
        task,
        plan: Mutex::new((0, plan)),
        order: Mutex::new(Order::default()),
        gate: Gate::new(parallel),
        failed: Mutex::new(None),
        stop: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        position: AtomicU64::new(0),
    };
    tell.progress(STEP, 0, disk.len());
    std::thread::scope(|scope| {
        for _ in 0..parallel {
            scope.spawn(|| line.work());
        }
    });
    if let Some(error) = lock(&line.failed).take() {
        return Err(error);
    }
    tell.progress(STEP, disk.len(), disk.len());
    let order = std::mem::take(&mut *lock(&line.order));
    let digest = order.hash.finalize().into();
    Ok(Sent { blocks: order.blocks, sent: line.sent.into_inner(), digest })
}

const STEP: &str = "writing the snapshot";

/// What workers share.
struct Line<'a> {
    task: &'a Task<'a>,
    plan: Mutex<(u64, Plan<'a>)>,
    order: Mutex<Order>,
    gate: Gate,
    failed: Mutex<Option<Error>>,
    stop: AtomicBool,
    sent: AtomicU64,
    position: AtomicU64,
}

impl Line<'_> {
    fn work(&self) {
        let mut buffer = vec![0; BLOCK];
        while !self.stop.load(Ordering::Relaxed) {
            let result = self.take().and_then(|taken| match taken {
                Some((turn, candidate)) => self.block(turn, candidate, &mut buffer).map(|()| true),
                None => Ok(false),
            });
            match result {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    lock(&self.failed).get_or_insert(error);
                    return;
                }
            }
        }
    }

    /// The next block, with its turn.
    fn take(&self) -> Result<Option<(u64, Candidate)>, Error> {
        let mut plan = lock(&self.plan);
        let position = plan.1.position();
        let Some(candidate) = plan.1.next()? else { return Ok(None) };
        let turn = plan.0;
        plan.0 += 1;
        drop(plan);
        // Who comes second does not tell of less.
        let position = self.position.fetch_max(position, Ordering::Relaxed).max(position);
        self.task.tell.progress(STEP, position, self.task.disk.len());
        Ok(Some((turn, candidate)))
    }

    fn block(&self, turn: u64, candidate: Candidate, buffer: &mut [u8]) -> Result<(), Error> {
        let data = match buffer.split_at_mut_checked(candidate.length) {
            Some((content, rest)) if candidate.length > 0 => {
                self.task.disk.read_at(candidate.index * SIZE, content)?;
                // The disk may end within its last block.
                rest.fill(0);
                &*buffer
            }
            _ => &ZEROS,
        };
        if !candidate.zeros && data == ZEROS {
            lock(&self.order).put(turn, None);
            return Ok(());
        }
        let digest: [u8; 32] = Sha256::digest(data).into();
        lock(&self.order).put(turn, Some(digest));
        if self.task.earlier.0.get(&candidate.index) == Some(&Some(digest)) {
            return Ok(());
        }
        let key = format!("{}{}", prefix(self.task.snapshot), candidate.index);
        self.task.journal.keep(&key, &Value::Null)?;
        self.put(candidate.index, data, &digest)?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.task.journal.keep(&key, &json!(hex::encode(&digest)))
    }

    /// Sends a block; to a snapshot that was just begun for two minutes, although it is not known yet.
    fn put(&self, index: u64, data: &[u8], digest: &[u8; 32]) -> Result<(), Error> {
        let environment = self.task.client.environment();
        let mut fresh = Fresh::new(self.task.client);
        let mut rounds = 0;
        loop {
            let call = || put_block(self.task.client, self.task.snapshot, index, data, digest);
            let result = self.gate.through(call, |result| result.as_ref().is_err_and(throttled));
            let Err(error) = result else { return Ok(()) };
            if self.stop.load(Ordering::Relaxed) {
                return Err(error.into());
            }
            if error.status() == Some(404) {
                if !fresh.again() {
                    return Err(error.into());
                }
                continue;
            }
            rounds += 1;
            if !busy(&error) || rounds >= ROUNDS {
                return Err(error.into());
            }
            (environment.sleep)(jitter(environment, Duration::from_secs(5)));
        }
    }
}

/// Errors that the client's own tries do not outlast, or that are no errors of the network: two writes of the same
/// block met, or the service did not get all of it in time.
fn busy(error: &hardtack_cloud::Error) -> bool {
    throttled(error) || matches!(error.reason(), Some("CONFLICTING_BLOCK_UPDATE" | "WRITE_REQUEST_TIMEOUT"))
}

fn prefix(snapshot: &str) -> String {
    format!("block/{snapshot}/")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings digests into their order. Blocks are hashed before they are sent, so only as many wait as there are workers.
#[derive(Default)]
struct Order {
    next: u64,
    waiting: BTreeMap<u64, Option<[u8; 32]>>,
    hash: Sha256,
    blocks: u64,
}

impl Order {
    /// `None`: a block that is left out.
    fn put(&mut self, turn: u64, digest: Option<[u8; 32]>) {
        self.waiting.insert(turn, digest);
        while let Some(digest) = self.waiting.remove(&self.next) {
            self.next += 1;
            if let Some(digest) = digest {
                self.hash.update(digest);
                self.blocks += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_taken_in_the_order_of_blocks() {
        let mut order = Order::default();
        order.put(2, Some([2; 32]));
        order.put(1, None);
        assert_eq!((order.blocks, order.waiting.len()), (0, 2));
        order.put(0, Some([1; 32]));
        order.put(3, Some([3; 32]));
        let expected =
            Sha256::new().chain_update([1; 32]).chain_update([2; 32]).chain_update([3; 32]).finalize();
        assert_eq!((order.blocks, order.waiting.len()), (3, 0));
        assert_eq!(order.hash.finalize(), expected);
    }
}
