//! From a stream to a file without a name: what has to be unpacked is unpacked here, once.
//!
//! The file is gone with the process, however that ends. Zero blocks become holes. The stream is
//! unpacked on one thread and written on another.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use rustix::fs::{CWD, Mode, OFlags};

use super::MARGIN;
use super::codec::Budget;
use super::input::{Region, uncarry};
use super::tar::Expanded;
use crate::Error;

/// Bytes per buffer, and buffers on their way between the two threads.
const BUFFER: usize = 1 << 20;
const BUFFERS: usize = 4;
/// Length of a hole: a block of nearly every file system.
const BLOCK: usize = 4096;

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Bytes that may be written in `directory`: what is free less [`MARGIN`].
pub(super) fn free_space(directory: &Path) -> Result<u64, Error> {
    let found = rustix::fs::statvfs(directory)
        .map_err(|source| Error::io(directory, "find its free space", source))?;
    let all = found.f_blocks.saturating_mul(found.f_frsize);
    Ok(found.f_bavail.saturating_mul(found.f_frsize).saturating_sub(MARGIN.min(all / 20)))
}

/// A file without a name in `directory`.
fn unnamed_file(directory: &Path) -> Result<File, Error> {
    let mode = Mode::from_raw_mode(0o600);
    let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::openat(CWD, directory, flags, mode) {
        return Ok(File::from(file));
    }
    // A file system without O_TMPFILE: the name lives for a moment.
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!(".hardtack-scratch-{}-{serial}.tmp", std::process::id()));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let fail = |source| Error::io(directory, "make a temporary file in it", source);
    let file = rustix::fs::openat(CWD, &path, flags, mode).map_err(fail)?;
    rustix::fs::unlink(&path).map_err(fail)?;
    Ok(File::from(file))
}

/// What is read from first to last, with or without knowledge of holes.
pub(super) enum Stream<'a> {
    Plain(Box<dyn Read + 'a>),
    Sparse(Expanded<'a>),
}

impl Stream<'_> {
    /// Reads up to a buffer of bytes, and tells how many bytes of a hole are before them.
    fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let (hole, stream): (u64, &mut dyn Read) = match self {
            Self::Plain(stream) => (0, stream),
            Self::Sparse(stream) => (stream.skip_hole(), stream),
        };
        stream.take(BUFFER as u64).read_to_end(bytes)?;
        Ok(hole)
    }
}

/// Writes all of `stream` to a temporary file in `directory`.
pub(super) fn land(
    stream: &mut Stream<'_>,
    directory: &Path,
    path: &Path,
    format: &'static str,
    budget: &Budget,
) -> Result<Region, Error> {
    let file = unnamed_file(directory)?;
    let length = std::thread::scope(|scope| {
        let (full, to_write) = mpsc::sync_channel::<(u64, Vec<u8>)>(BUFFERS);
        let (empty, to_fill) = mpsc::channel::<Vec<u8>>();
        let file = &file;
        let writer = scope.spawn(move || -> Result<u64, Error> {
            let mut at = 0_u64;
            for (hole, bytes) in to_write {
                at += hole;
                // Asked for every time, since others write as well.
                if free_space(directory)? < bytes.len() as u64 {
                    let what = "too little is free there (--scratch names another directory)";
                    let full = io::Error::new(io::ErrorKind::StorageFull, what);
                    return Err(Error::io(directory, format!("unpack {} into it", path.display()), full));
                }
                write_runs(file, at, &bytes).map_err(|source| {
                    Error::io(directory, format!("unpack {} into it, at {at:#x}", path.display()), source)
                })?;
                at += bytes.len() as u64;
                // The reader may be gone already.
                let _ = empty.send(bytes);
            }
            Ok(at)
        });
        let read = (|| -> Result<(), Error> {
            let mut total = 0_u64;
            loop {
                let mut bytes = to_fill.try_recv().unwrap_or_default();
                bytes.clear();
                let hole = stream.next(&mut bytes).map_err(|error| uncarry(path, error))?;
                let got = bytes.len() as u64;
                total = total.saturating_add(got);
                budget.check(format, total)?;
                // A writer that is gone has an error of its own.
                if (got == 0 && hole == 0) || full.send((hole, bytes)).is_err() {
                    return Ok(());
                }
            }
        })();
        drop(full);
        let written = writer.join().map_err(|_| {
            Error::io(directory, "unpack into it", io::Error::other("the writing thread has failed"))
        })?;
        read.and(written)
    })?;
    file.set_len(length)
        .map_err(|source| Error::io(directory, format!("make a file in it {length} bytes long"), source))?;
    Ok(Region::whole(file, path, length))
}

/// Writes the blocks that are not zero.
fn write_runs(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    let is_zero = |from: usize| {
        let block = &bytes[from..bytes.len().min(from + BLOCK)];
        *block == ZEROS[..block.len()]
    };
    let mut from = 0;
    while from < bytes.len() {
        let mut end = from;
        while end < bytes.len() && !is_zero(end) {
            end += BLOCK;
        }
        file.write_all_at(&bytes[from..end.min(bytes.len())], at + from as u64)?;
        from = end;
        while from < bytes.len() && is_zero(from) {
            from += BLOCK;
        }
    }
    Ok(())
}
