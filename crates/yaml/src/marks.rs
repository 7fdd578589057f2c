//! From the parser's marks, which count characters, to bytes, lines and columns.

use crate::Span;

/// Positions of one text.
pub(crate) struct Marks<'a> {
    text: &'a str,
    /// Byte offset of every character, if there are others than ASCII.
    offsets: Option<Vec<u32>>,
    /// Byte offset of every line's first character.
    lines: Vec<usize>,
    /// Bytes before the text that the parser saw (a byte order mark).
    skipped: usize,
}

impl<'a> Marks<'a> {
    /// `text` is the whole text; the parser saw it from byte `skipped`. At most 4 GiB.
    pub(crate) fn new(text: &'a str, skipped: usize) -> Self {
        let seen = text.get(skipped..).unwrap_or_default();
        let offsets = (!seen.is_ascii())
            .then(|| seen.char_indices().filter_map(|(at, _)| u32::try_from(at).ok()).collect());
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                lines.push(at + 1);
            }
        }
        Self { text, offsets, lines, skipped }
    }

    /// The byte of the parser's character `index`.
    pub(crate) fn byte(&self, index: usize) -> usize {
        let within = match &self.offsets {
            Some(offsets) => offsets.get(index).map_or(self.text.len(), |at| *at as usize + self.skipped),
            None => index + self.skipped,
        };
        within.min(self.text.len())
    }

    /// The span of the bytes `start..end`.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let line = self.lines.partition_point(|first| *first <= start).max(1);
        let first = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(first..start).unwrap_or_default();
        let column = before.chars().filter(|character| *character != '\u{feff}').count() + 1;
        Span { start, end: end.max(start), line, column }
    }

    /// `end` moved before the blanks and line breaks that end the bytes `start..end`.
    pub(crate) fn trimmed(&self, start: usize, end: usize) -> usize {
        let within = self.text.get(start..end).unwrap_or_default();
        start + within.trim_end_matches([' ', '\t', '\n', '\r']).len()
    }

    /// The span of what the parser says.
    pub(crate) fn parsed(&self, span: saphyr_parser::Span) -> Span {
        self.span(self.byte(span.start.index()), self.byte(span.end.index()))
    }
}
