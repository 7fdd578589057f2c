//! The first member of a tar stream that nobody vouches for, read block by block.

use std::io::Read;

use super::field;
use crate::layout::{BLOCK, MOST_RANGES_READ};

/// The first member: where its stored bytes belong in the image.
pub(crate) struct Member {
    /// Offset and length of each range that is stored, ascending.
    pub(crate) ranges: Vec<(u64, u64)>,
    /// Bytes of the image, holes included.
    pub(crate) size: u64,
    /// Bytes that follow in the stream.
    pub(crate) stored: u64,
}

/// Bytes of a long name, or of pax records, before the member.
const LONGEST_EXTRA: u64 = 1 << 16;
/// Such headers before the member; GNU tar writes at most two.
const MOST_EXTRAS: usize = 8;

impl Member {
    /// Reads up to the member's first stored byte.
    pub(crate) fn read(stream: &mut dyn Read) -> Result<Self, String> {
        let mut block = [0; BLOCK];
        for _ in 0..=MOST_EXTRAS {
            fill(stream, &mut block)?;
            let size = check(&block)?;
            match block[field::KIND] {
                b'0' | 0 | b'7' => return Ok(Self { ranges: vec![(0, size)], size, stored: size }),
                b'S' => return Self::sparse(stream, &block, size),
                // A long name; its content is of no interest.
                b'L' | b'K' | b'V' if size <= LONGEST_EXTRA => {
                    for _ in 0..size.div_ceil(BLOCK as u64) {
                        fill(stream, &mut block)?;
                    }
                }
                b'x' | b'g' => {
                    return Err(
                        "its tar member has a pax header, which bundles' readers do not know".to_owned()
                    );
                }
                kind => {
                    let kind = char::from(kind).escape_default();
                    return Err(format!("its first tar member is of type {kind}, and no file"));
                }
            }
        }
        Err("no image is behind its first tar headers".to_owned())
    }

    fn sparse(stream: &mut dyn Read, header: &[u8; BLOCK], stored: u64) -> Result<Self, String> {
        let size = number(&header[field::REAL_SIZE])?;
        let mut member = Self { ranges: Vec::new(), size, stored };
        member.push_all(&header[field::MAP])?;
        let (mut goes_on, mut block, mut blocks) = (header[field::GOES_ON] != 0, [0; BLOCK], 0);
        while goes_on {
            // Also of a map that goes on for ever without a range in it.
            blocks += 1;
            if blocks > MOST_RANGES_READ {
                return Err(format!("its sparse map has more than {MOST_RANGES_READ} blocks"));
            }
            fill(stream, &mut block)?;
            member.push_all(&block[field::MORE])?;
            goes_on = block[field::MORE_GOES_ON] != 0;
        }
        let mapped: u64 = member.ranges.iter().map(|(_, length)| length).sum();
        if mapped != stored {
            return Err(format!("its sparse map tells of {mapped} bytes, and {stored} are stored"));
        }
        Ok(member)
    }

    fn push_all(&mut self, fields: &[u8]) -> Result<(), String> {
        for pair in fields.chunks_exact(field::PAIR).take_while(|pair| pair[0] != 0) {
            let (offset, length) = pair.split_at(field::PAIR / 2);
            let (offset, length) = (number(offset)?, number(length)?);
            let least = self.ranges.last().map_or(0, |(offset, length)| offset + length);
            let end = offset.checked_add(length).filter(|end| *end <= self.size);
            if offset < least || end.is_none() {
                return Err(format!(
                    "its sparse map has the range {offset}+{length} behind {least}, in a file of {} bytes",
                    self.size
                ));
            }
            if self.ranges.len() >= MOST_RANGES_READ {
                return Err(format!("its sparse map has more than {MOST_RANGES_READ} ranges"));
            }
            self.ranges.push((offset, length));
        }
        Ok(())
    }
}

fn fill(stream: &mut dyn Read, block: &mut [u8; BLOCK]) -> Result<(), String> {
    stream.read_exact(block).map_err(|error| format!("its tar header cannot be read: {error}"))
}

/// The size in a header whose checksum is right.
fn check(block: &[u8; BLOCK]) -> Result<u64, String> {
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if field::CHECKSUM.contains(&at) { 32 } else { u64::from(*byte) })
        .sum();
    if number(&block[field::CHECKSUM])? != sum {
        return Err("it holds no tar archive: the header's checksum is wrong".to_owned());
    }
    number(&block[field::SIZE])
}

/// A number: octal digits between blanks and zero bytes, or bytes behind one with the highest bit set.
fn number(field: &[u8]) -> Result<u64, String> {
    let strange = || format!("a number in its tar header is {:?}", String::from_utf8_lossy(field));
    match field.split_first() {
        Some((first, rest)) if first & 0x80 != 0 => rest
            .iter()
            .try_fold(u64::from(first & 0x7f), |value, byte| {
                value.checked_mul(256)?.checked_add(u64::from(*byte))
            })
            .ok_or_else(strange),
        _ => {
            let digits = field.iter().copied().skip_while(|byte| *byte == b' ');
            let digits: Vec<u8> = digits.take_while(|byte| !matches!(byte, 0 | b' ')).collect();
            digits
                .iter()
                .try_fold(0_u64, |value, digit| match digit {
                    b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
                    _ => None,
                })
                .ok_or_else(strange)
        }
    }
}
