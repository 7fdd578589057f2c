//! A walk over all keys and scalars of a configuration.

use crate::secrets::is_secret_key;
use crate::value::{Key, Kind, Map, Value};

/// Bytes of a key that a path shows.
const KEY_SHOWN: usize = 80;

/// A key or a scalar, and where it is.
pub(super) struct Spot<'v, 'p> {
    /// The key of the top level that it is below.
    pub(super) top: &'p str,
    /// The nearest key above, or the key itself.
    pub(super) name: &'p str,
    /// That key is one of secrets.
    pub(super) is_secret: bool,
    /// `users.0.name`.
    pub(super) path: &'p str,
    /// What it is.
    pub(super) what: What<'v>,
}

/// What a [`Spot`] is about.
pub(super) enum What<'v> {
    /// A key.
    Key(&'v Key),
    /// A value that is neither a list nor a mapping.
    Scalar(&'v Value),
}

/// Calls `see` for every key and every scalar.
pub(super) fn each<'v>(config: &'v Map, see: &mut dyn FnMut(Spot<'v, '_>)) {
    let mut path = String::new();
    for (key, value) in config {
        let top = short(key);
        path.clone_from(&top);
        key_and_value(key, value, &top, &top, &mut path, see);
    }
}

fn key_and_value<'v>(
    key: &'v Key,
    value: &'v Value,
    top: &str,
    name: &str,
    path: &mut String,
    see: &mut dyn FnMut(Spot<'v, '_>),
) {
    let is_secret = is_secret_key(name);
    see(Spot { top, name, is_secret, path, what: What::Key(key) });
    inside(value, top, name, is_secret, path, see);
}

fn inside<'v>(
    value: &'v Value,
    top: &str,
    name: &str,
    is_secret: bool,
    path: &mut String,
    see: &mut dyn FnMut(Spot<'v, '_>),
) {
    let length = path.len();
    match &value.kind {
        Kind::Map(map) => {
            for (key, value) in map {
                let name = short(key);
                step(path, &name);
                key_and_value(key, value, top, &name, path, see);
                path.truncate(length);
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                step(path, &index.to_string());
                inside(item, top, name, is_secret, path, see);
                path.truncate(length);
            }
        }
        _ => see(Spot { top, name, is_secret, path, what: What::Scalar(value) }),
    }
}

fn step(path: &mut String, step: &str) {
    path.push('.');
    path.push_str(step);
}

fn short(key: &Key) -> String {
    let whole = key.to_python_str();
    let end =
        whole.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= KEY_SHOWN).last();
    match end {
        Some(end) if end < whole.len() => format!("{}…", whole.get(..end).unwrap_or_default()),
        _ => whole,
    }
}
