//! A disk as the parts of a bundle, on all cores.
//!
//! Disk → tar stream (SHA-1 over it) → gzip → AES-128-CBC → parts (SHA-1 of each). Threads take pieces of
//! 1 MiB in turn. Hashing the stream needs order and so does everything behind gzip: each is a [`Turns`],
//! so that one thread hashes while another encrypts and all others pack, which takes nine tenths of the
//! time. What comes out depends on the disk's bytes and the options only. A thread has one piece at a
//! time, so memory is about 4 MiB a thread, at most 40 MiB, and the map of the disk.

mod archive;
mod pack;
mod parts;
mod scan;

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hardtack_disk::BlockSource;
use sha1::{Digest as _, Sha1};

pub use self::archive::{WrittenArchive, write_archive};
use self::pack::{Frame, Packed, Packer};
use self::parts::{Committer, Output, Parts, ToFiles, ToSink};
pub use self::parts::{PackedPart, part_name};
use crate::Error;
use crate::layout::{AES_BLOCK, PART_SIZE, PIECE};
use crate::manifest::{self, Part};
use crate::session::Session;
use crate::tar::Stream;

/// Threads beyond this number only take memory.
const THREADS: usize = 10;
/// From this level on libdeflate takes 9 MiB for each of them, and so there are fewer.
const HUNGRY: u8 = 10;
const HUNGRY_THREADS: usize = 4;

/// How the stream is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gzip {
    /// A member for each MiB: the fastest, and the smallest at the same level.
    #[default]
    Members,
    /// One member, for readers that know no others.
    Single,
}

/// A stage of the work, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking where the disk is not zero.
    Scan,
    /// Packing and writing.
    Write,
    /// Comparing parts with their digests.
    Check,
}

/// Called with the stage, the bytes done and all bytes of it, from any thread.
pub type Progress<'a> = &'a (dyn Fn(Stage, u64, u64) + Sync);

/// How a bundle is written.
#[derive(Clone, Debug)]
pub struct BundleOptions<'a> {
    /// The image's name: the prefix of all files.
    pub name: &'a str,
    /// Where the files will be.
    pub directory: &'a Path,
    /// How the stream is packed.
    pub gzip: Gzip,
    /// 1 (fast) to 12 (small); 9 is the most with [`Gzip::Single`].
    pub level: u8,
    /// All bytes in the stream, zeros too.
    pub dense: bool,
    /// Bytes of each part but the last.
    pub part_size: u64,
    /// Threads.
    pub threads: usize,
    /// Existing files are replaced.
    pub replace: bool,
    /// Files are on the disk before they get their names.
    pub durable: bool,
}

impl<'a> BundleOptions<'a> {
    /// What is right for nearly everybody.
    pub fn new(name: &'a str, directory: &'a Path) -> Self {
        Self {
            name,
            directory,
            gzip: Gzip::Members,
            level: 6,
            dense: false,
            part_size: PART_SIZE,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            replace: false,
            durable: true,
        }
    }
}

/// The parts of a disk. Until [`keep`](Self::keep) is called they are removed when this is dropped.
#[derive(Debug)]
pub struct WrittenParts {
    /// SHA-1 of the tar stream.
    pub digest: manifest::Digest,
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of the disk that are in the stream.
    pub data: u64,
    /// Bytes of all parts.
    pub bundled_size: u64,
    /// The parts.
    pub parts: Vec<Part>,
    files: Files,
}

impl WrittenParts {
    /// The parts stay: their manifest is there.
    pub fn keep(&mut self) {
        self.files.forget();
    }
}

/// What the parts of a disk came to, when none of them is a file of this machine.
#[derive(Clone, Debug)]
pub struct PackedParts {
    /// SHA-1 of the tar stream.
    pub digest: manifest::Digest,
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of the disk that are in the stream.
    pub data: u64,
    /// Bytes of all parts.
    pub bundled_size: u64,
    /// The parts.
    pub parts: Vec<Part>,
}

/// Files that are removed unless somebody keeps them.
#[derive(Debug, Default)]
struct Files(Vec<PathBuf>);

impl Files {
    fn add(&mut self, path: PathBuf) {
        lock(&UNFINISHED).push(path.clone());
        self.0.push(path);
    }

    fn forget(&mut self) {
        let mine: HashSet<PathBuf> = self.0.drain(..).collect();
        lock(&UNFINISHED).retain(|path| !mine.contains(path));
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            // It may be gone already; there is nobody to tell.
            let _ = std::fs::remove_file(path);
        }
        self.forget();
    }
}

/// Parts that have their names and no manifest yet.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The parts that this process has written and whose manifest is still missing, for a program to unlink
/// when a signal ends it.
pub fn unfinished_files() -> Vec<PathBuf> {
    lock(&UNFINISHED).clone()
}

/// Writes `disk` as parts. Each appears whole; after an error none of them is left.
pub fn write_parts(
    disk: &dyn BlockSource,
    session: &Session,
    options: &BundleOptions<'_>,
    progress: Progress<'_>,
) -> Result<WrittenParts, Error> {
    let plan = Plan::new(disk, options, progress)?;
    let (finished, committer) = Committer::new(options.replace);
    let parts = Parts::new(options, session, ToFiles::new(options, finished));
    let (packed, (files, committed)) = std::thread::scope(|scope| {
        let committer = scope.spawn(|| committer.run());
        let packed = run(&plan.stream, parts, options, plan.threads, progress);
        let committed = committer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (packed, committed)
    });
    // Why a part did not get its name says more than that packing could not go on.
    committed?;
    let (digest, (parts, bundled_size)) = packed?;
    Ok(WrittenParts { digest, size: disk.len(), data: plan.data, bundled_size, parts, files })
}

/// Makes the parts of `disk` and hands each over as soon as it is complete, in their order, one at a time: the bytes
/// are those that [`write_parts`] writes. While `sink` has a part nothing else is packed for long, so it bounds the
/// memory: beside what it keeps there is one part, and 4 MiB for each thread. An error of it ends the work.
/// `options.directory`, `replace` and `durable` are not looked at.
pub fn pack_parts<E: From<Error> + Send>(
    disk: &dyn BlockSource,
    session: &Session,
    options: &BundleOptions<'_>,
    progress: Progress<'_>,
    sink: &mut (dyn FnMut(PackedPart) -> Result<(), E> + Send),
) -> Result<PackedParts, E> {
    let mut failed = None;
    let mut sink = |part| {
        sink(part).map_err(|error| {
            failed = Some(error);
            Error::Usage("a part was not taken".to_owned())
        })
    };
    let packed = pack(disk, session, options, progress, &mut sink);
    match failed {
        Some(error) => Err(error),
        None => Ok(packed?),
    }
}

/// Of no type of the caller's, so that it is compiled here: ciphers take ten times as long where a debug build
/// compiles them.
fn pack(
    disk: &dyn BlockSource,
    session: &Session,
    options: &BundleOptions<'_>,
    progress: Progress<'_>,
    sink: &mut (dyn FnMut(PackedPart) -> Result<(), Error> + Send),
) -> Result<PackedParts, Error> {
    let plan = Plan::new(disk, options, progress)?;
    // What is packed is not much longer than the stream.
    let most = options.part_size.min(plan.stream.len().saturating_add(plan.stream.len() / 16 + (1 << 20)));
    let parts = Parts::new(options, session, ToSink::new(sink, most));
    let (digest, (parts, bundled_size)) = run(&plan.stream, parts, options, plan.threads, progress)?;
    Ok(PackedParts { digest, size: disk.len(), data: plan.data, bundled_size, parts })
}

/// What the parts are made of, and by how many.
struct Plan<'a> {
    stream: Stream<'a>,
    /// Bytes of the disk that are in the stream.
    data: u64,
    threads: usize,
}

impl<'a> Plan<'a> {
    fn new(
        disk: &'a dyn BlockSource,
        options: &BundleOptions<'_>,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        if options.part_size == 0 || !options.part_size.is_multiple_of(AES_BLOCK as u64) {
            return Err(Error::Usage(format!("a part has a multiple of {AES_BLOCK} bytes")));
        }
        crate::check_prefix(options.name)?;
        let most = if options.level < HUNGRY { THREADS } else { HUNGRY_THREADS };
        let threads = options.threads.clamp(1, most);
        let data = match options.dense {
            true if disk.is_empty() => Vec::new(),
            true => std::iter::once(0..disk.len()).collect(),
            false => scan::data(disk, threads, &|done, total| progress(Stage::Scan, done, total))?,
        };
        let stored = data.iter().map(|range: &Range<u64>| range.end - range.start).sum();
        Ok(Self { stream: Stream::new(disk, options.name, data)?, data: stored, threads })
    }
}

/// Where the packed stream goes, piece by piece, in its order.
trait Taker: Send {
    /// What it has come to.
    type Done;

    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// There are no more.
    fn finish(self) -> Result<Self::Done, Error>;
}

impl<O: Output + Send> Taker for Parts<'_, O> {
    type Done = (Vec<Part>, u64);

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Parts::write(self, bytes)
    }

    fn finish(self) -> Result<Self::Done, Error> {
        Parts::finish(self)
    }
}

fn run<T: Taker>(
    stream: &Stream<'_>,
    mut taker: T,
    options: &BundleOptions<'_>,
    threads: usize,
    progress: Progress<'_>,
) -> Result<(manifest::Digest, T::Done), Error> {
    let frame = Frame::new(options.gzip);
    taker.write(frame.head())?;
    // A level that is not known is told before any thread is started.
    Packer::new(options.gzip, options.level)?;
    let next = AtomicU64::new(0);
    let (hash, out) = (Turns::new(Sha1::new()), Turns::new((taker, frame)));
    let first: Mutex<Option<Error>> = Mutex::default();
    let work = || -> Result<(), Error> {
        let mut packer = Packer::new(options.gzip, options.level)?;
        let (mut piece, mut packed) = (vec![0; PIECE], Packed::default());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let start = number.saturating_mul(PIECE as u64);
            if start >= stream.len() {
                return Ok(());
            }
            progress(Stage::Write, start, stream.len());
            let length = (stream.len() - start).min(PIECE as u64) as usize;
            let piece = &mut piece[..length];
            stream.read_at(start, piece)?;
            if hash.take(number, |hash| hash.update(&*piece)).is_none() {
                return Ok(());
            }
            packer.pack(piece, &mut packed)?;
            let written = out.take(number, |(taker, frame)| {
                frame.add(&packed, length);
                taker.write(&packed.bytes)
            });
            match written {
                None => return Ok(()),
                Some(result) => result?,
            }
        }
    };
    let worker = || {
        let mut guard = StopOnDrop(&hash, &out, true);
        match work() {
            Ok(()) => guard.2 = false,
            Err(error) => {
                lock(&first).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    if let Some(error) = lock(&first).take() {
        return Err(error);
    }
    progress(Stage::Write, stream.len(), stream.len());
    let (mut taker, frame) = out.into_inner();
    taker.write(&frame.tail())?;
    Ok((hash.into_inner().finalize().into(), taker.finish()?))
}

/// Something that all pieces go through in their order.
struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    next: u64,
    stopped: bool,
    value: T,
}

impl<T> Turns<T> {
    fn new(value: T) -> Self {
        Self { state: Mutex::new(State { next: 0, stopped: false, value }), changed: Condvar::new() }
    }

    /// Waits until every piece before `number` has had its turn, and takes it; none after a failure.
    fn take<R>(&self, number: u64, turn: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut state = lock(&self.state);
        while state.next != number && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return None;
        }
        let result = turn(&mut state.value);
        state.next += 1;
        drop(state);
        self.changed.notify_all();
        Some(result)
    }

    fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    fn into_inner(self) -> T {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).value
    }
}

/// Ends the work of all threads when one of them fails, also by a panic: nobody may wait for the turn of
/// a thread that is gone.
struct StopOnDrop<'a, A, B>(&'a Turns<A>, &'a Turns<B>, bool);

impl<A, B> Drop for StopOnDrop<'_, A, B> {
    fn drop(&mut self) {
        if self.2 {
            self.0.stop();
            self.1.stop();
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
