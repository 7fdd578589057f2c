//! Options of a configuration, converted as cloud-init converts them (`cloudinit/util.py`,
//! `get_cfg_option_*`).

use crate::truth::translate_bool;
use crate::value::{Key, Kind, Map, Value};

/// `get_cfg_option_str`: anything as Python's `str` writes it, `None` only for a missing key. Null is
/// the text `None`.
#[must_use]
pub fn get_str(config: &Map, key: &str) -> Option<String> {
    config.get(&Key::text(key)).map(Value::to_python_str)
}

/// `get_cfg_option_bool`.
#[must_use]
pub fn get_bool(config: &Map, key: &str, default: bool) -> bool {
    config.get(&Key::text(key)).map_or(default, translate_bool)
}

/// `get_cfg_option_int`: `int(str(value))`, so `1.5` and `true` are none.
///
/// # Errors
/// The value as written, if it is no whole number.
pub fn get_int(config: &Map, key: &str, default: i128) -> Result<i128, String> {
    let Some(text) = get_str(config, key) else { return Ok(default) };
    // Python allows single underscores between digits.
    let plain = text.trim();
    let grouped = plain.split('_').all(|group| !group.is_empty());
    if grouped { plain.replace('_', "").parse().map_err(|_| text) } else { Err(text) }
}

/// `get_cfg_option_list`: a single value is a list of one text, null an empty list.
#[must_use]
pub fn get_list(config: &Map, key: &str) -> Option<Vec<Value>> {
    let value = config.get(&Key::text(key))?;
    Some(match &value.kind {
        Kind::Null => Vec::new(),
        Kind::List(items) => items.clone(),
        _ => vec![Value { place: value.place, kind: Kind::Text(value.to_python_str()) }],
    })
}
