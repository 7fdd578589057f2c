//! Values as Python writes them: `str(value)` and `repr(value)`. cloud-init makes texts of values that
//! way (argv items, passwords, ids), so `uid: 0644` is the user id `420`.

use crate::value::{Key, Kind, Value};

impl Value {
    /// What `str(value)` gives: `True`, `420`, `1.0`, `None`; lists and mappings as [`Value::to_python_repr`].
    #[must_use]
    pub fn to_python_str(&self) -> String {
        kind_str(&self.kind)
    }

    /// What `repr(value)` gives: `'text'`, `['a', 1]`, `{'key': None}`.
    #[must_use]
    pub fn to_python_repr(&self) -> String {
        let mut out = String::new();
        repr(&self.kind, &mut out);
        out
    }
}

impl Key {
    /// What `str(key)` gives.
    #[must_use]
    pub fn to_python_str(&self) -> String {
        kind_str(&self.kind)
    }
}

fn kind_str(kind: &Kind) -> String {
    match kind {
        Kind::Text(text) | Kind::Date(text) | Kind::DateTime(text) => text.clone(),
        _ => {
            let mut out = String::new();
            repr(kind, &mut out);
            out
        }
    }
}

fn repr(kind: &Kind, out: &mut String) {
    match kind {
        Kind::Null => out.push_str("None"),
        Kind::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        Kind::Int(value) => out.push_str(&value.to_string()),
        Kind::HugeInt(digits) => out.push_str(digits),
        Kind::Float(value) => out.push_str(&float(*value)),
        Kind::Text(text) => quote(text, out),
        Kind::Bytes(bytes) => {
            out.push('b');
            quote_bytes(bytes, out);
        }
        Kind::Date(text) => out.push_str(&format!("datetime.date({})", numbers(text, "-"))),
        Kind::DateTime(text) => datetime(text, out),
        Kind::List(items) => join('[', ']', items, out, |item, out| repr(&item.kind, out)),
        Kind::Map(map) => join('{', '}', map, out, |(key, value), out| {
            repr(&key.kind, out);
            out.push_str(": ");
            repr(&value.kind, out);
        }),
        Kind::Set(keys) if keys.is_empty() => out.push_str("set()"),
        Kind::Set(keys) => join('{', '}', keys, out, |key, out| repr(&key.kind, out)),
    }
}

fn join<T>(
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(item, out);
    }
    out.push(close);
}

/// `repr(float)`: the shortest digits that read back, an exponent below 1e-4 and from 1e16 on.
#[must_use]
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let written = format!("{value:e}");
    let Some((digits, exponent)) = written.split_once('e') else { return written };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        // Rust's own form, which never has an exponent that is written out.
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// The numbers of a date or time without leading zeros, as a call's arguments.
fn numbers(text: &str, separators: &str) -> String {
    let parts = text.split(|c| separators.contains(c));
    let plain = parts.map(|part| match part.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    });
    plain.collect::<Vec<_>>().join(", ")
}

fn datetime(text: &str, out: &mut String) {
    let (moment, zone) = match text.char_indices().skip(11).find(|(_, c)| matches!(c, '+' | '-')) {
        Some((at, sign)) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).map(|rest| (sign, rest))),
        None => (text, None),
    };
    let (clock, micros) = moment.split_once('.').unwrap_or((moment, ""));
    // Seconds that are zero are left out when no microseconds follow.
    let clock = if micros.is_empty() { clock.strip_suffix(":00").unwrap_or(clock) } else { clock };
    out.push_str("datetime.datetime(");
    out.push_str(&numbers(clock, "- :"));
    if !micros.is_empty() {
        out.push_str(", ");
        out.push_str(&numbers(micros, ""));
    }
    if let Some((sign, rest)) = zone {
        let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
        let seconds = hours.parse().unwrap_or(0_i32) * 3600 + minutes.parse().unwrap_or(0_i32) * 60;
        out.push_str(", tzinfo=datetime.timezone");
        match (seconds, sign) {
            (0, _) => out.push_str(".utc"),
            (_, '+') => out.push_str(&format!("(datetime.timedelta(seconds={seconds}))")),
            _ => out.push_str(&format!("(datetime.timedelta(days=-1, seconds={}))", 86_400 - seconds)),
        }
    }
    out.push(')');
}

fn quote(text: &str, out: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == mark => {
                out.push('\\');
                out.push(mark);
            }
            ' '..='~' => out.push(character),
            _ if printable(character) => out.push(character),
            _ => {
                let code = u32::from(character);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push(mark);
}

/// `str.isprintable`, by the table that Rust's own `Debug` uses (which goes by the same categories).
fn printable(character: char) -> bool {
    // Behind another character, since `Debug` escapes a text's leading accents only.
    let text: String = ['a', character].iter().collect();
    !format!("{text:?}").contains('\\')
}

fn quote_bytes(bytes: &[u8], out: &mut String) {
    let mark = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.push(char::from(mark));
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ if *byte == mark => {
                out.push('\\');
                out.push(char::from(mark));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(char::from(mark));
}
