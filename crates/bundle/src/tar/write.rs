//! The tar stream of a disk, readable at any offset, so that every thread makes its own piece of it.
//!
//! Everything that could differ between two runs is fixed: mode 0644, owner 0, time 0, no user names, as
//! euca2ools has it.

use std::ops::Range;

use hardtack_disk::BlockSource;

use super::field;
use crate::Error;
use crate::layout::{BLOCK, LONGEST_PREFIX, RECORD};

/// The stream: header and map, the data, zeros up to a whole record.
pub(crate) struct Stream<'a> {
    disk: &'a dyn BlockSource,
    head: Vec<u8>,
    /// The disk's data, ascending, and where each range lies among the stored bytes.
    map: Vec<(u64, Range<u64>)>,
    stored: u64,
    length: u64,
}

impl<'a> Stream<'a> {
    /// The stream of `disk` as the member `name`, of which `data` are the ranges that are not zero.
    pub(crate) fn new(disk: &'a dyn BlockSource, name: &str, data: Vec<Range<u64>>) -> Result<Self, Error> {
        if name.is_empty() || name.len() > LONGEST_PREFIX {
            return Err(Error::Usage(format!(
                "a bundle's name has 1 to {LONGEST_PREFIX} bytes, and {name:?} has {}: give another prefix",
                name.len()
            )));
        }
        let size = disk.len();
        let mut map = Vec::with_capacity(data.len());
        let mut stored = 0;
        for range in data {
            let length = range.end - range.start;
            map.push((stored, range));
            stored += length;
        }
        let is_sparse = stored < size;
        let mut head = vec![0; BLOCK];
        head[field::NAME][..name.len()].copy_from_slice(name.as_bytes());
        head[field::MODE].copy_from_slice(b"0000644\0");
        for zero in [field::UID, field::GID, field::MAJOR, field::MINOR] {
            head[zero].copy_from_slice(b"0000000\0");
        }
        head[field::SIZE].copy_from_slice(&number(stored));
        head[field::MTIME].copy_from_slice(&number(0));
        head[field::KIND] = if is_sparse { b'S' } else { b'0' };
        head[field::MAGIC].copy_from_slice(b"ustar  \0");
        if is_sparse {
            write_map(&mut head, &map, size);
        }
        let sum: u32 = head[..BLOCK]
            .iter()
            .enumerate()
            .map(|(at, byte)| if field::CHECKSUM.contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        head[field::CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let beyond = || Error::Usage("no tar archive holds so large a disk".to_owned());
        let blocks = stored.checked_next_multiple_of(BLOCK as u64).ok_or_else(beyond)?;
        let length = blocks
            .checked_add(head.len() as u64 + 2 * BLOCK as u64)
            .and_then(|length| length.checked_next_multiple_of(RECORD))
            .ok_or_else(beyond)?;
        Ok(Self { disk, head, map, stored, length })
    }

    /// Bytes of the stream.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Fills `out` with the stream's bytes from `offset` on, which lie inside it.
    pub(crate) fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        out.fill(0);
        let end = offset + out.len() as u64;
        let head = self.head.len() as u64;
        if offset < head {
            let part = &self.head[offset as usize..head.min(end) as usize];
            out[..part.len()].copy_from_slice(part);
        }
        // In bytes of what is stored.
        let (start, stop) = (offset.max(head) - head, end.max(head).min(head + self.stored) - head);
        let first = self.map.partition_point(|(at, range)| at + (range.end - range.start) <= start);
        for (at, range) in self.map.iter().skip(first).take_while(|(at, _)| *at < stop) {
            let from = start.max(*at);
            let to = stop.min(at + (range.end - range.start));
            let place = (head + from - offset) as usize..(head + to - offset) as usize;
            self.disk.read_at(range.start + (from - at), &mut out[place])?;
        }
        Ok(())
    }
}

/// Four ranges in the header, 21 in each block behind it.
fn write_map(head: &mut Vec<u8>, map: &[(u64, Range<u64>)], size: u64) {
    head[field::REAL_SIZE].copy_from_slice(&number(size));
    let mut ranges: Vec<(u64, u64)> =
        map.iter().map(|(_, range)| (range.start, range.end - range.start)).collect();
    // GNU tar makes the file so long only when the map says where it ends.
    if map.last().is_none_or(|(_, range)| range.end < size) {
        ranges.push((size, 0));
    }
    let write = |place: &mut [u8], ranges: &[(u64, u64)]| {
        for (pair, (offset, length)) in place.chunks_exact_mut(field::PAIR).zip(ranges) {
            let (first, second) = pair.split_at_mut(field::PAIR / 2);
            first.copy_from_slice(&number(*offset));
            second.copy_from_slice(&number(*length));
        }
    };
    let (own, rest) = ranges.split_at(ranges.len().min(field::MAP.len() / field::PAIR));
    write(&mut head[field::MAP], own);
    head[field::GOES_ON] = u8::from(!rest.is_empty());
    let mut blocks = rest.chunks(field::MORE.len() / field::PAIR).peekable();
    while let Some(ranges) = blocks.next() {
        let mut block = [0; BLOCK];
        write(&mut block[field::MORE], ranges);
        block[field::MORE_GOES_ON] = u8::from(blocks.peek().is_some());
        head.extend_from_slice(&block);
    }
}

/// Eleven octal digits, or from 8 GiB on, bytes behind one with the highest bit set.
fn number(value: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if value < 1 << 33 {
        field.copy_from_slice(format!("{value:011o}\0").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&value.to_be_bytes());
    }
    field
}
