//! JSON as Python writes it (`json.dumps` with `sort_keys`, `indent` and `separators=(",", ": ")`), since
//! scripts compare these files line by line: ASCII only, nothing in the place of what is empty, Python's
//! floating-point numbers. (`cloudinit/atomic_helper.py`, `json_dumps`)

use std::fmt::Write;

use hardtack_userdata::python_repr;
use serde_json::Value as Json;

/// `value`, each level indented by `indent` spaces, without a line break at its end.
///
/// Depth is that of what was parsed, and serde_json reads nothing that is nested deeper than 128.
pub(crate) fn dumps(value: &Json, indent: usize) -> String {
    let mut out = String::new();
    write(value, indent, 0, &mut out);
    out
}

fn write(value: &Json, indent: usize, depth: usize, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => out.push_str(&python_repr::float(float)),
            None => out.push_str(&number.to_string()),
        },
        Json::String(text) => quote(text, out),
        Json::Array(items) if items.is_empty() => out.push_str("[]"),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(at, indent, depth + 1, out);
                write(item, indent, depth + 1, out);
            }
            end(indent, depth, out);
            out.push(']');
        }
        Json::Object(members) if members.is_empty() => out.push_str("{}"),
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                separate(at, indent, depth + 1, out);
                quote(name, out);
                out.push_str(": ");
                write(member, indent, depth + 1, out);
            }
            end(indent, depth, out);
            out.push('}');
        }
    }
}

fn separate(at: usize, indent: usize, depth: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
    end(indent, depth, out);
}

fn end(indent: usize, depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent.saturating_mul(depth)));
}

/// A text in quotes, everything beyond ASCII as UTF-16 code units.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a String does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::dumps;

    #[test]
    fn as_python_writes_it() {
        let value =
            json!({"b": [], "a": {"z": 6.0, "y": 1e16, "x": [1, "\u{e4}\u{1f600}\u{7f}\n"]}, "c": {}});
        let wanted = "{\n \"a\": {\n  \"x\": [\n   1,\n   \"\\u00e4\\ud83d\\ude00\\u007f\\n\"\n  ],\n  \
                      \"y\": 1e+16,\n  \"z\": 6.0\n },\n \"b\": [],\n \"c\": {}\n}";
        assert_eq!(dumps(&value, 1), wanted);
        assert_eq!(dumps(&json!([null]), 2), "[\n  null\n]");
    }
}
