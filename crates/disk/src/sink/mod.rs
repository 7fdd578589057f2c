//! Sinks: a disk written to a file, raw and sparse or as qcow2, in one pass on all cores.

mod direct;
mod qcow2;
mod raw;
mod work;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::{AtomicFile, BlockSource, Error};

pub use self::qcow2::{
    Compression, OverlayBase, Qcow2Options, RewriteOptions, Rewritten, backing_name, write_overlay,
    write_qcow2, write_qcow2_from,
};
pub use self::raw::write_raw;

/// The format of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// The disk's bytes, with holes where it is zero.
    Raw,
    /// qcow2 version 3 with zlib-compressed clusters of 64 KiB.
    Qcow2,
}

impl ImageFormat {
    /// The name that `qemu-img` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Size of the disk in bytes.
    pub virtual_size: u64,
    /// Length of the file in bytes, holes included.
    pub file_size: u64,
    /// Bytes of the disk that are not zero, in whole blocks (raw: 4 KiB, qcow2: a cluster).
    pub data: u64,
}

/// Called with (bytes of the disk done, all bytes of the disk), from any thread.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Writes `disk` to `out`, which is then ready to be committed.
///
/// The bytes of the output depend on the disk's bytes only, not on the number of threads.
/// `progress` is called from all of them, often.
pub fn write_image(
    disk: &dyn BlockSource,
    out: &mut AtomicFile,
    format: ImageFormat,
    progress: Progress<'_>,
) -> Result<Written, Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match format {
        ImageFormat::Raw => write_raw(disk, out, threads, progress),
        ImageFormat::Qcow2 => {
            write_qcow2(disk, out, &Qcow2Options { threads, ..Qcow2Options::default() }, progress)
        }
    }
}

/// Bytes of one call that writes. For 2 MiB Linux takes huge pages from its free memory, which in a
/// virtual machine that gives free memory back to its host are those that the host has to find
/// first: such writes took twelve times as long as these.
const WRITE: usize = 256 << 10;

/// Writes `bytes` at `offset` of the output.
fn write_at(file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), Error> {
    let mut at = offset;
    for part in bytes.chunks(WRITE) {
        file.write_all_at(part, at)
            .map_err(|source| Error::io(path, format!("write {} bytes at {at:#x}", part.len()), source))?;
        at += part.len() as u64;
    }
    Ok(())
}

/// True when every byte is zero. A comparison of memory, which is fast in every build.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}
