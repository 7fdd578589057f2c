//! Values of the configuration, and what to say about those that are of no use.

use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value};

use crate::module::Outcome;

/// The value of `key`, if the mapping has it.
#[must_use]
pub fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.get(&Key::text(key))
}

/// Where `key` itself stands; nowhere when the mapping does not have it.
#[must_use]
pub fn place(map: &Map, key: &str) -> Place {
    map.get_key_value(&Key::text(key)).map(|(key, _)| key.place).unwrap_or_default()
}

/// What the value is, for people: "a number", "a list"…
#[must_use]
pub fn described(value: &Value) -> &'static str {
    match &value.kind {
        Kind::Null => "nothing",
        Kind::Bool(true) => "`true`",
        Kind::Bool(false) => "`false`",
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) => "a number",
        Kind::Text(_) => "text",
        Kind::Bytes(_) => "binary data",
        Kind::Date(_) | Kind::DateTime(_) => "a date",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
        Kind::Set(_) => "a set",
    }
}

/// Every text once, where it stands first.
#[must_use]
pub fn unique(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let texts: indexmap::IndexSet<String> = texts.into_iter().collect();
    texts.into_iter().collect()
}

/// The code of values that a module cannot use: it fails, as it does in cloud-init.
pub const UNUSABLE: &str = "unusable-value";
/// The code of values that a module passes over.
pub const SKIPPED: &str = "skipped-value";
/// The code of keys and values that this program does not carry out, though cloud-init would.
pub const UNSUPPORTED: &str = "unsupported";

/// An error that fails the module: `path` has something else than what belongs there.
#[must_use]
pub fn wrong(value: &Value, path: &str, wanted: &str) -> Finding {
    Finding::error(UNUSABLE, value.place, format!("`{path}` is {}, where {wanted} belongs", described(value)))
        .at(path)
}

impl Outcome {
    /// Nothing to do, for an error.
    #[must_use]
    pub fn failed(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::default() }
    }
}
