//! Where the scanner is in the text.

/// The end of the text, as a character. (The text itself holds none: it is not printable.)
pub(super) const END: char = '\0';

/// A place in the text, as people count: lines end at `\n`, `\r` and `\r\n` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Byte.
    pub at: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; byte order marks do not count.
    pub column: usize,
}

/// A text and a position in it.
pub(super) struct Cursor<'a> {
    text: &'a str,
    mark: Mark,
    /// Characters before the position.
    pub index: usize,
    /// Line as YAML 1.1 counts, from 0: U+0085, U+2028 and U+2029 end one too.
    pub line: usize,
    /// Column as YAML 1.1 counts, from 0.
    pub column: usize,
}

/// The characters that end a line in YAML 1.1.
pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A line's end or the text's.
pub(super) fn is_break_or_end(c: char) -> bool {
    c == END || is_break(c)
}

/// A blank, a tab, or the end of a line.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t') || is_break_or_end(c)
}

/// A letter of anchors, handles and directives.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, mark: Mark { at: 0, line: 1, column: 1 }, index: 0, line: 0, column: 0 }
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.mark.at..).unwrap_or_default()
    }

    /// The next character.
    pub(super) fn peek(&self) -> char {
        self.rest().chars().next().unwrap_or(END)
    }

    /// The character after `count` others.
    pub(super) fn peek_at(&self, count: usize) -> char {
        self.rest().chars().nth(count).unwrap_or(END)
    }

    /// Goes over `count` characters.
    pub(super) fn forward(&mut self, count: usize) {
        let mut rest = self.rest().chars();
        for _ in 0..count {
            let Some(c) = rest.next() else { return };
            let followed = rest.as_str().starts_with('\n');
            self.mark.at += c.len_utf8();
            self.index += 1;
            let ends_line = c == '\n' || (c == '\r' && !followed);
            if ends_line {
                self.mark.line += 1;
                self.mark.column = 1;
            } else if c != '\u{feff}' {
                self.mark.column += 1;
            }
            if ends_line || (is_break(c) && c != '\r') {
                self.line += 1;
                self.column = 0;
            } else if c != '\u{feff}' {
                self.column += 1;
            }
        }
    }

    /// Goes over the characters for which `wanted` is true, and gives them.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let taken = rest.get(..end).unwrap_or_default();
        self.forward(taken.chars().count());
        taken
    }

    /// Goes over a line break; what it means in a value: all but the two exotic ones are `\n`.
    pub(super) fn line_break(&mut self) -> Option<char> {
        let c = self.peek();
        match c {
            '\r' if self.peek_at(1) == '\n' => self.forward(2),
            '\r' | '\n' | '\u{85}' => self.forward(1),
            '\u{2028}' | '\u{2029}' => {
                self.forward(1);
                return Some(c);
            }
            _ => return None,
        }
        Some('\n')
    }

    /// Whether `---` or `...` stands here as a word.
    pub(super) fn at_separator(&self) -> bool {
        let rest = self.rest();
        (rest.starts_with("---") || rest.starts_with("...")) && is_space(self.peek_at(3))
    }
}
