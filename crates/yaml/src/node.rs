//! What a YAML text holds: scalars, sequences and mappings, each with its place.

use crate::Span;
use crate::scalar::{self, Value};

/// One value.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands. A value that came through an alias has the place of the anchored one.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// The resolved tag ("tag:yaml.org,2002:int", "!foo") if one was written.
    pub tag: Option<String>,
}

/// The three kinds of YAML values.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text, not yet interpreted.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Key and value pairs in the order written, duplicates included; merge keys are carried out.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// The text, quotes and escapes undone.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may mean a number, a boolean…
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`.
    DoubleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

impl Node {
    /// The scalar, if it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// The raw text of a scalar, whatever it means.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.as_scalar().map(|scalar| scalar.text.as_str())
    }

    /// The items, if it is a sequence.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Node]> {
        if let Kind::Sequence(items) = &self.kind { Some(items) } else { None }
    }

    /// The pairs, if it is a mapping; duplicates included, in the order written.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&[(Node, Node)]> {
        if let Kind::Mapping(pairs) = &self.kind { Some(pairs) } else { None }
    }

    /// The value of the key `key`; the last one if it stands there more than once, as in Python.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// Pairs whose key stands earlier in the same mapping already, as (first, again) keys.
    #[must_use]
    pub fn duplicate_keys(&self) -> Vec<(&Node, &Node)> {
        let mut seen: std::collections::HashMap<String, &Node> = std::collections::HashMap::new();
        let mut found = Vec::new();
        for (key, _) in self.as_mapping().unwrap_or_default() {
            let Some(identity) = key.identity() else { continue };
            match seen.get(&identity) {
                Some(first) => found.push((*first, key)),
                None => {
                    seen.insert(identity, key);
                }
            }
        }
        found
    }

    /// What a scalar means under YAML 1.1.
    ///
    /// # Errors
    /// A sentence, when the node is no scalar, has a tag that PyYAML's safe loader does not know,
    /// or its text does not fit its tag.
    pub fn value(&self) -> Result<Value, String> {
        match &self.kind {
            Kind::Scalar(scalar) => scalar::resolve(scalar, self.tag.as_deref()),
            Kind::Sequence(_) => Err("expected a single value, found a list".to_owned()),
            Kind::Mapping(_) => Err("expected a single value, found a mapping".to_owned()),
        }
    }

    /// True for a plain empty value, `~` and `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value(), Ok(Value::Null))
    }

    /// What the node is, for messages: "a list", "the number 5"…
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar(scalar) => match self.value() {
                Ok(Value::Null) => "nothing".to_owned(),
                Ok(Value::Bool(_)) => format!("the boolean `{}`", shorten(&scalar.text)),
                Ok(Value::Int(_) | Value::HugeInt | Value::Float(_)) => {
                    format!("the number `{}`", shorten(&scalar.text))
                }
                Ok(Value::Timestamp) => format!("the date `{}`", shorten(&scalar.text)),
                _ => format!("the text `{}`", shorten(&scalar.text)),
            },
        }
    }

    /// Equal for keys that are one key in Python's dictionaries (`1` and `0x1`); `None` for keys
    /// that are no scalars.
    pub(crate) fn identity(&self) -> Option<String> {
        let scalar = self.as_scalar()?;
        Some(match self.value() {
            Ok(Value::Null) => "null".to_owned(),
            Ok(Value::Bool(value)) => format!("n{}", i32::from(value)),
            Ok(Value::Int(value)) => format!("n{value}"),
            Ok(Value::Float(value)) => format!("n{value}"),
            _ => format!("s{}", scalar.text),
        })
    }
}

/// At most 40 characters of `text`, for messages.
#[must_use]
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
