//! What cloud-init's modules do to values without saying so: Python's `str()`, `repr()` and truth, and
//! the few functions of `cloudinit/util.py` that read options (`is_true`, `get_cfg_option_*`).

use hardtack_userdata::{Key, Kind, Map, Value};

/// The value of `key`, if the mapping has it.
#[must_use]
pub fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.get(&Key::text(key))
}

/// Python's truth: false for null, false, zero and everything empty.
#[must_use]
pub fn truth(value: &Value) -> bool {
    match &value.kind {
        Kind::Null => false,
        Kind::Bool(value) => *value,
        Kind::Int(value) => *value != 0,
        Kind::HugeInt(_) | Kind::Date(_) | Kind::DateTime(_) => true,
        Kind::Float(value) => *value != 0.0,
        Kind::Text(text) => !text.is_empty(),
        Kind::Bytes(bytes) => !bytes.is_empty(),
        Kind::List(items) => !items.is_empty(),
        Kind::Map(map) => !map.is_empty(),
        Kind::Set(keys) => !keys.is_empty(),
    }
}

/// `util.is_true`: `true`, or a word that says so in any case.
#[must_use]
pub fn is_true(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => *value,
        _ => matches!(to_text(value).to_lowercase().trim(), "true" | "1" | "on" | "yes"),
    }
}

/// `util.is_false`: `false`, or a word that says so in any case.
#[must_use]
pub fn is_false(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => !*value,
        _ => matches!(to_text(value).to_lowercase().trim(), "off" | "0" | "no" | "false"),
    }
}

/// `util.get_cfg_option_bool`.
#[must_use]
pub fn option_bool(map: &Map, key: &str, default: bool) -> bool {
    // A key without a value is asked as `str(None)`, which is no word for true.
    get(map, key).map_or(default, is_true)
}

/// `util.get_cfg_option_str`: any value as text; `None` when the key is missing or null.
#[must_use]
pub fn option_text(map: &Map, key: &str) -> Option<String> {
    get(map, key).filter(|value| !value.is_null()).map(to_text)
}

/// `util.get_cfg_option_list`: a value that is no list is a list of itself as text; null is empty.
#[must_use]
pub fn option_list(map: &Map, key: &str) -> Option<Vec<Value>> {
    let value = get(map, key)?;
    Some(match &value.kind {
        Kind::Null => Vec::new(),
        Kind::List(items) => items.clone(),
        _ => vec![Value { place: value.place, kind: Kind::Text(to_text(value)) }],
    })
}

/// `str(value)`.
#[must_use]
pub fn to_text(value: &Value) -> String {
    if let Kind::Text(text) = &value.kind { text.clone() } else { repr(value) }
}

/// `repr(value)`.
#[must_use]
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&value.kind, &mut out, 0);
    out
}

/// `str(key)`.
#[must_use]
pub fn key_text(key: &Key) -> String {
    if let Kind::Text(text) = &key.kind {
        return text.clone();
    }
    let mut out = String::new();
    write_repr(&key.kind, &mut out, 0);
    out
}

/// Name of the value's type as Python's messages call it.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Null => "NoneType",
        Kind::Bool(_) => "bool",
        Kind::Int(_) | Kind::HugeInt(_) => "int",
        Kind::Float(_) => "float",
        Kind::Text(_) => "str",
        Kind::Bytes(_) => "bytes",
        Kind::Date(_) => "date",
        Kind::DateTime(_) => "datetime",
        Kind::List(_) => "list",
        Kind::Map(_) => "dict",
        Kind::Set(_) => "set",
    }
}

/// What the value is, for people: "a number", "a list"…
#[must_use]
pub fn described(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Null => "nothing",
        Kind::Bool(_) => "true or false",
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => "a number",
        Kind::Text(_) => "text",
        Kind::Bytes(_) => "binary data",
        Kind::Date(_) | Kind::DateTime(_) => "a date",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
        Kind::Set(_) => "a set",
    }
}

/// Values lie no deeper than the loader's limit; this is only a second rope.
const DEEPEST: usize = 256;

fn write_repr(kind: &Kind, out: &mut String, depth: usize) {
    if depth > DEEPEST {
        out.push_str("...");
        return;
    }
    match kind {
        Kind::Null => out.push_str("None"),
        Kind::Bool(true) => out.push_str("True"),
        Kind::Bool(false) => out.push_str("False"),
        Kind::Int(value) => out.push_str(&value.to_string()),
        Kind::HugeInt(digits) => out.push_str(digits),
        Kind::Float(value) => out.push_str(&float(*value)),
        Kind::Text(text) => write_quoted(text, out),
        Kind::Bytes(bytes) => {
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            out.push('b');
            write_quoted_bytes(&text, out);
        }
        Kind::Date(text) | Kind::DateTime(text) => out.push_str(text),
        Kind::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(&item.kind, out, depth + 1);
            }
            out.push(']');
        }
        Kind::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(&key.kind, out, depth + 1);
                out.push_str(": ");
                write_repr(&item.kind, out, depth + 1);
            }
            out.push('}');
        }
        Kind::Set(keys) => {
            out.push_str(if keys.is_empty() { "set()" } else { "{" });
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(&key.kind, out, depth + 1);
            }
            out.push_str(if keys.is_empty() { "" } else { "}" });
        }
    }
}

/// The quote that Python's `repr` takes: double ones only round text that has single ones and no double.
fn quote_for(text: &str) -> char {
    if text.contains('\'') && !text.contains('"') { '"' } else { '\'' }
}

fn write_quoted(text: &str, out: &mut String) {
    let quote = quote_for(text);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(character);
            }
            _ if u32::from(character) < 0x20 || (0x7f..=0xa0).contains(&u32::from(character)) => {
                out.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
}

fn write_quoted_bytes(text: &str, out: &mut String) {
    let quote = quote_for(text);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(character);
            }
            ' '..='~' => out.push(character),
            _ => out.push_str(&format!("\\x{:02x}", u32::from(character))),
        }
    }
    out.push(quote);
}

/// `repr` of a float: the shortest digits that give it back, an exponent below 1e-4 and from 1e16.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_does() {
        for (value, text) in [
            (10.0, "10.0"),
            (0.5, "0.5"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (1.5e15, "1500000000000000.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.25e300, "1.25e+300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn text_is_quoted_as_python_does() {
        for (text, expected) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("it's \"x\"", "'it\\'s \"x\"'"),
            ("a\\b\n\u{7f}é", "'a\\\\b\\n\\x7fé'"),
        ] {
            assert_eq!(repr(&Value::new(Kind::Text(text.to_owned()))), expected);
        }
        assert_eq!(repr(&Value::new(Kind::Bytes(b"a\xff'".to_vec()))), "b\"a\\xff'\"");
    }

    #[test]
    fn words_are_true_in_any_case() {
        let text = |text: &str| Value::new(Kind::Text(text.to_owned()));
        for word in ["true", "TRUE", " yes ", "1", "on"] {
            assert!(is_true(&text(word)) && !is_false(&text(word)), "{word}");
        }
        for word in ["false", "Off", "0", "no\n"] {
            assert!(is_false(&text(word)) && !is_true(&text(word)), "{word}");
        }
        assert!(is_true(&Value::new(Kind::Int(1))) && !is_true(&Value::new(Kind::Int(2))));
    }
}
