//! Directives, anchors, aliases and tags.

use super::cursor::{is_break, is_break_or_end, is_space, is_word};
use super::token::{Problem, Token, TokenKind};
use super::{Failed, Mark, Scanner};

const QUOTE: &str = "put the value in quotes if it is text";

/// A blank or the end of a line: what may follow a tag or a directive's word.
fn ends_word(c: char) -> bool {
    c == ' ' || is_break_or_end(c)
}

impl Scanner<'_> {
    /// `%YAML 1.1`, `%TAG ! tag:`.
    pub(super) fn scan_directive(&mut self) -> Result<Token, Failed> {
        let start = self.cursor.mark();
        let refuse = || {
            Problem::at(start, "not valid YAML: a line that starts with `%` is a directive, and this is none")
                .hint("put the value in quotes if it is text; `%YAML 1.1` is the usual directive")
        };
        self.cursor.forward(1);
        let name = self.cursor.take_while(is_word);
        if name.is_empty() || !ends_word(self.cursor.peek()) {
            return Err(refuse());
        }
        let kind = match name {
            "YAML" => {
                self.cursor.take_while(|c| c == ' ');
                let major = self.cursor.take_while(|c| c.is_ascii_digit());
                let dot = self.cursor.peek() == '.';
                self.cursor.forward(1);
                let minor = self.cursor.take_while(|c| c.is_ascii_digit());
                if major.is_empty() || !dot || minor.is_empty() || !ends_word(self.cursor.peek()) {
                    return Err(refuse());
                }
                TokenKind::YamlDirective(major.to_owned())
            }
            "TAG" => {
                self.cursor.take_while(|c| c == ' ');
                let handle = self.tag_handle(start)?;
                if self.cursor.peek() != ' ' {
                    return Err(refuse());
                }
                self.cursor.take_while(|c| c == ' ');
                let prefix = self.tag_uri(start)?;
                if !ends_word(self.cursor.peek()) {
                    return Err(refuse());
                }
                TokenKind::TagDirective(handle, prefix)
            }
            _ => {
                self.cursor.take_while(|c| !is_break(c));
                TokenKind::OtherDirective
            }
        };
        let end = self.cursor.mark();
        self.rest_of_line().map_err(|_| refuse())?;
        Ok(Token { start, end, kind })
    }

    /// `&name`, `*name`.
    pub(super) fn anchor(&mut self) -> Result<Token, Failed> {
        let start = self.cursor.mark();
        let alias = self.cursor.peek() == '*';
        self.cursor.forward(1);
        let name = self.cursor.take_while(is_word).to_owned();
        let next = self.cursor.peek();
        if name.is_empty()
            || !(is_space(next) || matches!(next, '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`'))
        {
            let message = if alias {
                "not valid YAML: a `*` at the start of a value names an anchor; a name holds letters, digits, `-` \
                 and `_`"
            } else {
                "not valid YAML: a `&` at the start of a value is an anchor; an anchor's name holds letters, digits, \
                 `-` and `_`"
            };
            return Err(
                Problem::at(if name.is_empty() { start } else { self.cursor.mark() }, message).hint(QUOTE)
            );
        }
        let kind = if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        Ok(Token { start, end: self.cursor.mark(), kind })
    }

    /// `!local`, `!!core`, `!handle!suffix`, `!<verbatim>`, `!`.
    pub(super) fn tag(&mut self) -> Result<Token, Failed> {
        let start = self.cursor.mark();
        let second = self.cursor.peek_at(1);
        let (handle, suffix) = if second == '<' {
            self.cursor.forward(2);
            let suffix = self.tag_uri(start)?;
            if self.cursor.peek() != '>' {
                return Err(Problem::at(start, "not valid YAML: the tag `!<…` has no `>`").hint(QUOTE));
            }
            self.cursor.forward(1);
            (None, suffix)
        } else if is_space(second) {
            self.cursor.forward(1);
            (None, "!".to_owned())
        } else {
            let word = self.cursor.rest().get(1..).unwrap_or_default();
            let word = word.find(ends_word).and_then(|end| word.get(..end)).unwrap_or(word);
            let handle = if word.contains('!') {
                self.tag_handle(start)?
            } else {
                self.cursor.forward(1);
                "!".to_owned()
            };
            (Some(handle), self.tag_uri(start)?)
        };
        if !ends_word(self.cursor.peek()) {
            let message = format!("not valid YAML: `{}` cannot stand in a tag", self.cursor.peek());
            return Err(Problem::at(self.cursor.mark(), message).hint(QUOTE));
        }
        Ok(Token { start, end: self.cursor.mark(), kind: TokenKind::Tag(handle, suffix) })
    }

    /// `!`, `!!`, `!name!`.
    fn tag_handle(&mut self, start: Mark) -> Result<String, Failed> {
        let refuse =
            || Problem::at(start, "not valid YAML: a tag's handle is `!`, `!!` or `!name!`").hint(QUOTE);
        if self.cursor.peek() != '!' {
            return Err(refuse());
        }
        self.cursor.forward(1);
        if self.cursor.peek() == ' ' {
            return Ok("!".to_owned());
        }
        let name = self.cursor.take_while(is_word);
        if self.cursor.peek() != '!' {
            return Err(refuse());
        }
        self.cursor.forward(1);
        Ok(format!("!{name}!"))
    }

    /// The address part of a tag, `%`-escapes undone.
    fn tag_uri(&mut self, start: Mark) -> Result<String, Failed> {
        let refuse = |words: &str| Problem::at(start, format!("not valid YAML: {words}")).hint(QUOTE);
        let mut bytes = Vec::new();
        loop {
            let plain = self.cursor.take_while(|c| {
                c.is_ascii_alphanumeric() || (c != '%' && c.is_ascii() && "-;/?:@&=+$,_.!~*'()[]".contains(c))
            });
            bytes.extend_from_slice(plain.as_bytes());
            if self.cursor.peek() != '%' {
                break;
            }
            let digits =
                self.cursor.rest().get(1..3).filter(|two| two.bytes().all(|c| c.is_ascii_hexdigit()));
            let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) else {
                return Err(refuse("a `%` in a tag is followed by two hexadecimal digits"));
            };
            bytes.push(byte);
            self.cursor.forward(3);
        }
        if bytes.is_empty() {
            return Err(refuse("a `!` at the start of a value is a tag, and this one has no name"));
        }
        String::from_utf8(bytes).map_err(|_| refuse("a tag that is not UTF-8"))
    }
}
