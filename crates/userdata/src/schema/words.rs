//! Words for values and shapes: what was found, and what was expected. Values of secret keys, and what
//! looks like a secret, are never shown.

use super::shape::Shape;
use crate::value::{Key, Kind, Value};

/// Bytes of a text that a message shows.
const SHOWN: usize = 48;

/// Allowed keys or values are listed up to this many.
pub(super) const LISTED: usize = 14;

/// Appends `text`, at most `most` bytes of it, without control characters.
pub(super) fn shorten_into(out: &mut String, text: &str, most: usize) {
    let end = out.len().saturating_add(most);
    for letter in text.chars() {
        if out.len() >= end {
            out.push('…');
            return;
        }
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
}

fn shown(text: &str) -> String {
    let mut out = String::new();
    shorten_into(&mut out, text, SHOWN);
    out
}

/// A scalar as YAML would have it.
pub(super) fn plain(kind: &Kind) -> String {
    match kind {
        Kind::Null => "null".into(),
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::HugeInt(digits) => shown(digits),
        Kind::Float(value) if value.is_nan() => ".nan".into(),
        Kind::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.into(),
        Kind::Float(value) => format!("{value:?}"),
        Kind::Text(text) | Kind::Date(text) | Kind::DateTime(text) => shown(text),
        Kind::Bytes(_) => "!!binary".into(),
        Kind::List(_) => "a list".into(),
        Kind::Map(_) => "a mapping".into(),
        Kind::Set(_) => "!!set".into(),
    }
}

/// What a value is, for people.
pub(super) fn found(value: &Value, secret: bool) -> String {
    let name = match &value.kind {
        Kind::Null => return "empty (null)".into(),
        Kind::Bytes(_) => return "binary data (`!!binary`)".into(),
        Kind::List(items) if items.is_empty() => return "an empty list".into(),
        Kind::List(_) => return "a list".into(),
        Kind::Map(entries) if entries.is_empty() => return "an empty mapping".into(),
        Kind::Map(_) => return "a mapping".into(),
        Kind::Set(_) => return "a set (`!!set`)".into(),
        Kind::Text(text) if text.is_empty() => return "an empty text".into(),
        Kind::Bool(_) => "the boolean",
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => "the number",
        Kind::Text(_) => "the text",
        Kind::Date(_) | Kind::DateTime(_) => "the date",
    };
    match &value.kind {
        Kind::Text(text) if secret || looks_secret(text) => "a text that is not shown here".into(),
        _ if secret => format!("{} that is not shown here", name.replacen("the ", "a ", 1)),
        Kind::Text(text) => format!("{name} `\"{}\"`", shown(text)),
        kind => format!("{name} `{}`", plain(kind)),
    }
}

/// A private key, or the hash of a password.
fn looks_secret(text: &str) -> bool {
    text.contains("PRIVATE KEY-----") || (text.starts_with('$') && text.matches('$').count() > 2)
}

/// A key as it is shown below `path`: in `chpasswd` what follows a colon is a password.
pub(super) fn key_shown(path: &str, key: &Key) -> String {
    let name = plain(&key.kind);
    match name.split_once(':') {
        Some((user, _)) if path == "chpasswd" || path.starts_with("chpasswd.") => format!("{user}:…"),
        _ => name,
    }
}

/// What a shape takes, for people, in pieces. What is deprecated is left out.
pub(super) fn expected_into(shape: &Shape, out: &mut Vec<String>) {
    let piece = match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Bool => {
            out.extend(["`true`".to_owned(), "`false`".to_owned()]);
            return;
        }
        Shape::Only(value) => format!("`{value}`"),
        Shape::Text => "text".to_owned(),
        Shape::Matching(pattern) | Shape::Format(pattern) => pattern.wanted.to_owned(),
        Shape::Choice(choices) if choices.len() > LISTED => format!("one of {} known words", choices.len()),
        Shape::Choice(choices) => {
            out.extend(choices.iter().map(|choice| format!("`{choice}`")));
            return;
        }
        Shape::Int => "a whole number".to_owned(),
        Shape::IntFrom(least) => format!("a whole number (at least {least})"),
        Shape::NumberFrom(least) => format!("a number (at least {least})"),
        Shape::List(list) => match &list.items {
            Shape::Text | Shape::Matching(_) | Shape::Format(_) => "a list of texts".to_owned(),
            Shape::Map(_) => "a list of mappings".to_owned(),
            Shape::List(_) => "a list of lists".to_owned(),
            choices @ Shape::Choice(_) => format!("a list of {}", expected(choices)),
            _ => "a list".to_owned(),
        },
        Shape::Map(_) => "a mapping".to_owned(),
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => {
            shapes.iter().for_each(|shape| expected_into(shape, out));
            return;
        }
        Shape::Old(_) => return,
    };
    if !out.contains(&piece) {
        out.push(piece);
    }
}

pub(super) fn expected(shape: &Shape) -> String {
    let mut pieces = Vec::new();
    expected_into(shape, &mut pieces);
    if let (Shape::Old(old), true) = (shape, pieces.is_empty()) {
        expected_into(&old.shape, &mut pieces);
    }
    either(&pieces)
}

/// `a, b or c`.
pub(super) fn either(pieces: &[impl AsRef<str>]) -> String {
    let mut out = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        out.push_str(match index {
            0 => "",
            _ if index + 1 == pieces.len() => " or ",
            _ => ", ",
        });
        out.push_str(piece.as_ref());
    }
    out
}
