//! Bits of a bitmap block: bit 0 is the lowest of byte 0. What lies behind the end counts as set.

use std::ops::Range;

/// True when the bit is set.
pub(super) fn is_set(bits: &[u8], bit: u32) -> bool {
    bits.get(bit as usize / 8).is_none_or(|byte| byte >> (bit % 8) & 1 != 0)
}

/// Sets or clears a range of bits.
pub(super) fn fill(bits: &mut [u8], range: Range<u32>, set: bool) {
    let mut at = range.start;
    while at < range.end {
        let end = range.end.min(at / 8 * 8 + 8);
        let mask = u8::MAX >> (8 - (end - at)) << (at % 8);
        if let Some(byte) = bits.get_mut(at as usize / 8) {
            if set { *byte |= mask } else { *byte &= !mask }
        }
        at = end;
    }
}

/// The first bit of `range` that is set (or clear); the end of the range when there is none.
pub(super) fn find(bits: &[u8], range: Range<u32>, set: bool) -> u32 {
    let mut at = range.start;
    while at < range.end {
        let byte = at as usize / 8;
        let (word, width) = match bits.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(chunk) => (u64::from_le_bytes(*chunk), 64),
            None => (bits.get(byte).map_or(u64::MAX, |byte| u64::from(*byte)), 8),
        };
        let wanted = if set { word } else { !word } >> (at % 8);
        let found = wanted.trailing_zeros();
        if found < width - at % 8 {
            return range.end.min(at + found);
        }
        at = at / 8 * 8 + width;
    }
    range.end
}

/// The runs of clear bits in a range, in order.
pub(super) struct ClearRuns<'a> {
    bits: &'a [u8],
    rest: Range<u32>,
}

/// Goes over the runs of clear bits in `range`.
pub(super) fn clear_runs(bits: &[u8], range: Range<u32>) -> ClearRuns<'_> {
    ClearRuns { bits, rest: range }
}

impl Iterator for ClearRuns<'_> {
    type Item = Range<u32>;

    fn next(&mut self) -> Option<Range<u32>> {
        let start = find(self.bits, self.rest.clone(), false);
        if start >= self.rest.end {
            return None;
        }
        let end = find(self.bits, start..self.rest.end, true);
        self.rest.start = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_fills_agree_with_single_bits() {
        let mut bits = vec![0_u8; 27];
        let set = [0..1, 3..9, 16..24, 63..65, 100..191, 200..201];
        for range in set.clone() {
            fill(&mut bits, range, true);
        }
        for bit in 0..216 {
            assert_eq!(is_set(&bits, bit), set.iter().any(|range| range.contains(&bit)), "bit {bit}");
        }
        let runs: Vec<_> = clear_runs(&bits, 2..216).collect();
        assert_eq!(runs, [2..3, 9..16, 24..63, 65..100, 191..200, 201..216]);
        assert_eq!(clear_runs(&bits, 100..190).next(), None);
        assert_eq!(clear_runs(&bits, 70..80).next(), Some(70..80));
        fill(&mut bits, 101..190, false);
        assert_eq!(clear_runs(&bits, 100..191).next(), Some(101..190));
        assert!(is_set(&bits, 216), "beyond the end");
        assert_eq!(find(&bits, 201..500, true), 216);
    }
}
