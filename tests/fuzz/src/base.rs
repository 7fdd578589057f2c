//! Base images and the patches to them.
//!
//! An input: one byte, whose low seven bits are the number of a base (modulo their count) and whose high
//! bit asks for checksums to be made right afterwards; then patches. A patch: a place (3 bytes,
//! little-endian), a length (1 byte: its low four bits, plus one), that many bytes or what is left.
//!
//! Places count the bytes of the base that are worth changing: those in 64-byte pieces that are not all
//! zero, and the piece behind each. They wrap at the end.

use std::ops::Range;
use std::sync::OnceLock;

use hardtack_disk::{BlockSource, Error};

/// Bytes of a piece.
const PIECE: usize = 64;

/// A base image as it is embedded: its compressed bytes, and where patches may go.
pub(crate) struct Packed {
    bytes: &'static [u8],
    within: Range<usize>,
    unpacked: OnceLock<Base>,
}

/// A base image.
pub(crate) struct Base {
    pub(crate) bytes: Vec<u8>,
    places: Vec<Range<usize>>,
    count: usize,
}

/// A base whose patches go anywhere.
pub(crate) const fn packed(bytes: &'static [u8]) -> Packed {
    packed_within(bytes, 0..usize::MAX)
}

/// A base whose patches stay inside `within`.
pub(crate) const fn packed_within(bytes: &'static [u8], within: Range<usize>) -> Packed {
    Packed { bytes, within, unpacked: OnceLock::new() }
}

impl Packed {
    fn base(&self) -> &Base {
        self.unpacked.get_or_init(|| {
            let bytes = zstd::decode_all(self.bytes).expect("the base is a zstd file");
            let within = self.within.start..self.within.end.min(bytes.len());
            let mut places: Vec<Range<usize>> = Vec::new();
            for at in within.clone().step_by(PIECE) {
                let end = (at + PIECE).min(within.end);
                if bytes[at..end].iter().any(|byte| *byte != 0) {
                    let end = (end + PIECE).min(within.end);
                    match places.last_mut() {
                        Some(last) if last.end >= at => last.end = end,
                        _ => places.push(at..end),
                    }
                }
            }
            let count = places.iter().map(|range| range.len()).sum();
            Base { bytes, places, count }
        })
    }
}

/// What an input says.
pub(crate) struct Mutant<'a> {
    pub(crate) base: &'static Base,
    /// Checksums are to be made right.
    pub(crate) repaired: bool,
    /// Places in the base and their new bytes.
    pub(crate) patches: Vec<(usize, &'a [u8])>,
}

impl<'a> Mutant<'a> {
    /// Reads an input.
    pub(crate) fn read(bases: &'static [Packed], input: &'a [u8]) -> Option<Self> {
        let (first, mut rest) = input.split_first()?;
        let base = bases.get(usize::from(first & 0x7f) % bases.len())?.base();
        let mut patches = Vec::new();
        while let [a, b, c, length, bytes @ ..] = rest {
            let count = (1 + usize::from(length & 15)).min(bytes.len());
            let place = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
            patches.push((base.at(place), &bytes[..count]));
            rest = &bytes[count..];
        }
        Some(Self { base, repaired: first & 0x80 != 0, patches })
    }

    /// The base with the patches.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.base.bytes.clone();
        for (at, new) in &self.patches {
            let count = new.len().min(bytes.len() - at);
            bytes[*at..at + count].copy_from_slice(&new[..count]);
        }
        bytes
    }
}

impl Base {
    fn at(&self, place: usize) -> usize {
        let mut left = place % self.count.max(1);
        for range in &self.places {
            if left < range.len() {
                return range.start + left;
            }
            left -= range.len();
        }
        0
    }
}

impl BlockSource for Base {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.bytes.read_at(offset, buf)
    }
}
