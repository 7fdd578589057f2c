//! Large writes past the page cache (`O_DIRECT`, open(2)).
//!
//! An output that is to survive a power failure has to reach the disk before the program ends. Through
//! the page cache that is work done twice, once into memory and once out of it, by processors that are
//! busy decompressing. Directly, the disk takes the bytes from where they are while the processors go
//! on, and there is little left to wait for at the end. Where the file system cannot do this, and for
//! short pieces, which would wait for the disk one by one, the usual way is taken.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags};

use crate::AtomicFile;
use crate::atomic::proc_path;

/// What memory, offset and length of a direct write are multiples of; enough for every disk.
const ALIGNMENT: usize = 4096;
/// Shorter pieces go through the page cache.
const LEAST: usize = 128 << 10;

/// A second way to an open file, past the page cache.
pub(super) struct Direct {
    file: Option<File>,
    refused: AtomicBool,
}

impl Direct {
    /// For the file of `out`, which stays the way for everything else; there is none to an output that
    /// nobody waits for.
    pub(super) fn to(out: &AtomicFile) -> Self {
        let open = || {
            let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, proc_path(out.file()), flags, Mode::empty()).ok().map(File::from)
        };
        Self { file: if out.is_durable() { open() } else { None }, refused: AtomicBool::new(false) }
    }

    /// Writes `bytes` at `offset` and says true, or has written nothing that counts: then they are to be
    /// written the usual way, which also has the words for what is wrong.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        let aligned = bytes.len().is_multiple_of(ALIGNMENT)
            && offset.is_multiple_of(ALIGNMENT as u64)
            && bytes.as_ptr().align_offset(ALIGNMENT) == 0;
        let Some(file) = self.file.as_ref().filter(|_| aligned && bytes.len() >= LEAST) else { return false };
        if self.refused.load(Ordering::Relaxed) {
            return false;
        }
        let done = file.write_all_at(bytes, offset).is_ok();
        self.refused.fetch_or(!done, Ordering::Relaxed);
        done
    }
}

/// Bytes that begin at a multiple of [`ALIGNMENT`] in memory.
#[derive(Default)]
pub(super) struct AlignedBytes {
    storage: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBytes {
    /// Makes it so long; what it holds then is of no meaning.
    pub(super) fn resize(&mut self, length: usize) {
        if self.storage.len() < length + ALIGNMENT {
            self.storage = vec![0; length + ALIGNMENT];
            // Never more than one alignment for bytes; 0 would only mean the usual way.
            self.start = self.storage.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        }
        self.length = length;
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.length]
    }
}

impl DerefMut for AlignedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.length]
    }
}
