//! The seam that everything reads through: a read-only block device.

use std::ops::Range;

use crate::Error;

/// A read-only disk of fixed size, readable at any offset from any thread.
pub trait BlockSource: Send + Sync {
    /// The size of the disk in bytes.
    fn len(&self) -> u64;

    /// True when the disk holds no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with the bytes from `offset`; a range beyond [`len`](Self::len) is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error>;

    /// The byte ranges inside `within` that may hold anything but zeros, ascending and disjoint.
    /// Everything between them reads as zeros. The default claims the whole range.
    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        Ok(vec![within])
    }
}

impl BlockSource for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let beyond = || Error::OutOfRange { offset, length: buf.len() as u64, size: BlockSource::len(self) };
        let start = usize::try_from(offset).map_err(|_| beyond())?;
        let end = start.checked_add(buf.len()).ok_or_else(beyond)?;
        let bytes = self.get(start..end).ok_or_else(beyond)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
}

/// A pointer to a disk is a disk.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: BlockSource + ?Sized> BlockSource for $pointer {
            fn len(&self) -> u64 {
                (**self).len()
            }

            fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
                (**self).read_at(offset, buf)
            }

            fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
                (**self).data_ranges(within)
            }
        }

        impl<T: BlockWrite + ?Sized> BlockWrite for $pointer {
            fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
                (**self).write_at(offset, bytes)
            }
        }
    )*};
}

forward!(std::sync::Arc<T>, Box<T>, &T);

/// A window of a disk (a partition) as a disk of its own.
pub struct Window<S> {
    source: S,
    range: Range<u64>,
}

impl<S: BlockSource> Window<S> {
    /// The bytes `range` of `source`; the range must lie inside it.
    pub fn new(source: S, range: Range<u64>) -> Result<Self, Error> {
        if range.start > range.end || range.end > source.len() {
            return Err(Error::OutOfRange {
                offset: range.start,
                length: range.end.saturating_sub(range.start),
                size: source.len(),
            });
        }
        Ok(Self { source, range })
    }

    fn translate(&self, offset: u64, length: u64) -> Result<u64, Error> {
        let size = self.range.end - self.range.start;
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(self.range.start + offset),
            _ => Err(Error::OutOfRange { offset, length, size }),
        }
    }
}

impl<S: BlockSource> BlockSource for Window<S> {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let at = self.translate(offset, buf.len() as u64)?;
        self.source.read_at(at, buf)
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let base = self.range.start;
        let start = self.translate(within.start, within.end.saturating_sub(within.start))?;
        let end = start + within.end.saturating_sub(within.start);
        let ranges = self.source.data_ranges(start..end)?;
        Ok(ranges.into_iter().map(|range| range.start - base..range.end - base).collect())
    }
}

impl<S: BlockWrite> BlockWrite for Window<S> {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let at = self.translate(offset, bytes.len() as u64)?;
        self.source.write_at(at, bytes)
    }
}

/// A disk that can be changed in place. Interior mutability: file-system code shares one overlay.
pub trait BlockWrite: BlockSource {
    /// Replaces the bytes from `offset`; a range beyond the end is an error.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error>;
}
