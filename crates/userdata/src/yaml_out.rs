//! Values as PyYAML's `safe_dump` writes them (`yaml/emitter.py`, `yaml/serializer.py`,
//! `yaml/representer.py`), in block style, indented by four, lines broken behind column 80: what is in
//! `/etc/netplan` is compared by other programs, and by people; `cloud-init status` prints it, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_yaml::{Looks, looks};

use crate::python_repr::float;
use crate::value::{Key, Kind, Map, Value};

const INDENT: usize = 4;
const WIDTH: usize = 80;
/// Lists and mappings in each other. Whatever was read is below (`limits::YAML`).
const DEPTH: usize = 200;

/// `safe_dump(map, indent=4, default_flow_style=False)`.
#[must_use]
pub fn dump(map: &Map) -> String {
    let mut writer = Writer { out: String::new(), column: 0, whitespace: true, indention: true };
    writer.map(map, 0, 0);
    writer.line_break();
    writer.out
}

/// The map as it is read again where it was dumped: keys in order, at every depth.
#[must_use]
pub fn in_order(map: &Map) -> Map {
    fn value(old: &Value, depth: usize) -> Value {
        let mut new = old.clone();
        match &mut new.kind {
            Kind::Map(map) => *map = entries(map, depth + 1),
            Kind::List(list) if depth < DEPTH => {
                list.iter_mut().for_each(|item| *item = value(item, depth + 1));
            }
            _ => {}
        }
        new
    }
    fn entries(map: &Map, depth: usize) -> Map {
        if depth >= DEPTH {
            return map.clone();
        }
        sorted(map).into_iter().map(|(key, old)| (key.clone(), value(old, depth))).collect()
    }
    entries(map, 0)
}

struct Writer {
    out: String,
    column: usize,
    whitespace: bool,
    indention: bool,
}

/// What a scalar is, for the emitter.
struct Scalar {
    text: String,
    /// The tag that it is resolved to, as short as PyYAML counts it.
    tag: &'static str,
    /// It may stand without quotes.
    plain: bool,
}

fn scalar(kind: &Kind) -> Option<Scalar> {
    let (text, tag) = match kind {
        Kind::Null => ("null".to_owned(), "!!null"),
        Kind::Bool(value) => (value.to_string(), "!!bool"),
        Kind::Int(number) => (number.to_string(), "!!int"),
        Kind::HugeInt(digits) => (digits.clone(), "!!int"),
        Kind::Float(value) => (represent(*value), "!!float"),
        Kind::Date(text) | Kind::DateTime(text) => (text.clone(), "!!timestamp"),
        Kind::Text(text) => {
            return Some(Scalar { plain: looks(text) == Looks::Text, text: text.clone(), tag: "!!str" });
        }
        _ => return None,
    };
    Some(Scalar { text, tag, plain: true })
}

/// `represent_float`.
fn represent(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float(value);
    if !text.contains('.') && text.contains('e') { text.replacen('e', ".0e", 1) } else { text }
}

/// What `analyze_scalar` finds.
#[allow(clippy::struct_excessive_bools)]
struct Analysis {
    empty: bool,
    multiline: bool,
    plain: bool,
    single: bool,
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank_or_end(character: Option<&char>) -> bool {
    character.is_none_or(|character| matches!(character, '\0' | ' ' | '\t' | '\r') || is_break(*character))
}

fn analyze(text: &[char]) -> Analysis {
    let Some((first, last)) = text.first().zip(text.last()) else {
        return Analysis { empty: true, multiline: false, plain: true, single: true };
    };
    let mut indicators = text.starts_with(&['-', '-', '-']) || text.starts_with(&['.', '.', '.']);
    let (mut breaks, mut special) = (false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut previous_space, mut previous_break) = (false, false);
    let mut preceded = true;
    for (at, character) in text.iter().enumerate() {
        let followed = is_blank_or_end(text.get(at + 1));
        indicators |= if at == 0 {
            "#,[]{}&*!|>'\"%@`".contains(*character) || ("?:-".contains(*character) && followed)
        } else {
            (*character == ':' && followed) || (*character == '#' && preceded)
        };
        breaks |= is_break(*character);
        special |= *character != '\n' && !(' '..='~').contains(character);
        if *character == ' ' {
            break_space |= previous_break;
            (previous_space, previous_break) = (true, false);
        } else if is_break(*character) {
            space_break |= previous_space;
            (previous_space, previous_break) = (false, true);
        } else {
            (previous_space, previous_break) = (false, false);
        }
        preceded = is_blank_or_end(Some(character));
    }
    let edge = |character: &char| *character == ' ' || is_break(*character);
    let hard = space_break || special;
    Analysis {
        empty: false,
        multiline: breaks,
        plain: !(edge(first) || edge(last) || break_space || hard || breaks || indicators),
        single: !(break_space || hard),
    }
}

/// The keys as `sorted` orders them; as they stand when Python cannot compare them.
fn sorted(map: &Map) -> Vec<(&Key, &Value)> {
    fn rank(kind: &Kind) -> u8 {
        match kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => 1,
            Kind::Text(_) => 2,
            Kind::Bytes(_) => 3,
            Kind::Date(_) => 4,
            Kind::DateTime(_) => 5,
            _ => 0,
        }
    }
    #[allow(clippy::cast_precision_loss)]
    fn number(kind: &Kind) -> f64 {
        match kind {
            Kind::Bool(value) => f64::from(u8::from(*value)),
            Kind::Int(value) => *value as f64,
            Kind::HugeInt(digits) => digits.parse().unwrap_or(f64::INFINITY),
            Kind::Float(value) => *value,
            _ => 0.0,
        }
    }
    let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
    let Some((first, _)) = entries.first() else { return entries };
    let class = rank(&first.kind);
    if class == 0 || entries.iter().any(|(key, _)| rank(&key.kind) != class) {
        return entries;
    }
    entries.sort_by(|(one, _), (other, _)| match (&one.kind, &other.kind) {
        (Kind::Text(one), Kind::Text(other))
        | (Kind::Date(one), Kind::Date(other))
        | (Kind::DateTime(one), Kind::DateTime(other)) => one.cmp(other),
        (Kind::Bytes(one), Kind::Bytes(other)) => one.cmp(other),
        (one, other) => number(one).total_cmp(&number(other)),
    });
    entries
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    fn put_chars(&mut self, text: &[char]) {
        self.column += text.len();
        self.out.extend(text);
    }

    fn indicator(&mut self, sign: &str, need_whitespace: bool, whitespace: bool, indention: bool) {
        if !self.whitespace && need_whitespace {
            self.put(" ");
        }
        self.whitespace = whitespace;
        self.indention &= indention;
        self.put(sign);
    }

    fn line_break(&mut self) {
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
        self.out.push('\n');
    }

    fn indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            let blanks = " ".repeat(indent - self.column);
            self.put(&blanks);
        }
    }

    fn map(&mut self, map: &Map, indent: usize, depth: usize) {
        if map.is_empty() {
            self.indicator("{", true, true, false);
            return self.indicator("}", false, false, false);
        }
        for (key, value) in sorted(map) {
            self.indent(indent);
            self.entry(key, Some(value), indent, depth);
        }
    }

    fn entry(&mut self, key: &Key, value: Option<&Value>, indent: usize, depth: usize) {
        let name = Value { place: key.place, kind: key.kind.clone() };
        if self.is_simple(&name.kind) {
            self.value(&name, indent, depth, true, false);
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, true);
            self.value(&name, indent, depth, false, true);
            self.indent(indent);
            self.indicator(":", true, false, true);
        }
        let null = Value::new(Kind::Null);
        self.value(value.unwrap_or(&null), indent, depth, false, true);
    }

    /// `check_simple_key`.
    fn is_simple(&self, kind: &Kind) -> bool {
        let Some(scalar) = scalar(kind) else { return false };
        let text: Vec<char> = scalar.text.chars().collect();
        let found = analyze(&text);
        text.len() + scalar.tag.len() < 128 && !found.empty && !found.multiline
    }

    /// `in_map`: the value of a mapping, where lists are not indented further.
    fn value(&mut self, value: &Value, indent: usize, depth: usize, simple_key: bool, in_map: bool) {
        if depth > DEPTH {
            return self.scalar("null", true, indent, simple_key);
        }
        match &value.kind {
            Kind::Map(map) => self.map(map, indent + INDENT, depth + 1),
            Kind::List(items) if items.is_empty() => {
                self.indicator("[", true, true, false);
                self.indicator("]", false, false, false);
            }
            Kind::List(items) => {
                let indent = if in_map && !self.indention { indent } else { indent + INDENT };
                for item in items {
                    self.indent(indent);
                    self.indicator("-", true, false, true);
                    self.value(item, indent, depth + 1, false, false);
                }
            }
            Kind::Set(keys) => {
                self.indicator("!!set", true, false, false);
                if keys.is_empty() {
                    self.indicator("{", true, true, false);
                    return self.indicator("}", false, false, false);
                }
                let map: Map = keys.iter().map(|key| (key.clone(), Value::new(Kind::Null))).collect();
                self.map(&map, indent + INDENT, depth + 1);
            }
            Kind::Bytes(bytes) => self.binary(bytes, indent + INDENT),
            kind => {
                if let Some(found) = scalar(kind) {
                    self.scalar(&found.text, found.plain, indent + INDENT, simple_key);
                }
            }
        }
    }

    /// `!!binary |`, in lines of 76 characters as `base64.encodebytes` makes them.
    fn binary(&mut self, bytes: &[u8], indent: usize) {
        let text = STANDARD.encode(bytes);
        self.indicator("!!binary", true, false, false);
        self.indicator("|", true, false, false);
        if text.is_empty() {
            self.put("-");
        }
        let lines: Vec<char> = text.chars().collect();
        for line in lines.chunks(76) {
            self.line_break();
            self.put(&" ".repeat(indent));
            self.put_chars(line);
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn scalar(&mut self, text: &str, plain: bool, indent: usize, simple_key: bool) {
        let text: Vec<char> = text.chars().collect();
        let found = analyze(&text);
        if plain && found.plain && !(simple_key && (found.empty || found.multiline)) {
            self.plain(&text, indent, !simple_key);
        } else if found.single && !(simple_key && found.multiline) {
            self.single_quoted(&text, indent, !simple_key);
        } else {
            self.double_quoted(&text, indent, !simple_key);
        }
    }

    /// Runs of blanks and runs of anything else.
    fn plain(&mut self, text: &[char], indent: usize, split: bool) {
        if text.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.whitespace = false;
        self.indention = false;
        for run in text.chunk_by(|one, other| (*one == ' ') == (*other == ' ')) {
            if run == [' '] && self.column > WIDTH && split {
                self.indent(indent);
                self.whitespace = false;
                self.indention = false;
            } else {
                self.put_chars(run);
            }
        }
    }

    fn single_quoted(&mut self, text: &[char], indent: usize, split: bool) {
        fn class(character: char) -> u8 {
            match character {
                ' ' => 1,
                '\'' => 3,
                _ if is_break(character) => 2,
                _ => 0,
            }
        }
        self.indicator("'", true, false, false);
        let mut at = 0;
        for run in text.chunk_by(|one, other| class(*one) == class(*other)) {
            let (start, end) = (at, at + run.len());
            at = end;
            match run.first().map_or(0, |first| class(*first)) {
                1 if run.len() == 1 && self.column > WIDTH && split && start != 0 && end != text.len() => {
                    self.indent(indent);
                }
                2 => {
                    // Others than line feeds are never in single quotes.
                    self.line_break();
                    for _ in run {
                        self.line_break();
                    }
                    self.indent(indent);
                }
                3 => {
                    for _ in run {
                        self.put("''");
                    }
                }
                _ => self.put_chars(run),
            }
        }
        self.indicator("'", false, false, false);
    }

    fn double_quoted(&mut self, text: &[char], indent: usize, split: bool) {
        self.indicator("\"", true, false, false);
        let (mut start, mut end) = (0, 0);
        while end <= text.len() {
            let character = text.get(end).copied();
            let plain =
                character.is_some_and(|found| (' '..='~').contains(&found) && found != '"' && found != '\\');
            if !plain {
                if start < end {
                    self.put_chars(text.get(start..end).unwrap_or_default());
                    start = end;
                }
                if let Some(found) = character {
                    self.put(&escape(found));
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < text.len();
            let wide = self.column + end.saturating_sub(start) > WIDTH + start.saturating_sub(end);
            if inside && (character == Some(' ') || start >= end) && wide && split {
                if start < end {
                    self.put_chars(text.get(start..end).unwrap_or_default());
                    start = end;
                }
                self.put("\\");
                self.indent(indent);
                self.whitespace = false;
                self.indention = false;
                if text.get(start) == Some(&' ') {
                    self.put("\\");
                }
            }
            end += 1;
        }
        self.indicator("\"", false, false, false);
    }
}

fn escape(character: char) -> String {
    let short = match character {
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
            let code = u32::from(character);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_come_in_order_at_every_depth() {
        let value = Value::load("b: {z: [{d: 1, c: 2}], y: 3}\na: 4\n", 0).unwrap();
        let Kind::Map(map) = &value.kind else { panic!("{value:?}") };
        let found = Value { kind: Kind::Map(in_order(map)), ..value.clone() }.to_python_repr();
        assert_eq!(found, "{'a': 4, 'b': {'y': 3, 'z': [{'c': 2, 'd': 1}]}}");
    }
}
