//! Bytes of the old file that become bytes of the new one, copied by the kernel where it can.
//!
//! XFS and btrfs make two files share whole blocks that lie at the same place of a block in both
//! (`generic_remap_file_range_prep` in Linux' `fs/remap_range.c`); a range with one odd end is
//! copied whole. So long ranges are cut at the borders of blocks.

use std::os::unix::fs::FileExt;

use rustix::fs::copy_file_range;
use rustix::io::Errno;

use crate::sink::qcow2::layout::Output;
use crate::{Error, Qcow2Source};

/// Bytes that one thread copies at once.
const PIECE: u64 = 8 << 20;
/// Bytes in memory where the kernel cannot copy between the two files.
const BUFFER: u64 = 1 << 20;

/// A block of the file systems that can share blocks.
const BLOCK: u64 = 4096;
/// Shorter ranges are not worth three calls.
const WORTH_SHARING: u64 = 256 << 10;

/// A part of the old file and its place in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) length: u64,
}

/// Copies, joined where one continues another.
#[derive(Default)]
pub(super) struct Copies(Vec<Copy>);

impl Copies {
    pub(super) fn push(&mut self, copy: Copy) {
        match self.0.last_mut() {
            Some(last)
                if last.from + last.length == copy.from
                    && last.to + last.length == copy.to
                    && last.length < PIECE =>
            {
                last.length += copy.length;
            }
            _ => self.0.push(copy),
        }
    }

    pub(super) fn finish(self) -> Vec<Copy> {
        self.0
    }
}

pub(super) struct Copier<'a> {
    pub(super) source: &'a Qcow2Source,
    pub(super) output: &'a Output<'a>,
}

impl Copier<'_> {
    pub(super) fn copy(&self, copy: &Copy) -> Result<(), Error> {
        let Copy { from, to, length } = *copy;
        if length < WORTH_SHARING || from % BLOCK != to % BLOCK {
            return self.part(*copy);
        }
        let head = from.next_multiple_of(BLOCK) - from;
        let whole = (length - head) / BLOCK * BLOCK;
        for (start, length) in [(0, head), (head, whole), (head + whole, length - head - whole)] {
            self.part(Copy { from: from + start, to: to + start, length })?;
        }
        Ok(())
    }

    fn part(&self, copy: Copy) -> Result<(), Error> {
        let Copy { mut from, mut to, length } = copy;
        let end = from + length;
        while from < end {
            let left = usize::try_from(end - from).unwrap_or(usize::MAX);
            match copy_file_range(self.source.file(), Some(&mut from), self.output.file, Some(&mut to), left)
            {
                Err(Errno::INTR) => {}
                // Two file systems, an old kernel, a full disk, a file that was cut off meanwhile:
                // what has a remedy is done the other way, what has none gets its message there.
                Ok(0) | Err(_) => return self.by_hand(from, to, end),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    fn by_hand(&self, mut from: u64, mut to: u64, end: u64) -> Result<(), Error> {
        let mut buffer = vec![0; (end - from).min(BUFFER) as usize];
        while from < end {
            let length = (end - from).min(BUFFER);
            let bytes = &mut buffer[..length as usize];
            self.source.file().read_exact_at(bytes, from).map_err(|error| {
                Error::io(self.source.path(), format!("read {length} bytes at {from:#x}"), error)
            })?;
            self.output.write(to, bytes)?;
            from += length;
            to += length;
        }
        Ok(())
    }
}
