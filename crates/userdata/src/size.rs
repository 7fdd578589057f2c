//! How large a value is.

use crate::value::{Key, Kind, Map, Value};

/// Values and bytes of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Values, keys included.
    pub nodes: usize,
    /// Bytes of all texts.
    pub bytes: usize,
}

impl Size {
    /// Of `value`.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let inner = match &value.kind {
            Kind::List(items) => items.iter().map(Self::of).fold(Self::default(), Self::plus),
            Kind::Map(map) => Self::of_map(map),
            Kind::Set(keys) => keys.iter().map(Self::of_key).fold(Self::default(), Self::plus),
            kind => Self { nodes: 0, bytes: bytes(kind) },
        };
        inner.plus(Self { nodes: 1, bytes: 0 })
    }

    /// Of all entries of `map`.
    #[must_use]
    pub fn of_map(map: &Map) -> Self {
        map.iter()
            .map(|(key, value)| Self::of_key(key).plus(Self::of(value)))
            .fold(Self::default(), Self::plus)
    }

    fn of_key(key: &Key) -> Self {
        Self { nodes: 1, bytes: bytes(&key.kind) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { nodes: self.nodes.saturating_add(other.nodes), bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// Whether there are at most `nodes` values and `bytes` bytes.
    #[must_use]
    pub fn fits(self, nodes: usize, bytes: usize) -> bool {
        self.nodes <= nodes && self.bytes <= bytes
    }
}

fn bytes(kind: &Kind) -> usize {
    match kind {
        Kind::Text(text) | Kind::HugeInt(text) | Kind::Date(text) | Kind::DateTime(text) => text.len(),
        Kind::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}
