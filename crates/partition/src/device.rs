//! A disk as the `gpt` crate wants it: with a position, and with a `Write` that never writes.

use std::fmt;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};

use hardtack_disk::BlockSource;

/// A read-only view of a disk from byte `base` on.
pub(crate) struct Device<'a> {
    disk: &'a dyn BlockSource,
    base: u64,
    position: u64,
    /// Why the last read failed: `std::io::Error` would lose the kind.
    pub(crate) failure: Option<hardtack_disk::Error>,
}

impl<'a> Device<'a> {
    pub(crate) fn new(disk: &'a dyn BlockSource, base: u64) -> Self {
        Self { disk, base, position: 0, failure: None }
    }

    fn len(&self) -> u64 {
        self.disk.len().saturating_sub(self.base)
    }
}

impl fmt::Debug for Device<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "disk of {} bytes from {:#x}", self.disk.len(), self.base)
    }
}

impl Read for Device<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let length = self.len().saturating_sub(self.position).min(buf.len() as u64) as usize;
        if length == 0 {
            return Ok(0);
        }
        if let Err(error) = self.disk.read_at(self.base + self.position, &mut buf[..length]) {
            let text = error.to_string();
            self.failure = Some(error);
            return Err(Error::other(text));
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Device<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        // Positions beyond the end are allowed, as for files; reads there find nothing.
        self.position =
            position.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "a position before the disk"))?;
        Ok(self.position)
    }
}

impl Write for Device<'_> {
    fn write(&mut self, _: &[u8]) -> Result<usize> {
        Err(Error::new(ErrorKind::PermissionDenied, "partition tables are never written"))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
