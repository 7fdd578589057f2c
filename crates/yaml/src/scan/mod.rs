//! From text to tokens, as PyYAML does it (`yaml/scanner.py`), which is the YAML 1.1 that user-data is
//! read with.
//!
//! Indentation becomes tokens of its own; a key without `?` is noticed at its `:`, which has to follow on
//! the same line within 1024 characters. Little is read ahead: at most such a key.

mod cursor;
mod scalars;
mod tags;
mod token;

use std::collections::{BTreeMap, VecDeque};

pub(crate) use cursor::Mark;
use cursor::{Cursor, END, is_break, is_break_or_end, is_space};
pub(crate) use token::{Problem, Token, TokenKind};

/// A key is at most so many characters long, unless it has a `?`.
const LONGEST_KEY: usize = 1024;

type Failed = Box<Problem>;

/// A place where a key may have begun.
struct SimpleKey {
    /// Number of the token that would be its first.
    token: usize,
    /// Nothing else may stand there.
    required: bool,
    index: usize,
    line: usize,
    column: usize,
    mark: Mark,
    /// Byte behind its first character.
    first: usize,
}

/// The tokens of a text, one after the other.
pub(crate) struct Scanner<'a> {
    cursor: Cursor<'a>,
    tokens: VecDeque<Token>,
    /// Tokens that were handed out.
    taken: usize,
    done: bool,
    flow_level: usize,
    /// Column of the block; -1 outside all of them.
    indent: isize,
    indents: Vec<isize>,
    allow_simple_key: bool,
    /// By flow level. Deeper ones are younger.
    simple_keys: BTreeMap<usize, SimpleKey>,
    /// Where the plain scalar began that was the last token.
    plain: Mark,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            tokens: VecDeque::new(),
            taken: 0,
            done: false,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            allow_simple_key: true,
            simple_keys: BTreeMap::new(),
            plain: Mark::default(),
        }
    }

    /// The next token, which stays the next one. `StreamEnd` for ever at the end.
    pub(crate) fn peek(&mut self) -> Result<&Token, Failed> {
        while self.need_more()? {
            self.fetch()?;
        }
        if self.tokens.is_empty() {
            let mark = self.cursor.mark();
            self.tokens.push_back(Token { start: mark, end: mark, kind: TokenKind::StreamEnd });
        }
        // Just filled.
        self.tokens.front().ok_or_else(|| Problem::at(Mark::default(), "no token"))
    }

    /// Takes the next token.
    pub(crate) fn next(&mut self) -> Result<Token, Failed> {
        self.peek()?;
        self.taken += 1;
        self.tokens.pop_front().ok_or_else(|| Problem::at(Mark::default(), "no token"))
    }

    fn need_more(&mut self) -> Result<bool, Failed> {
        if self.done {
            return Ok(false);
        }
        if self.tokens.is_empty() {
            return Ok(true);
        }
        self.drop_stale_keys()?;
        Ok(self.simple_keys.first_key_value().is_some_and(|(_, key)| key.token == self.taken))
    }

    fn fetch(&mut self) -> Result<(), Failed> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.unwind(self.column());
        let next = self.cursor.peek();
        let spaced = is_space(self.cursor.peek_at(1));
        let flow = self.flow_level > 0;
        let line_start = self.cursor.column == 0;
        let plain = std::mem::take(&mut self.plain);
        match next {
            END if self.cursor.rest().is_empty() => self.stream_end(),
            '%' if line_start => self.directive(),
            '-' if line_start && self.cursor.at_separator() => self.document(TokenKind::DocumentStart),
            '.' if line_start && self.cursor.at_separator() => self.document(TokenKind::DocumentEnd),
            '[' => self.flow_start(TokenKind::FlowSequenceStart),
            '{' => self.flow_start(TokenKind::FlowMappingStart),
            ']' => self.flow_end(TokenKind::FlowSequenceEnd),
            '}' => self.flow_end(TokenKind::FlowMappingEnd),
            ',' => {
                self.allow_simple_key = true;
                self.remove_key()?;
                self.sign(TokenKind::FlowEntry);
                Ok(())
            }
            '-' if spaced => self.block_entry(),
            '?' if flow || spaced => self.key(),
            ':' if flow || spaced => {
                self.plain = plain;
                self.value()
            }
            '*' | '&' => {
                self.save_key()?;
                self.allow_simple_key = false;
                let token = self.anchor()?;
                self.tokens.push_back(token);
                Ok(())
            }
            '!' => {
                self.save_key()?;
                self.allow_simple_key = false;
                let token = self.tag()?;
                self.tokens.push_back(token);
                Ok(())
            }
            '|' | '>' if !flow => {
                self.allow_simple_key = true;
                self.remove_key()?;
                let token = self.block_scalar()?;
                self.tokens.push_back(token);
                Ok(())
            }
            '\'' | '"' => {
                self.save_key()?;
                self.allow_simple_key = false;
                let token = self.quoted()?;
                self.tokens.push_back(token);
                Ok(())
            }
            _ if self.plain_starts(next, spaced) => {
                self.save_key()?;
                self.allow_simple_key = false;
                let token = self.plain();
                self.plain = token.start;
                self.tokens.push_back(token);
                Ok(())
            }
            _ => Err(self.cannot_start(next)),
        }
    }

    /// The column, to compare with indents.
    fn column(&self) -> isize {
        isize::try_from(self.cursor.column).unwrap_or(isize::MAX)
    }

    fn plain_starts(&self, next: char, spaced: bool) -> bool {
        let indicator = matches!(
            next,
            '-' | '?'
                | ':'
                | ','
                | '['
                | ']'
                | '{'
                | '}'
                | '#'
                | '&'
                | '*'
                | '!'
                | '|'
                | '>'
                | '\''
                | '"'
                | '%'
                | '@'
                | '`'
        );
        (!is_space(next) && !indicator)
            || (!spaced && (next == '-' || (self.flow_level == 0 && matches!(next, '?' | ':'))))
    }

    fn cannot_start(&self, next: char) -> Failed {
        let mark = self.cursor.mark();
        let mut problem = match next {
            '\t' => Problem::at(mark, "a tab cannot separate or indent anything in YAML")
                .hint("use spaces, or quotes around a value that needs the tab"),
            '|' | '>' => {
                Problem::at(mark, format!("not valid YAML: `{next}` cannot start a value inside brackets"))
                    .hint("put the value in quotes")
            }
            _ => Problem::at(mark, format!("not valid YAML: the character `{next}` cannot start a value"))
                .hint("put the value in quotes"),
        };
        problem.end = mark.at + next.len_utf8();
        problem
    }

    /// A token of the next character.
    fn sign(&mut self, kind: TokenKind) {
        let start = self.cursor.mark();
        self.cursor.forward(1);
        self.tokens.push_back(Token { start, end: self.cursor.mark(), kind });
    }

    /// A token that is not written.
    fn virtual_token(&mut self, kind: TokenKind) {
        let mark = self.cursor.mark();
        self.tokens.push_back(Token { start: mark, end: mark, kind });
    }

    fn skip_to_token(&mut self) {
        if self.cursor.index == 0 && self.cursor.peek() == '\u{feff}' {
            self.cursor.forward(1);
        }
        loop {
            self.cursor.take_while(|c| c == ' ');
            if self.cursor.peek() == '#' {
                self.cursor.take_while(|c| !is_break(c));
            }
            if self.cursor.line_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.allow_simple_key = true;
            }
        }
    }

    fn drop_stale_keys(&mut self) -> Result<(), Failed> {
        while let Some(entry) = self.simple_keys.first_entry() {
            let key = entry.get();
            let near = self.cursor.index.saturating_sub(key.index) <= LONGEST_KEY;
            if key.line == self.cursor.line && near {
                break;
            }
            let key = entry.remove();
            if key.required {
                return Err(Self::no_colon(&key));
            }
        }
        Ok(())
    }

    fn no_colon(key: &SimpleKey) -> Failed {
        let message = "not valid YAML: this line is neither `key: value` nor a list item (`- …`)";
        let hint = "a `: ` is missing, or the line belongs to the value above and needs more indentation";
        let mut problem = Problem::at(key.mark, message).hint(hint);
        problem.end = key.first;
        problem
    }

    /// A `: ` where no key can stand before it.
    fn second_value(&self) -> Failed {
        let mark = self.cursor.mark();
        if self.plain.line > 0 && self.plain.line < mark.line {
            let message =
                "not valid YAML: this line continues the value above; mapping values are not allowed there";
            let hint = "a `: ` is missing above, or this line is indented too far";
            return Problem::at(mark, message).hint(hint).since(self.plain, "the value starts here");
        }
        let message = "not valid YAML: a second `: ` on this line; mapping values are not allowed here";
        let hint = "a value that holds `: ` needs quotes; a nested mapping starts on its own line, indented";
        Problem::at(mark, message).hint(hint)
    }

    /// Remembers that a key may begin here.
    fn save_key(&mut self) -> Result<(), Failed> {
        if !self.allow_simple_key {
            return Ok(());
        }
        self.remove_key()?;
        let key = SimpleKey {
            token: self.taken.saturating_add(self.tokens.len()),
            required: self.flow_level == 0 && self.indent == self.column(),
            index: self.cursor.index,
            line: self.cursor.line,
            column: self.cursor.column,
            mark: self.cursor.mark(),
            first: self.cursor.mark().at.saturating_add(self.cursor.peek().len_utf8()),
        };
        self.simple_keys.insert(self.flow_level, key);
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Failed> {
        match self.simple_keys.remove(&self.flow_level) {
            Some(key) if key.required => Err(Self::no_colon(&key)),
            _ => Ok(()),
        }
    }

    /// Closes the blocks that are indented more than `column`.
    fn unwind(&mut self, column: isize) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.virtual_token(TokenKind::BlockEnd);
        }
    }

    fn add_indent(&mut self, column: isize) -> bool {
        let deeper = self.indent < column;
        if deeper {
            self.indents.push(self.indent);
            self.indent = column;
        }
        deeper
    }

    fn stream_end(&mut self) -> Result<(), Failed> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        self.simple_keys.clear();
        self.virtual_token(TokenKind::StreamEnd);
        self.done = true;
        Ok(())
    }

    fn directive(&mut self) -> Result<(), Failed> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn document(&mut self, kind: TokenKind) -> Result<(), Failed> {
        self.unwind(-1);
        self.remove_key()?;
        self.allow_simple_key = false;
        let start = self.cursor.mark();
        self.cursor.forward(3);
        self.tokens.push_back(Token { start, end: self.cursor.mark(), kind });
        Ok(())
    }

    fn flow_start(&mut self, kind: TokenKind) -> Result<(), Failed> {
        self.save_key()?;
        self.flow_level += 1;
        self.allow_simple_key = true;
        self.sign(kind);
        Ok(())
    }

    fn flow_end(&mut self, kind: TokenKind) -> Result<(), Failed> {
        self.remove_key()?;
        // PyYAML goes below zero here; its parser then refuses the bracket.
        self.flow_level = self.flow_level.saturating_sub(1);
        self.allow_simple_key = false;
        self.sign(kind);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Failed> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                let message = "not valid YAML: a list item (`- `) cannot stand here";
                let hint = "put it on a line of its own, or the value in quotes";
                return Err(Problem::at(self.cursor.mark(), message).hint(hint));
            }
            if self.add_indent(self.column()) {
                self.virtual_token(TokenKind::BlockSequenceStart);
            }
        }
        self.allow_simple_key = true;
        self.remove_key()?;
        self.sign(TokenKind::BlockEntry);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Failed> {
        if self.flow_level == 0 {
            if !self.allow_simple_key {
                let message = "not valid YAML: a key (`? `) cannot stand here";
                let hint = "put it on a line of its own, or the value in quotes";
                return Err(Problem::at(self.cursor.mark(), message).hint(hint));
            }
            if self.add_indent(self.column()) {
                self.virtual_token(TokenKind::BlockMappingStart);
            }
        }
        self.allow_simple_key = self.flow_level == 0;
        self.remove_key()?;
        self.sign(TokenKind::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Failed> {
        if let Some(key) = self.simple_keys.remove(&self.flow_level) {
            let at = key.token.saturating_sub(self.taken).min(self.tokens.len());
            let token = |kind| Token { start: key.mark, end: key.mark, kind };
            self.tokens.insert(at, token(TokenKind::Key));
            if self.flow_level == 0 && self.add_indent(isize::try_from(key.column).unwrap_or(isize::MAX)) {
                self.tokens.insert(at, token(TokenKind::BlockMappingStart));
            }
            self.allow_simple_key = false;
        } else {
            if self.flow_level == 0 {
                if !self.allow_simple_key {
                    return Err(self.second_value());
                }
                if self.add_indent(self.column()) {
                    self.virtual_token(TokenKind::BlockMappingStart);
                }
            }
            self.allow_simple_key = self.flow_level == 0;
            self.remove_key()?;
        }
        self.sign(TokenKind::Value);
        Ok(())
    }

    /// Goes over blanks and a comment up to the end of the line; `Err` is what stands there instead.
    fn rest_of_line(&mut self) -> Result<(), char> {
        self.cursor.take_while(|c| c == ' ');
        if self.cursor.peek() == '#' {
            self.cursor.take_while(|c| !is_break(c));
        }
        let next = self.cursor.peek();
        if !is_break_or_end(next) {
            return Err(next);
        }
        self.cursor.line_break();
        Ok(())
    }
}
