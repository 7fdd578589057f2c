//! What is inside an initramfs, read as the kernel unpacks it, and archives to put behind it.
//!
//! Facts: `init/initramfs.c` and `lib/decompress_*.c` of the kernel, `cpio(5)`. An initrd is any
//! number of newc archives, each plain or compressed, with zero bytes between them; a plain one
//! starts at a multiple of four bytes. Later entries replace earlier ones, and a regular file that
//! is there already is *overwritten in place*: all its hard links change with it.

mod compression;
mod cpio;
mod scan;
mod view;

pub use compression::Compression;
pub use cpio::{Archive, Entry};
pub use scan::{Limits, Segment, scan};
pub use view::{Blob, Kind, Node, View, digest, is_busybox};

pub(crate) use compression::{Module, expand};

/// Why an initramfs cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("byte {offset:#x}: {what}")]
pub struct InitramfsError {
    /// Offset in the initrd where the archive starts that is at fault.
    pub offset: u64,
    /// What was found there.
    pub what: String,
}

impl InitramfsError {
    pub(crate) fn new(offset: u64, what: impl Into<String>) -> Self {
        Self { offset, what: what.into() }
    }
}

/// The bytes to append to an initrd of `length` bytes, the last archive of which is compressed
/// with `last`, so that the kernel unpacks `archive` after everything else.
///
/// Everywhere but behind LZ4 the archive stays plain, at the next multiple of four bytes. The
/// kernel's reader of legacy LZ4 frames runs to the end of its input and, before 5.15, stumbles over
/// anything that is not LZ4; but a second frame it takes, so there the archive becomes one.
#[must_use]
pub fn tail(length: u64, last: Compression, archive: &[u8]) -> Vec<u8> {
    if last == Compression::Lz4 {
        return compression::lz4_legacy(archive);
    }
    let padding = usize::try_from(length.wrapping_neg() % 4).unwrap_or(0);
    let mut tail = vec![0; padding];
    tail.extend_from_slice(archive);
    tail
}

#[cfg(test)]
mod tests;
