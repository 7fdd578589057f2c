//! Putting windows of a console together.
//!
//! A cloud keeps the last 64 KiB, or the first, or what there was minutes ago. Where two windows overlap they become one
//! text; what cannot be joined stands in an order with a mark of what is missing in between. Whatever stood in a window
//! stands in the text in one piece: a wrong overlap, in a long run of equal lines, loses no line of either, and whether
//! a credentials block is whole is a matter of its checksum.

use std::ops::Range;

use crate::machine::Part;

/// Stands where something was lost, on a line of its own.
pub(super) const MARK: &[u8] = b"[hardtack: a part of the console is missing here]\n";
/// Fewer bytes are equal by chance: an end of a line and the next's beginning.
const LEAST: usize = 24;
/// Where characters were cut in two, more must be equal beside them.
const LEAST_FRAYED: usize = 64;
/// Longer overlaps are not looked for. Windows of clouds have 64 KiB.
const LONGEST: usize = 1 << 20;

/// The text, and what of it is in one piece.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    text: Vec<u8>,
    /// Pieces without a gap, oldest first; marks stand between them.
    pieces: Vec<Range<usize>>,
    /// Whether the last piece is known to be the newest.
    newest: bool,
    limit: usize,
}

impl Merged {
    /// Nothing yet, and never more than `limit` bytes: the oldest go.
    pub(super) fn new(limit: usize) -> Self {
        Self { text: Vec::new(), pieces: Vec::new(), newest: false, limit }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    fn piece(&self, index: usize) -> &[u8] {
        self.pieces.get(index).and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }

    /// Takes a window in. What cannot be joined with anything is newer than all of it; a kept window is older than the
    /// newest that is known.
    pub(super) fn take(&mut self, window: &[u8], part: Part) {
        let window = window.get(window.len().saturating_sub(self.limit)..).unwrap_or_default();
        if window.is_empty() {
            return;
        }
        let last = self.pieces.len().checked_sub(1);
        let latest = part == Part::Latest;
        match last {
            Some(last) if self.piece(last).ends_with(window) => {}
            Some(last) if window.starts_with(self.piece(last)) => {
                let known = self.piece(last).len();
                self.extend(window.get(known..).unwrap_or_default());
            }
            _ => self.join(window, latest),
        }
        self.newest |= latest;
        self.shorten();
    }

    /// More of the last piece.
    fn extend(&mut self, more: &[u8]) {
        self.text.extend_from_slice(more);
        if let Some(last) = self.pieces.last_mut() {
            last.end = self.text.len();
        }
    }

    fn join(&mut self, window: &[u8], latest: bool) {
        let mut pieces: Vec<Vec<u8>> =
            (0..self.pieces.len()).map(|index| self.piece(index).to_vec()).collect();
        let mut joined = window.to_vec();
        let mut at = None;
        // From the newest: where a run of equal lines fits several pieces, it is the newest's.
        for index in (0..pieces.len()).rev() {
            let Some(piece) = pieces.get(index) else { continue };
            let Some(both) = Overlap::of(piece, &joined, LEAST).or_else(|| Overlap::frayed(piece, &joined))
            else {
                continue;
            };
            let whole = both == Overlap::Known;
            joined = both.join(piece, &joined);
            pieces.remove(index);
            at = Some(index);
            if whole {
                break;
            }
        }
        let end = pieces.len();
        let at = match at {
            // What is there now is the end, also where it goes on with what looked old.
            _ if latest => end,
            Some(at) => at.min(end),
            None if self.newest => end.saturating_sub(1),
            None => end,
        };
        pieces.insert(at, joined);
        self.rebuild(&pieces);
    }

    fn rebuild(&mut self, pieces: &[Vec<u8>]) {
        self.text.clear();
        self.pieces.clear();
        for piece in pieces {
            if !self.text.is_empty() {
                if !self.text.ends_with(b"\n") {
                    self.text.push(b'\n');
                }
                self.text.extend_from_slice(MARK);
            }
            let start = self.text.len();
            self.text.extend_from_slice(piece);
            self.pieces.push(start..self.text.len());
        }
    }

    /// Forgets the oldest lines above the limit.
    fn shorten(&mut self) {
        let Some(excess) = self.text.len().checked_sub(self.limit).filter(|excess| *excess > 0) else {
            return;
        };
        let rest = self.text.get(excess..).unwrap_or_default();
        // From the next line on, unless that is all.
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let cut = excess + if line < rest.len() { line } else { 0 };
        self.text.drain(..cut);
        self.pieces.retain_mut(|piece| {
            *piece = piece.start.saturating_sub(cut)..piece.end.saturating_sub(cut);
            piece.start < piece.end
        });
    }
}

/// How a window lies to a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    /// The piece has all of it.
    Known,
    /// It has all of the piece.
    Covers,
    /// It begins with so many bytes of the piece's end; so many bytes at the piece's end and at its beginning are no
    /// part of that: halves of characters.
    After { same: usize, end: usize, beginning: usize },
    /// It ends with so many bytes of the piece's beginning; in the same way.
    Before { same: usize, end: usize, beginning: usize },
}

impl Overlap {
    fn of(piece: &[u8], window: &[u8], least: usize) -> Option<Self> {
        let (known, after) = scan(piece, window);
        if known {
            return Some(Self::Known);
        }
        let (covers, before) = scan(window, piece);
        if covers {
            return Some(Self::Covers);
        }
        // Both happen with runs of equal lines; the longer is likelier, and then it goes on.
        if after >= least && after >= before {
            return Some(Self::After { same: after, end: 0, beginning: 0 });
        }
        (before >= least).then_some(Self::Before { same: before, end: 0, beginning: 0 })
    }

    /// A service that gives text, and not bytes, cuts a character in two and writes something else for the half.
    fn frayed(piece: &[u8], window: &[u8]) -> Option<Self> {
        let (start, end) = edges(window);
        let (piece_start, piece_end) = edges(piece);
        if (start, end, piece_start, piece_end) == (0, window.len(), 0, piece.len()) {
            return None;
        }
        let inner = window.get(start..).unwrap_or_default();
        let (_, after) = scan(piece.get(..piece_end).unwrap_or_default(), inner);
        let inner = window.get(..end).unwrap_or_default();
        let (_, before) = scan(inner, piece.get(piece_start..).unwrap_or_default());
        if after >= LEAST_FRAYED && after >= before {
            return Some(Self::After { same: after, end: piece.len() - piece_end, beginning: start });
        }
        (before >= LEAST_FRAYED).then_some(Self::Before {
            same: before,
            end: window.len() - end,
            beginning: piece_start,
        })
    }

    fn join(self, piece: &[u8], window: &[u8]) -> Vec<u8> {
        let glue = |first: &[u8], second: &[u8], same: usize, end: usize, beginning: usize| {
            let first = first.get(..first.len().saturating_sub(end)).unwrap_or_default();
            [first, second.get(beginning + same..).unwrap_or_default()].concat()
        };
        match self {
            Self::Known => piece.to_vec(),
            Self::Covers => window.to_vec(),
            Self::After { same, end, beginning } => glue(piece, window, same, end, beginning),
            Self::Before { same, end, beginning } => glue(window, piece, same, end, beginning),
        }
    }
}

/// Where the whole characters begin and end: halves, `?` and U+FFFD at the very edges are no part of them.
fn edges(text: &[u8]) -> (usize, usize) {
    const REPLACED: &[u8] = "\u{fffd}".as_bytes();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|_| start < 9) {
        match rest.first() {
            Some(0x80..=0xbf | b'?') => start += 1,
            _ if rest.starts_with(REPLACED) => start += REPLACED.len(),
            _ => break,
        }
    }
    let mut end = text.len();
    while let Some(rest) = text.get(start..end).filter(|_| text.len() - end < 9) {
        match rest.last() {
            _ if rest.ends_with(REPLACED) => end -= REPLACED.len(),
            Some(b'?' | 0xc2..=0xf4) => end -= 1,
            // The beginning of a longer character.
            Some(0x80..=0xbf)
                if std::str::from_utf8(rest.get(rest.len().saturating_sub(4)..).unwrap_or_default())
                    .is_err_and(|error| error.error_len().is_none()) =>
            {
                end -= 1;
            }
            _ => break,
        }
    }
    (start, end)
}

/// Whether `text` holds `pattern`, and how many bytes at its end are `pattern`'s beginning (Knuth, Morris, Pratt): linear,
/// whatever the texts are.
fn scan(text: &[u8], pattern: &[u8]) -> (bool, usize) {
    let whole = pattern.len() <= LONGEST;
    let head = pattern.get(..pattern.len().min(LONGEST)).unwrap_or_default();
    // Where what is searched for is longer than the search, only an end can match.
    let from = if whole { 0 } else { text.len().saturating_sub(LONGEST) };
    if head.is_empty() {
        return (true, 0);
    }
    let borders = borders(head);
    let back =
        |length: usize| length.checked_sub(1).and_then(|at| borders.get(at)).map_or(0, |at| *at as usize);
    let mut matched = 0;
    for byte in text.get(from..).unwrap_or_default() {
        if matched == head.len() {
            matched = back(matched);
        }
        while matched > 0 && head.get(matched) != Some(byte) {
            matched = back(matched);
        }
        if head.get(matched) == Some(byte) {
            matched += 1;
        }
        if matched == head.len() && whole {
            return (true, matched);
        }
    }
    (false, matched)
}

/// For each beginning of `pattern`, the length of the longest other beginning that it ends with.
fn borders(pattern: &[u8]) -> Vec<u32> {
    let mut borders: Vec<u32> = Vec::with_capacity(pattern.len());
    let mut length = 0_usize;
    for (index, byte) in pattern.iter().enumerate() {
        if index > 0 {
            while length > 0 && pattern.get(length) != Some(byte) {
                length = borders.get(length - 1).map_or(0, |at| *at as usize);
            }
            if pattern.get(length) == Some(byte) {
                length += 1;
            }
        }
        borders.push(length as u32);
    }
    borders
}

#[cfg(test)]
mod tests;
