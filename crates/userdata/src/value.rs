//! Configuration: what YAML means to Python, with a place for every value.
//!
//! Merging, checking and applying all work on this. It holds what PyYAML's `SafeLoader` makes of a
//! text (`yaml/constructor.py`), since modules tell `5` from `"5"`, and `1` from `True` as Python does.

use std::hash::{Hash, Hasher};

use indexmap::IndexMap;

use crate::finding::Place;

/// One value.
#[derive(Clone, Debug)]
pub struct Value {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `~`, `null` or nothing.
    Null,
    /// `true`, `yes`, `off`…
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A whole number beyond [`Kind::Int`], in decimal digits as far as they are known.
    HugeInt(String),
    /// A number with a point.
    Float(f64),
    /// Text.
    Text(String),
    /// `!!binary`.
    Bytes(Vec<u8>),
    /// `2001-01-23`.
    Date(String),
    /// `2001-12-14t21:59:43.10-05:00`.
    DateTime(String),
    /// A list. `!!omap` and `!!pairs` are lists of lists of two.
    List(Vec<Value>),
    /// A mapping, in the order written.
    Map(Map),
    /// `!!set`.
    Set(Vec<Key>),
}

/// A mapping. The last of equal keys gives the value, the first one the position, as in Python.
pub type Map = IndexMap<Key, Value>;

/// A key: a scalar. Keys are equal where Python's are: `1`, `1.0` and `true` are one key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it stands.
    pub place: Place,
    /// What it is: never [`Kind::List`], [`Kind::Map`] or [`Kind::Set`].
    pub kind: Kind,
}

impl Key {
    /// A key that is text, which stands nowhere.
    pub fn text(text: impl Into<String>) -> Self {
        Self { place: Place::default(), kind: Kind::Text(text.into()) }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// What is compared and hashed.
    fn identity(&self) -> Identity<'_> {
        match &self.kind {
            Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Set(_) => Identity::Null,
            Kind::Bool(value) => Identity::Number(i128::from(*value)),
            Kind::Int(value) => Identity::Number(*value),
            // A float that is a whole number is that number's key.
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            Kind::Float(value) if value.fract() == 0.0 && value.abs() < 1e30 => {
                Identity::Number(*value as i128)
            }
            Kind::Float(value) => Identity::Float(value.to_bits()),
            Kind::HugeInt(digits) => Identity::Huge(digits),
            Kind::Text(text) => Identity::Text(text),
            Kind::Bytes(bytes) => Identity::Bytes(bytes),
            Kind::Date(text) => Identity::Date(text),
            Kind::DateTime(text) => Identity::DateTime(text),
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Identity<'a> {
    Null,
    Number(i128),
    Huge(&'a str),
    Float(u64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Date(&'a str),
    DateTime(&'a str),
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl Value {
    /// A value that stands nowhere.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { place: Place::default(), kind }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    /// The entries, if it is a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Kind::Map(map) = &self.kind { Some(map) } else { None }
    }

    /// The value of the text key `key`, if it is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(&Key::text(key))
    }

    /// True for null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }
}
