//! What counts as yes and as no (`cloudinit/util.py`, `is_true`, `is_false`, `translate_bool`).

use crate::value::{Kind, Value};

/// `True`, and what reads `true`, `1`, `on`, `yes` in any case, blanks around it ignored.
#[must_use]
pub fn is_true(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => *value,
        _ => says(value, &["true", "1", "on", "yes"]),
    }
}

/// `False`, and what reads `off`, `0`, `no`, `false`. Not the opposite of [`is_true`].
#[must_use]
pub fn is_false(value: &Value) -> bool {
    match &value.kind {
        Kind::Bool(value) => !*value,
        _ => says(value, &["off", "0", "no", "false"]),
    }
}

/// The boolean of an option: [`is_true`] of whatever Python does not take for nothing.
#[must_use]
pub fn translate_bool(value: &Value) -> bool {
    truthy(value) && is_true(value)
}

/// Python's own truth: everything but nothing, zero and the empty.
#[must_use]
pub fn truthy(value: &Value) -> bool {
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

fn says(value: &Value, words: &[&str]) -> bool {
    // No collection reads like one of the words.
    if matches!(value.kind, Kind::List(_) | Kind::Map(_) | Kind::Set(_)) {
        return false;
    }
    let text = value.to_python_str().to_lowercase();
    words.contains(&text.trim())
}
