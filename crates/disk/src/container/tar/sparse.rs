//! Sparse members: which bytes are stored, and the file with its holes.

use std::io::{self, Read};

use super::header::{BLOCK, number};

/// Ranges in a map: a disk of 1 TiB that is data and hole in turn each MiB has as many.
pub(super) const MOST_RANGES: usize = 1 << 20;

/// Where the stored bytes belong.
#[derive(Default)]
pub(super) struct Map {
    /// Offset and length of each range that is stored, ascending.
    ranges: Vec<(u64, u64)>,
    /// Length of the file, holes included.
    pub(super) size: u64,
    /// More of the map follows.
    pub(super) goes_on: bool,
    /// Form 1.0: numbers that are still to come (none before their count is known), and the digits
    /// at the end of the last block.
    numbers: Vec<u64>,
    digits: Vec<u8>,
}

impl Map {
    /// GNU's own form: four ranges at 386, "goes on" at 482, the size at 483.
    pub(super) fn of_gnu(header: &[u8; BLOCK]) -> Result<Self, String> {
        let mut map = Self { size: number(&header[483..495])?, ..Self::default() };
        map.gnu_ranges(&header[386..482])?;
        map.goes_on = header[482] != 0;
        Ok(map)
    }

    /// A block that follows: 21 ranges, "goes on" at 504.
    pub(super) fn extend_gnu(&mut self, block: &[u8; BLOCK]) -> Result<(), String> {
        self.gnu_ranges(&block[..504])?;
        self.goes_on = block[504] != 0;
        Ok(())
    }

    fn gnu_ranges(&mut self, fields: &[u8]) -> Result<(), String> {
        for field in fields.chunks_exact(24) {
            if field[0] == 0 {
                break;
            }
            self.push(number(&field[..12])?, number(&field[12..])?)?;
        }
        Ok(())
    }

    /// pax forms 0.0 and 0.1.
    pub(super) fn of_numbers(size: u64, numbers: &[u64]) -> Result<Self, String> {
        let mut map = Self { size, ..Self::default() };
        for pair in numbers.chunks(2) {
            let [offset, length] = pair else { return Err("its sparse map ends in a range".to_owned()) };
            map.push(*offset, *length)?;
        }
        Ok(map)
    }

    /// pax form 1.0: decimal numbers in lines, first how many ranges there are.
    pub(super) fn of_content(size: u64) -> Self {
        Self { size, goes_on: true, ..Self::default() }
    }

    pub(super) fn extend_content(&mut self, block: &[u8; BLOCK]) -> Result<(), String> {
        for byte in block {
            match byte {
                b'0'..=b'9' if self.digits.len() < 20 => self.digits.push(*byte),
                b'\n' if !self.digits.is_empty() => {
                    let digits = String::from_utf8_lossy(&self.digits);
                    let number = digits.parse().map_err(|_| format!("a sparse map holds {digits}"))?;
                    self.digits.clear();
                    self.numbers.push(number);
                    let have = self.numbers.len() as u64 - 1;
                    if have > 2 * MOST_RANGES as u64 {
                        return Err(too_many());
                    }
                    if have == self.numbers[0].saturating_mul(2) {
                        // The rest of the block is padding.
                        self.goes_on = false;
                        let numbers = std::mem::take(&mut self.numbers);
                        self.ranges = Self::of_numbers(self.size, &numbers[1..])?.ranges;
                        return Ok(());
                    }
                }
                _ => return Err(format!("a sparse map holds the byte {byte:#04x}")),
            }
        }
        Ok(())
    }

    fn push(&mut self, offset: u64, length: u64) -> Result<(), String> {
        if self.ranges.len() >= MOST_RANGES {
            return Err(too_many());
        }
        let least = self.ranges.last().map_or(0, |(offset, length)| offset + length);
        let end = offset.checked_add(length).filter(|end| *end <= self.size);
        if offset < least || end.is_none() {
            return Err(format!(
                "its sparse map has the range {offset}+{length}, after {least}, in a file of {} bytes",
                self.size
            ));
        }
        self.ranges.push((offset, length));
        Ok(())
    }

    /// Refuses a map that tells of other bytes than the `stored` ones.
    pub(super) fn check(&self, stored: u64) -> Result<(), String> {
        let mapped: u64 = self.ranges.iter().map(|(_, length)| length).sum();
        if mapped == stored {
            return Ok(());
        }
        Err(format!("its sparse map tells of {mapped} bytes, and {stored} are stored"))
    }
}

fn too_many() -> String {
    format!("its sparse map has more than {MOST_RANGES} ranges")
}

/// The file with its holes, of the stored bytes.
pub(in crate::container) struct Expanded<'a> {
    stored: Box<dyn Read + 'a>,
    map: Map,
    /// The range that is next, or that `at` is in.
    index: usize,
    at: u64,
    /// Bytes before `at` that are to be read again.
    again: Vec<u8>,
}

impl<'a> Expanded<'a> {
    pub(super) fn new(stored: Box<dyn Read + 'a>, map: Map) -> Self {
        Self { stored, map, index: 0, at: 0, again: Vec::new() }
    }

    /// The first `length` bytes, or all, which are then read again.
    pub(in crate::container) fn peek(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.take(length).read_to_end(&mut head)?;
        self.again.clone_from(&head);
        Ok(head)
    }

    /// Passes over a hole, if one is next, and tells its length.
    pub(in crate::container) fn skip_hole(&mut self) -> u64 {
        if !self.again.is_empty() {
            return 0;
        }
        let hole = self.range().0.saturating_sub(self.at);
        self.at += hole;
        hole
    }

    /// The range that is next or that `at` is in; behind the last one, an empty one at the end.
    fn range(&mut self) -> (u64, u64) {
        while let Some((offset, length)) = self.map.ranges.get(self.index) {
            if self.at < offset + length {
                return (*offset, offset + length);
            }
            self.index += 1;
        }
        (self.map.size, self.map.size)
    }
}

impl Read for Expanded<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.again.is_empty() {
            let length = self.again.len().min(buf.len());
            buf[..length].copy_from_slice(&self.again[..length]);
            self.again.drain(..length);
            return Ok(length);
        }
        let (start, end) = self.range();
        let is_hole = self.at < start;
        let left = if is_hole { start } else { end } - self.at;
        let length = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = match is_hole {
            true => {
                buf[..length].fill(0);
                length
            }
            false => self.stored.read(&mut buf[..length])?,
        };
        self.at += got as u64;
        Ok(got)
    }
}
