//! Scalars: plain, quoted, and blocks (`|`, `>`).

use super::cursor::{END, is_break, is_break_or_end, is_space};
use super::token::{Problem, Token, TokenKind};
use super::{Failed, Mark, Scanner};
use crate::node::Style;

/// What becomes of the line breaks that end a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    /// One stays.
    Clip,
    /// `-`.
    Strip,
    /// `+`.
    Keep,
}

/// Adds a line break and the empty lines behind it, folded: a single break is a blank.
fn fold(text: &mut String, line_break: char, empty: &str) {
    if line_break != '\n' {
        text.push(line_break);
    } else if empty.is_empty() {
        text.push(' ');
    }
    text.push_str(empty);
}

impl<'a> Scanner<'a> {
    /// `|` and `>`.
    pub(super) fn block_scalar(&mut self) -> Result<Token, Failed> {
        let start = self.cursor.mark();
        let folded = self.cursor.peek() == '>';
        self.cursor.forward(1);
        let (chomping, increment) = self.block_header(start)?;
        let least = (self.indent + 1).max(1);
        let (mut empty, indent) = match increment {
            Some(increment) => {
                let indent = least + increment - 1;
                (self.block_breaks(indent), indent)
            }
            None => {
                let (empty, widest) = self.block_indentation();
                (empty, least.max(widest))
            }
        };
        let mut text = String::new();
        let mut line_break = None;
        let mut end = self.cursor.mark();
        while self.column() == indent && self.cursor.peek() != END {
            text.push_str(&empty);
            let flush = !matches!(self.cursor.peek(), ' ' | '\t');
            text.push_str(self.cursor.take_while(|c| !is_break(c)));
            end = self.cursor.mark();
            line_break = self.cursor.line_break();
            empty = self.block_breaks(indent);
            if self.column() != indent || self.cursor.peek() == END {
                break;
            }
            let next_flush = !matches!(self.cursor.peek(), ' ' | '\t');
            if folded && line_break == Some('\n') && flush && next_flush {
                if empty.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(line_break);
            }
        }
        if chomping != Chomping::Strip {
            text.extend(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&empty);
        }
        let style = if folded { Style::Folded } else { Style::Literal };
        Ok(Token { start, end, kind: TokenKind::Scalar(text, style) })
    }

    /// What stands behind the `|`: `-` or `+`, a digit, a comment.
    fn block_header(&mut self, start: Mark) -> Result<(Chomping, Option<isize>), Failed> {
        let mut chomping = None;
        let mut increment = None;
        for _ in 0..2 {
            match self.cursor.peek() {
                '+' if chomping.is_none() => chomping = Some(Chomping::Keep),
                '-' if chomping.is_none() => chomping = Some(Chomping::Strip),
                digit @ '1'..='9' if increment.is_none() => {
                    increment = digit.to_digit(10).and_then(|digit| isize::try_from(digit).ok());
                }
                _ => break,
            }
            self.cursor.forward(1);
        }
        let next = self.cursor.peek();
        let spaced = next == ' ' || is_break_or_end(next);
        if !spaced || self.rest_of_line().is_err() {
            let message = "not valid YAML: behind `|` or `>` there is a line break, `-`, `+`, a digit from 1 to 9, or \
                           a comment";
            let hint = "start the text on the next line, indented; put a value that starts so in quotes";
            return Err(Problem::at(self.cursor.mark(), message)
                .hint(hint)
                .since(start, "the block starts here"));
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    /// The empty lines before a block's text, and the widest indentation among them and the text.
    fn block_indentation(&mut self) -> (String, isize) {
        let mut empty = String::new();
        let mut widest = 0;
        loop {
            if self.cursor.peek() == ' ' {
                self.cursor.take_while(|c| c == ' ');
                widest = widest.max(self.column());
            }
            match self.cursor.line_break() {
                Some(c) => empty.push(c),
                None => return (empty, widest),
            }
        }
    }

    /// Goes over empty lines, and the indentation of the line behind them.
    fn block_breaks(&mut self, indent: isize) -> String {
        let mut empty = String::new();
        loop {
            let room = usize::try_from(indent - self.column()).unwrap_or(0);
            let rest = self.cursor.rest();
            let blanks = rest.bytes().take(room).take_while(|byte| *byte == b' ').count();
            self.cursor.forward(blanks);
            match self.cursor.line_break() {
                Some(c) => empty.push(c),
                None => return empty,
            }
        }
    }

    /// `'…'` and `"…"`.
    pub(super) fn quoted(&mut self) -> Result<Token, Failed> {
        let start = self.cursor.mark();
        let quote = self.cursor.peek();
        let double = quote == '"';
        self.cursor.forward(1);
        let mut text = String::new();
        self.quoted_word(double, start, &mut text)?;
        while self.cursor.peek() != quote {
            self.quoted_spaces(start, &mut text)?;
            self.quoted_word(double, start, &mut text)?;
        }
        self.cursor.forward(1);
        let style = if double { Style::DoubleQuoted } else { Style::SingleQuoted };
        Ok(Token { start, end: self.cursor.mark(), kind: TokenKind::Scalar(text, style) })
    }

    /// Up to a blank, a line break, or the quote.
    fn quoted_word(&mut self, double: bool, start: Mark, text: &mut String) -> Result<(), Failed> {
        loop {
            text.push_str(self.cursor.take_while(|c| !is_space(c) && !matches!(c, '\'' | '"' | '\\')));
            match self.cursor.peek() {
                '\'' if !double && self.cursor.peek_at(1) == '\'' => {
                    text.push('\'');
                    self.cursor.forward(2);
                }
                c @ '\'' if double => {
                    text.push(c);
                    self.cursor.forward(1);
                }
                c @ ('"' | '\\') if !double => {
                    text.push(c);
                    self.cursor.forward(1);
                }
                '\\' => self.escape(start, text)?,
                _ => return Ok(()),
            }
        }
    }

    fn escape(&mut self, start: Mark, text: &mut String) -> Result<(), Failed> {
        let mark = self.cursor.mark();
        self.cursor.forward(1);
        let letter = self.cursor.peek();
        let plain = match letter {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            ' ' | '"' | '\\' | '/' => letter,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' | 'u' | 'U' => {
                let length = match letter {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                self.cursor.forward(1);
                let digits = self.cursor.rest().get(..length);
                let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(character) = code.and_then(char::from_u32) else {
                    let message = format!(
                        "not valid YAML: `\\{letter}` is followed by {length} hexadecimal digits of a character"
                    );
                    return Err(
                        Problem::at(mark, message).hint("write `\\\\` for a backslash, or use single quotes")
                    );
                };
                self.cursor.forward(length);
                text.push(character);
                return Ok(());
            }
            _ if letter != END && is_break(letter) => {
                self.cursor.line_break();
                let empty = self.quoted_breaks(start)?;
                text.push_str(&empty);
                return Ok(());
            }
            END => return Err(unclosed(start)),
            _ => {
                let message = format!("not valid YAML: `\\{letter}` is no escape");
                let hint =
                    "a backslash in double quotes starts an escape; write `\\\\`, or use single quotes";
                return Err(Problem::at(mark, message).hint(hint));
            }
        };
        text.push(plain);
        self.cursor.forward(1);
        Ok(())
    }

    fn quoted_spaces(&mut self, start: Mark, text: &mut String) -> Result<(), Failed> {
        let blanks = self.cursor.take_while(|c| matches!(c, ' ' | '\t'));
        if self.cursor.peek() == END {
            return Err(unclosed(start));
        }
        match self.cursor.line_break() {
            Some(line_break) => {
                let empty = self.quoted_breaks(start)?;
                fold(text, line_break, &empty);
            }
            None => text.push_str(blanks),
        }
        Ok(())
    }

    fn quoted_breaks(&mut self, start: Mark) -> Result<String, Failed> {
        let mut empty = String::new();
        loop {
            if self.cursor.at_separator() {
                return Err(unclosed(start));
            }
            self.cursor.take_while(|c| matches!(c, ' ' | '\t'));
            match self.cursor.line_break() {
                Some(c) => empty.push(c),
                None => return Ok(empty),
            }
        }
    }

    /// Text without quotes, perhaps over several lines.
    pub(super) fn plain(&mut self) -> Token {
        let start = self.cursor.mark();
        let mut end = start;
        let mut text = String::new();
        let mut spaces = String::new();
        let indent = self.indent + 1;
        loop {
            if self.cursor.peek() == '#' {
                break;
            }
            let word = self.plain_word();
            if word.is_empty() {
                break;
            }
            self.allow_simple_key = false;
            text.push_str(&spaces);
            text.push_str(word);
            self.cursor.forward(word.chars().count());
            end = self.cursor.mark();
            spaces = self.plain_spaces();
            let outdented = self.flow_level == 0 && self.column() < indent;
            if spaces.is_empty() || self.cursor.peek() == '#' || outdented {
                break;
            }
        }
        Token { start, end, kind: TokenKind::Scalar(text, Style::Plain) }
    }

    /// The text up to a blank, or to a sign that ends it.
    fn plain_word(&self) -> &'a str {
        let rest = self.cursor.rest();
        let flow = self.flow_level > 0;
        let mut characters = rest.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            let next = characters.peek().map_or(END, |(_, next)| *next);
            let colon = c == ':' && (is_space(next) || (flow && matches!(next, ',' | '[' | ']' | '{' | '}')));
            if is_space(c) || colon || (flow && matches!(c, ',' | '?' | '[' | ']' | '{' | '}')) {
                return rest.get(..at).unwrap_or_default();
            }
        }
        rest
    }

    /// The blanks or line breaks between two words; nothing if the scalar ends here.
    fn plain_spaces(&mut self) -> String {
        let blanks = self.cursor.take_while(|c| c == ' ').to_owned();
        let Some(line_break) = self.cursor.line_break() else { return blanks };
        self.allow_simple_key = true;
        if self.cursor.at_separator() {
            return String::new();
        }
        let mut empty = String::new();
        loop {
            self.cursor.take_while(|c| c == ' ');
            let Some(c) = self.cursor.line_break() else { break };
            empty.push(c);
            if self.cursor.at_separator() {
                return String::new();
            }
        }
        let mut text = String::new();
        fold(&mut text, line_break, &empty);
        text
    }
}

fn unclosed(start: Mark) -> Failed {
    let mut problem = Problem::at(start, "not valid YAML: this quote is not closed")
        .hint("close it; an apostrophe inside single quotes is written twice (`''`)");
    problem.end = start.at + 1;
    problem
}
