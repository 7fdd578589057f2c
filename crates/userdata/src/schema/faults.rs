//! What is wrong with a value, as far as verdicts depend on it.

/// What is wrong with a value.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    /// How many errors there are.
    pub(super) count: usize,
    /// One of them is about the value itself, not about one inside of it.
    here: bool,
    /// One of them is about a key inside of it whose name ends in `type`.
    pub(super) typed: bool,
}

impl Faults {
    pub(super) const NONE: Self = Self { count: 0, here: false, typed: false };
    pub(super) const HERE: Self = Self { count: 1, here: true, typed: false };

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            here: self.here || other.here,
            typed: self.typed || other.typed,
        }
    }

    /// The same, seen from the mapping that holds the value under `key`.
    pub(super) fn under(self, key: Option<&str>) -> Self {
        let named = self.here && key.is_some_and(ends_in_type);
        Self { count: self.count, here: false, typed: self.typed || named }
    }

    pub(super) fn any(self) -> bool {
        self.count > 0
    }
}

/// Whether a JSON path that ends with this key ends in `type` for jsonschema, which writes other keys
/// than these in brackets.
fn ends_in_type(key: &str) -> bool {
    key.ends_with("type")
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
