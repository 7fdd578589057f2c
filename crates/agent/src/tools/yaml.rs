//! YAML as PyYAML's safe dumper writes it, as `cloud-init status --format yaml` prints it
//! (`cloudinit/safeyaml.py`, `dumps`: block style, indented by four, lines of 80 columns, ASCII; PyYAML's
//! `emitter.py`: `analyze_scalar`, `choose_scalar_style`, `write_plain` and its like).

use hardtack_userdata::{Kind, Value, python_repr};
use serde_json::Value as Json;

const INDENT: usize = 4;
const WIDTH: usize = 80;

/// A document with its markers, and a line break at its end.
pub(super) fn dumps(value: &Json) -> String {
    let mut out = Emitter { text: "---".to_owned(), column: 3 };
    match value {
        Json::Object(members) if !members.is_empty() => out.mapping(value, 0, false),
        Json::Array(items) if !items.is_empty() => out.sequence(items, 0, false),
        other => {
            out.put(" ");
            out.scalar(other, INDENT, true);
        }
    }
    out.text.push_str("\n...\n");
    out.text
}

/// Text so far, and the column that it ends in.
struct Emitter {
    text: String,
    column: usize,
}

impl Emitter {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    /// A new line, indented.
    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.column = 0;
        self.pad(indent);
    }

    fn pad(&mut self, indent: usize) {
        while self.column < indent {
            self.put(" ");
        }
    }

    /// A mapping whose keys stand in column `indent`; with `here` the first one on this line.
    fn mapping(&mut self, value: &Json, indent: usize, here: bool) {
        let Some(members) = value.as_object() else { return };
        let mut members: Vec<_> = members.iter().collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        for (at, (name, member)) in members.into_iter().enumerate() {
            self.begin(indent, here && at == 0);
            self.text(name, indent + INDENT, false);
            self.put(":");
            match member {
                Json::Object(inner) if !inner.is_empty() => self.mapping(member, indent + INDENT, false),
                // In a mapping a list is not indented.
                Json::Array(items) if !items.is_empty() => self.sequence(items, indent, false),
                other => {
                    self.put(" ");
                    self.scalar(other, indent + INDENT, true);
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Json], indent: usize, here: bool) {
        for (at, item) in items.iter().enumerate() {
            self.begin(indent, here && at == 0);
            self.put("-");
            match item {
                Json::Object(inner) if !inner.is_empty() => self.mapping(item, indent + INDENT, true),
                Json::Array(inner) if !inner.is_empty() => self.sequence(inner, indent + INDENT, true),
                other => {
                    self.put(" ");
                    self.scalar(other, indent + INDENT, true);
                }
            }
        }
    }

    fn begin(&mut self, indent: usize, here: bool) {
        if here { self.pad(indent) } else { self.line(indent) }
    }

    fn scalar(&mut self, value: &Json, indent: usize, split: bool) {
        match value {
            Json::Null => self.put("null"),
            Json::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Json::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) => {
                    let text = python_repr::float(float);
                    let dotted = text.contains('.') || !text.contains('e');
                    self.put(&if dotted { text } else { text.replacen('e', ".0e", 1) });
                }
                None => self.put(&number.to_string()),
            },
            Json::String(text) => self.text(text, indent, split),
            Json::Array(_) => self.put("[]"),
            Json::Object(_) => self.put("{}"),
        }
    }

    /// A text in the plainest style that brings it back; folded at `indent` when it may be split.
    fn text(&mut self, text: &str, indent: usize, split: bool) {
        let characters: Vec<char> = text.chars().collect();
        let style = Style::of(text, &characters);
        match style {
            Style::Plain => self.folded(&characters, indent, split, false),
            Style::Single if split || !text.contains('\n') => {
                self.put("'");
                self.folded(&characters, indent, split, true);
                self.put("'");
            }
            _ => self.double(&characters, indent, split),
        }
    }

    /// Words, with a line break for a single space beyond the width; in quotes also lines.
    fn folded(&mut self, text: &[char], indent: usize, split: bool, quoted: bool) {
        let mut at = 0;
        while let Some(character) = text.get(at) {
            let run = |wanted: char| text.iter().skip(at).take_while(|c| **c == wanted).count();
            match character {
                ' ' => {
                    let count = run(' ');
                    let inside = !quoted || (at > 0 && at + count < text.len());
                    if count == 1 && self.column > WIDTH && split && inside {
                        self.line(indent);
                    } else {
                        self.put(&" ".repeat(count));
                    }
                    at += count;
                }
                '\n' => {
                    let count = run('\n');
                    self.text.push_str(&"\n".repeat(count));
                    self.line(indent);
                    at += count;
                }
                '\'' if quoted => {
                    self.put("''");
                    at += 1;
                }
                other => {
                    self.put(other.encode_utf8(&mut [0; 4]));
                    at += 1;
                }
            }
        }
    }

    fn double(&mut self, text: &[char], indent: usize, split: bool) {
        self.put("\"");
        let mut start = 0;
        for end in 0..=text.len() {
            let character = text.get(end).copied();
            let plain = character.is_some_and(|c| (' '..='~').contains(&c) && c != '"' && c != '\\');
            if !plain {
                self.piece(text, start, end);
                start = end;
                if let Some(character) = character {
                    self.put(&escape(character));
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < text.len();
            let gap = character == Some(' ') || start >= end;
            if inside && gap && self.column + end > WIDTH + start && split {
                self.piece(text, start, end);
                start = start.max(end);
                self.put("\\");
                self.line(indent);
                if text.get(start) == Some(&' ') {
                    self.put("\\");
                }
            }
        }
        self.put("\"");
    }

    fn piece(&mut self, text: &[char], start: usize, end: usize) {
        let piece: String = text.get(start..end).unwrap_or_default().iter().collect();
        self.put(&piece);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
}

impl Style {
    fn of(text: &str, characters: &[char]) -> Self {
        let blank = |at: usize| matches!(characters.get(at), None | Some(' ' | '\n'));
        if characters.iter().any(|c| *c != '\n' && !(' '..='~').contains(c)) {
            return Self::Double;
        }
        let pairs = || characters.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
        if pairs().any(|pair| matches!(pair, (' ', '\n') | ('\n', ' '))) {
            return Self::Double;
        }
        let edge = matches!(characters.first(), None | Some(' ' | '\n'))
            || matches!(characters.last(), Some(' ' | '\n'));
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        for (at, character) in characters.iter().enumerate() {
            indicator |= match (at, character) {
                (
                    0,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                    | '`',
                ) => true,
                (0, '?' | '-') => blank(1),
                (_, ':') => blank(at + 1),
                (_, '#') => at > 0 && blank(at - 1),
                _ => false,
            };
        }
        if edge || indicator || text.contains('\n') || !reads_as_text(text) {
            return Self::Single;
        }
        Self::Plain
    }
}

/// Whether a plain scalar is a text, and no number, date, truth, or nothing.
fn reads_as_text(text: &str) -> bool {
    !matches!(text, "=" | "<<") && matches!(Value::load(text, 0), Ok(Value { kind: Kind::Text(_), .. }))
}

fn escape(character: char) -> String {
    let letter = match character {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(character) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{letter}")
}
