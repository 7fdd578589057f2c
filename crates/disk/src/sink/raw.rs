//! Raw images: written with `pwrite` where the disk is not zero, and nothing elsewhere.

use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::work::{self, Turns};
use super::{Progress, Written, is_zero};
use crate::{AtomicFile, BlockSource, Error};

/// Bytes that a thread reads at once: a whole cluster of any image, so that none is inflated twice.
const PIECE: u64 = 2 << 20;
/// Length of a hole: a block of nearly every file system.
const BLOCK: usize = 4096;

/// Writes `disk` as a sparse raw image on up to `threads` threads. Memory: 2 MiB per thread,
/// 12 threads at most.
pub fn write_raw(
    disk: &dyn BlockSource,
    out: &mut AtomicFile,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Written, Error> {
    let (file, path) = (out.file(), out.path());
    let size = disk.len();
    file.set_len(size).map_err(|source| Error::io(path, format!("make it {size} bytes long"), source))?;
    let data = AtomicU64::new(0);
    let buffer = || vec![0_u8; PIECE as usize];
    work::run(disk, PIECE, threads, progress, &Turns::default(), buffer, |buffer, _, range| {
        let bytes = &mut buffer[..(range.end - range.start) as usize];
        disk.read_at(range.start, bytes)?;
        let mut at = 0;
        while at < bytes.len() {
            let zero = |at: usize| is_zero(&bytes[at..bytes.len().min(at + BLOCK)]);
            if zero(at) {
                at += BLOCK;
                continue;
            }
            let start = at;
            while at < bytes.len() && !zero(at) {
                at += BLOCK;
            }
            let run = &bytes[start..bytes.len().min(at)];
            let to = range.start + start as u64;
            file.write_all_at(run, to)
                .map_err(|source| Error::io(path, format!("write {} bytes at {to:#x}", run.len()), source))?;
            data.fetch_add(run.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(Written { virtual_size: size, file_size: size, data: data.into_inner() })
}
