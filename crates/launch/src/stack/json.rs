//! A JSON template as nodes with places, so that one value of it can be replaced and all else stays as it was written.
//!
//! `serde_json` says first whether the text is JSON; this reader only finds the places.

use hardtack_yaml::{Kind, Node, Scalar, Span, Style};

/// The nodes of `text`.
///
/// # Errors
/// What is wrong with it, and the line.
pub(super) fn read(text: &str) -> Result<Node, String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| format!("line {}, column {}: {}", error.line(), error.column(), plain(&error)))?;
    let mut reader = Reader { text, at: 0 };
    reader.value(0).ok_or_else(|| format!("it is nested more than {DEEPEST} levels deep"))
}

/// The message without the place, which stands before it.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// As deep as `serde_json` goes.
const DEEPEST: usize = 128;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at = self.at.saturating_add(blanks);
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past `byte` where it comes next.
    fn skip(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at = self.at.saturating_add(1))
    }

    fn node(&self, start: usize, kind: Kind) -> Node {
        // Lines are counted where somebody asks for them.
        let span = Span { start, end: self.at, line: 0, column: 0 };
        Node { span, kind, tag: None }
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        let first = self.peek()?;
        let start = self.at;
        if depth > DEEPEST {
            return None;
        }
        match first {
            b'{' => {
                let mut pairs = Vec::new();
                self.skip(b'{')?;
                while self.peek()? != b'}' {
                    let key = self.text()?;
                    self.skip(b':')?;
                    pairs.push((key, self.value(depth.saturating_add(1))?));
                    if self.peek()? == b',' {
                        self.skip(b',')?;
                    }
                }
                self.skip(b'}')?;
                Some(self.node(start, Kind::Mapping(pairs)))
            }
            b'[' => {
                let mut items = Vec::new();
                self.skip(b'[')?;
                while self.peek()? != b']' {
                    items.push(self.value(depth.saturating_add(1))?);
                    if self.peek()? == b',' {
                        self.skip(b',')?;
                    }
                }
                self.skip(b']')?;
                Some(self.node(start, Kind::Sequence(items)))
            }
            b'"' => self.text(),
            _ => {
                let rest = self.text.get(start..)?;
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
                let text = rest.get(..length.unwrap_or(rest.len()))?.to_owned();
                self.at = start.saturating_add(text.len());
                Some(self.node(start, Kind::Scalar(Scalar { text, style: Style::Plain })))
            }
        }
    }

    fn text(&mut self) -> Option<Node> {
        self.peek()?;
        let start = self.at;
        let mut escaped = false;
        let inner = self.text.get(start..)?.strip_prefix('"')?;
        let length = inner.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        self.at = start.saturating_add(length).saturating_add(2);
        let text: String = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        Some(self.node(start, Kind::Scalar(Scalar { text, style: Style::DoubleQuoted })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_place() {
        let text = "{\t\"a\" : [1, -2.5e3 , \"x\\\"y\\\\\"],\r\n \"b\":{ }, \"c\":null}\n";
        let root = read(text).unwrap();
        let of = |node: &Node| text.get(node.span.range()).unwrap().to_owned();
        let list = root.get("a").unwrap();
        assert_eq!(of(list), "[1, -2.5e3 , \"x\\\"y\\\\\"]");
        let items: Vec<String> = list.as_sequence().unwrap().iter().map(of).collect();
        assert_eq!(items, ["1", "-2.5e3", "\"x\\\"y\\\\\""]);
        assert_eq!(list.as_sequence().unwrap()[2].text(), Some("x\"y\\"));
        assert_eq!(of(root.get("b").unwrap()), "{ }");
        assert_eq!(of(root.get("c").unwrap()), "null");
        assert_eq!(of(&root), text.trim_end());
    }

    #[test]
    fn what_is_no_json_is_told_with_its_line() {
        assert!(read("{\n \"a\": 1,\n}").unwrap_err().starts_with("line 3, column 1: "));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).unwrap_err().contains("levels deep"));
        assert!(read("").is_err() && read("{} x").is_err());
    }
}
