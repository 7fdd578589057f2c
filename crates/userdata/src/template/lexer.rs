//! Templates as text, tags and words (`jinja2/lexer.py`).

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Text that is printed as it is.
    Data(&'a str),
    /// `{%`
    BlockBegin,
    /// `%}`
    BlockEnd,
    /// `{{`
    PrintBegin,
    /// `}}`
    PrintEnd,
    Name(&'a str),
    Text(String),
    Int(i64),
    Float(f64),
    Sign(&'static str),
    End,
}

/// Where the template is none.
pub(super) struct Trouble {
    pub(super) message: String,
    pub(super) line: usize,
}

const SIGNS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// How many tokens a template has.
const TOKENS: usize = 100_000;

/// The tokens of `text`, each with its line.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, Trouble> {
    let mut lexer = Lexer { text, at: 0, line: 1, found: Vec::new() };
    lexer.run()?;
    lexer.push(Token::End);
    Ok(lexer.found)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    found: Vec<(Token<'a>, usize)>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token<'a>) {
        self.found.push((token, self.line));
    }

    fn skip(&mut self, bytes: usize) {
        let piece = self.rest().get(..bytes).unwrap_or_default();
        self.line += piece.matches('\n').count();
        self.at += bytes;
    }

    fn trouble<T>(&self, message: impl Into<String>) -> Result<T, Trouble> {
        Err(Trouble { message: message.into(), line: self.line })
    }

    fn room(&self) -> Result<(), Trouble> {
        if self.found.len() > TOKENS {
            return self.trouble(format!("more than {TOKENS} words in tags"));
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), Trouble> {
        loop {
            let rest = self.rest();
            let tag = rest
                .match_indices('{')
                .map(|(at, _)| at)
                .find(|at| rest.get(at + 1..).is_some_and(|after| after.starts_with(['{', '%', '#'])));
            let Some(at) = tag else {
                self.data(rest, "");
                return Ok(());
            };
            let (data, tag) = rest.split_at(at);
            self.data(data, tag.get(2..).unwrap_or_default());
            match tag.get(..2) {
                Some("{#") => self.comment()?,
                Some("{%") => match raw(tag) {
                    Some(length) => self.raw(length)?,
                    None => self.tag(Token::BlockBegin, "%}", Token::BlockEnd)?,
                },
                _ => self.tag(Token::PrintBegin, "}}", Token::PrintEnd)?,
            }
        }
    }

    /// Text before a tag; `tag` is what follows the tag's two first characters.
    fn data(&mut self, data: &'a str, tag: &str) {
        let kept = if tag.starts_with('-') { data.trim_end() } else { data };
        if !kept.is_empty() {
            self.push(Token::Data(kept));
        }
        self.skip(data.len());
    }

    /// What the end of a tag does to the text behind it: `-` takes away blanks, and the end of a block
    /// one line break.
    fn ended(&mut self, sign: Option<char>, block: bool) {
        let rest = self.rest();
        if sign == Some('-') {
            self.skip(rest.len() - rest.trim_start().len());
        } else if block && sign.is_none() && rest.starts_with('\n') {
            self.skip(1);
        }
    }

    fn comment(&mut self) -> Result<(), Trouble> {
        let inner = self.rest().get(2..).unwrap_or_default();
        if inner.is_empty() {
            // At the very end Jinja lets it pass.
            self.skip(2);
            return Ok(());
        }
        let Some(end) = inner.find("#}") else { return self.trouble("a comment `{#` does not end") };
        let last = inner.get(..end).and_then(|text| text.chars().last());
        self.skip(end + 4);
        self.ended(last.filter(|last| matches!(last, '-' | '+')), true);
        Ok(())
    }

    fn raw(&mut self, length: usize) -> Result<(), Trouble> {
        self.skip(length);
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(());
        }
        for (at, _) in rest.match_indices("{%") {
            let tag = rest.get(at..).unwrap_or_default();
            let Some((length, sign)) = word_tag(tag, "endraw") else { continue };
            let data = rest.get(..at).unwrap_or_default();
            self.data(data, tag.get(2..).unwrap_or_default());
            self.skip(length);
            self.ended(sign, true);
            return Ok(());
        }
        self.trouble("`{% raw %}` does not end")
    }

    fn tag(&mut self, begin: Token<'a>, closing: &'static str, end: Token<'a>) -> Result<(), Trouble> {
        self.skip(2);
        if self.rest().starts_with(['-', '+']) {
            self.skip(1);
        }
        let block = begin == Token::BlockBegin;
        self.push(begin);
        let mut open: Vec<&'static str> = Vec::new();
        loop {
            self.room()?;
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            self.skip(blanks);
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return self.trouble("a tag does not end") };
            // Within braces `}}` ends two mappings.
            if open.is_empty() {
                let sign = Some(first).filter(|first| matches!(first, '-' | '+'));
                let ending = if sign.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
                if ending.starts_with(closing) && (sign != Some('+') || block) {
                    self.push(end);
                    self.skip(rest.len() - ending.len() + 2);
                    self.ended(sign, block);
                    return Ok(());
                }
            }
            if first.is_alphabetic() || first == '_' {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.push(Token::Name(rest.get(..length).unwrap_or_default()));
                self.skip(length);
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if matches!(first, '"' | '\'') {
                self.string(first)?;
            } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                match *sign {
                    "(" | "[" | "{" => open.push(sign),
                    ")" | "]" | "}" => {
                        let wanted = match *sign {
                            ")" => "(",
                            "]" => "[",
                            _ => "{",
                        };
                        if open.pop() != Some(wanted) {
                            return self.trouble(format!("`{sign}` closes nothing"));
                        }
                    }
                    _ => {}
                }
                self.push(Token::Sign(sign));
                self.skip(sign.len());
            } else {
                return self.trouble(format!("`{first}` has no meaning in a tag"));
            }
        }
    }

    fn number(&mut self) -> Result<(), Trouble> {
        let rest = self.rest();
        let digits = |text: &str, radix: u32| {
            text.find(|c: char| !(c.is_digit(radix) || c == '_')).unwrap_or(text.len())
        };
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            if rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
                let text = rest.get(2..).unwrap_or_default();
                let length = digits(text, radix);
                let clean = text.get(..length).unwrap_or_default().replace('_', "");
                let Ok(value) = i64::from_str_radix(&clean, radix) else {
                    return self.trouble("a number that is none, or too large");
                };
                self.push(Token::Int(value));
                self.skip(2 + length);
                return Ok(());
            }
        }
        let mut length = digits(rest, 10);
        let mut float = false;
        if let Some(after) = rest.get(length..).and_then(|rest| rest.strip_prefix('.'))
            && after.starts_with(|c: char| c.is_ascii_digit())
        {
            length += 1 + digits(after, 10);
            float = true;
        }
        if let Some(after) = rest.get(length..).and_then(|rest| rest.strip_prefix(['e', 'E'])) {
            let sign = usize::from(after.starts_with(['+', '-']));
            let exponent = digits(after.get(sign..).unwrap_or_default(), 10);
            if exponent > 0 {
                length += 1 + sign + exponent;
                float = true;
            }
        }
        let clean = rest.get(..length).unwrap_or_default().replace('_', "");
        let token = match float {
            true => clean.parse().map(Token::Float).ok(),
            false => clean.parse().map(Token::Int).ok(),
        };
        let Some(token) = token else { return self.trouble("a number that is none, or too large") };
        self.push(token);
        self.skip(length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), Trouble> {
        let rest = self.rest();
        let mut out = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.push(Token::Text(out));
                self.skip(at + 1);
                return Ok(());
            }
            if character != '\\' {
                out.push(character);
                continue;
            }
            let Some((_, escaped)) = characters.next() else { break };
            let mut code = |length: usize| {
                let digits: String = characters.by_ref().take(length).map(|(_, digit)| digit).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
            };
            let plain = match escaped {
                'n' => Some('\n'),
                't' => Some('\t'),
                'r' => Some('\r'),
                '0' => Some('\0'),
                '\\' | '\'' | '"' => Some(escaped),
                'x' => code(2),
                'u' => code(4),
                'U' => code(8),
                '\n' => continue,
                other => {
                    out.push('\\');
                    Some(other)
                }
            };
            match plain {
                Some(plain) => out.push(plain),
                None => return self.trouble("an escape in a text that is none"),
            }
        }
        self.trouble("a text in a tag does not end")
    }
}

/// The length of `{% raw %}`.
fn raw(tag: &str) -> Option<usize> {
    let (length, sign) = word_tag(tag, "raw")?;
    let blanks = tag
        .get(length..)
        .filter(|_| sign == Some('-'))
        .map_or(0, |rest| rest.len() - rest.trim_start().len());
    Some(length + blanks)
}

/// The length of the tag `{% word %}`, and the sign before its end.
fn word_tag(tag: &str, word: &str) -> Option<(usize, Option<char>)> {
    let rest = tag.strip_prefix("{%")?;
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    let rest = rest.trim_start().strip_prefix(word)?.trim_start();
    let sign = rest.chars().next().filter(|first| matches!(first, '-' | '+'));
    let rest = if sign.is_some() { rest.get(1..)? } else { rest };
    let rest = rest.strip_prefix("%}")?;
    Some((tag.len() - rest.len(), sign))
}
