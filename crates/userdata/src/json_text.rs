//! JSON as Python's `json.loads` reads it, with a place for every value.
//!
//! Beyond the standard it takes `NaN` and `Infinity`. Of equal keys of one object the last counts; in a
//! patch they become one key with the list of their values, since that is how python-jsonpatch reads
//! patches (`multidict`).

use hardtack_yaml::Span;
use indexmap::IndexMap;

use crate::finding::{Finding, Place};
use crate::limits;
use crate::load::SYNTAX;
use crate::value::{Key, Kind, Map, Value};

/// Python reads no longer numbers.
const MOST_DIGITS: usize = 4300;

type Failed = Box<Finding>;

impl Value {
    /// The one value of the JSON text `text`, which is the part `part`.
    ///
    /// # Errors
    /// Where it stops to be JSON.
    pub fn load_json(text: &str, part: usize) -> Result<Self, Failed> {
        Reader { text, at: 0, line: 1, column: 1, part, nodes: 0, patch: false }.whole()
    }
}

/// The one value of the patch `text` behind its first `skipped` bytes; `text` is the part `part`.
///
/// # Errors
/// Where it stops to be JSON.
pub(crate) fn parse(text: &str, skipped: usize, part: usize) -> Result<Value, Failed> {
    let mut reader = Reader { text, at: 0, line: 1, column: 1, part, nodes: 0, patch: true };
    reader.advance(skipped);
    reader.whole()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
    part: usize,
    nodes: usize,
    /// A patch keeps all values of equal keys.
    patch: bool,
}

impl<'a> Reader<'a> {
    fn whole(mut self) -> Result<Value, Failed> {
        self.blanks();
        let value = self.value(0)?;
        self.blanks();
        if self.rest().is_empty() { Ok(value) } else { self.fail("there is more behind the value") }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self) -> Place {
        let span = Span { start: self.at, end: self.at, line: self.line, column: self.column };
        Place { part: self.part, span }
    }

    fn fail<T>(&self, message: &str) -> Result<T, Failed> {
        let hint = "a JSON patch is a list of operations: [{\"op\": \"add\", \"path\": \"/runcmd/-\", \"value\": \"ls\"}]";
        let finding = Finding::error(SYNTAX, self.place(), format!("not valid JSON: {message}"));
        Err(Box::new(if self.patch { finding.with_hint(hint) } else { finding }))
    }

    /// Over `count` bytes.
    fn advance(&mut self, count: usize) {
        for byte in self.rest().bytes().take(count) {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else if !matches!(byte, 0x80..=0xbf) {
                self.column += 1;
            }
        }
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.advance(wanted.len());
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, Failed> {
        self.nodes += 1;
        if depth >= limits::YAML.depth || self.nodes > limits::YAML.nodes {
            return self.fail("nested too deep, or too many values");
        }
        let mut place = self.place();
        let kind = match self.rest().as_bytes().first() {
            Some(b'{') => Kind::Map(self.object(depth)?),
            Some(b'[') => Kind::List(self.list(depth)?),
            Some(b'"') => Kind::Text(self.string()?),
            _ => self.scalar()?,
        };
        place.span.end = self.at;
        Ok(Value { place, kind })
    }

    fn scalar(&mut self) -> Result<Kind, Failed> {
        let words = [
            ("null", Kind::Null),
            ("true", Kind::Bool(true)),
            ("false", Kind::Bool(false)),
            ("NaN", Kind::Float(f64::NAN)),
            ("Infinity", Kind::Float(f64::INFINITY)),
            ("-Infinity", Kind::Float(f64::NEG_INFINITY)),
        ];
        for (word, kind) in words {
            if self.take(word) {
                return Ok(kind);
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<Kind, Failed> {
        let rest = self.rest();
        let digits =
            |from: usize| rest.get(from..).unwrap_or_default().bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(rest.starts_with('-'));
        let whole = match (digits(sign), rest.as_bytes().get(sign)) {
            (0, _) => return self.fail("expected a value"),
            // `01` is `0` with something behind it.
            (_, Some(b'0')) => 1,
            (count, _) => count,
        };
        let mut end = sign + whole;
        let mut float = false;
        if rest.as_bytes().get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
            float = true;
        }
        if matches!(rest.as_bytes().get(end), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(rest.as_bytes().get(end + 1), Some(b'+' | b'-')));
            let count = digits(end + 1 + signed);
            if count > 0 {
                end += 1 + signed + count;
                float = true;
            }
        }
        let number = rest.get(..end).unwrap_or_default();
        if !float && whole > MOST_DIGITS {
            return self.fail("a number of more than 4300 digits");
        }
        self.advance(end);
        if float {
            return Ok(Kind::Float(number.parse().unwrap_or(f64::NAN)));
        }
        Ok(number.parse().map_or_else(|_| Kind::HugeInt(number.to_owned()), Kind::Int))
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Failed> {
        self.advance(1);
        let mut items = Vec::new();
        self.blanks();
        if self.take("]") {
            return Ok(items);
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.take("]") {
                return Ok(items);
            }
            if !self.take(",") {
                return self.fail("expected `,` or `]`");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Map, Failed> {
        self.advance(1);
        let mut members: IndexMap<Key, Vec<Value>> = IndexMap::new();
        let place = self.place();
        self.blanks();
        if !self.take("}") {
            loop {
                self.blanks();
                let mut place = self.place();
                if !self.rest().starts_with('"') {
                    return self.fail("expected a key in double quotes");
                }
                let text = self.string()?;
                place.span.end = self.at;
                self.blanks();
                if !self.take(":") {
                    return self.fail("expected `:`");
                }
                self.blanks();
                let value = self.value(depth + 1)?;
                let values = members.entry(Key { place, kind: Kind::Text(text) }).or_default();
                if !self.patch {
                    values.clear();
                }
                values.push(value);
                self.blanks();
                if self.take("}") {
                    break;
                }
                if !self.take(",") {
                    return self.fail("expected `,` or `}`");
                }
            }
        }
        let single = |mut values: Vec<Value>| match values.len() {
            1 => values.pop().unwrap_or_else(|| Value { place, kind: Kind::Null }),
            _ => Value { place, kind: Kind::List(values) },
        };
        Ok(members.into_iter().map(|(key, values)| (key, single(values))).collect())
    }

    fn string(&mut self) -> Result<String, Failed> {
        self.advance(1);
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.advance(plain);
            if self.take("\"") {
                return Ok(text);
            }
            if !self.take("\\") {
                return self.fail("a text is not closed, or holds a line break or control character");
            }
            let escaped = match self.rest().chars().next() {
                Some(c @ ('"' | '\\' | '/')) => c,
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    text.push(self.unicode()?);
                    continue;
                }
                _ => return self.fail("an escape that JSON does not know"),
            };
            self.advance(1);
            text.push(escaped);
        }
    }

    /// `u` and its digits; a pair of surrogates is one character.
    fn unicode(&mut self) -> Result<char, Failed> {
        let unit = |rest: &str| {
            let digits =
                rest.get(1..5).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let Some(first) = unit(self.rest()) else {
            return self.fail("`\\u` takes four hexadecimal digits");
        };
        self.advance(5);
        if let 0xd800..=0xdbff = first
            && let Some(low) =
                self.rest().strip_prefix('\\').filter(|rest| rest.starts_with('u')).and_then(unit)
            && let 0xdc00..=0xdfff = low
        {
            self.advance(6);
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            return char::from_u32(code).map_or_else(|| self.fail("no character"), Ok);
        }
        char::from_u32(first).map_or_else(|| self.fail("half a surrogate pair"), Ok)
    }
}
