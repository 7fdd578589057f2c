//! From YAML nodes to options of known types, as coreos-cloudinit's YAML library fills its
//! structures (`coreos/yaml`, `decode.go`).
//!
//! * In every key `-` is `_`.
//! * A value of another type is passed over, and so is an unknown key; the checks tell of both.
//! * A key that stands twice: the last value counts, but lists are joined and mappings are merged.
//! * A merge key (`<<`) counts where it stands: it overrides the keys before it, unlike PyYAML's.

use hardtack_yaml::{Kind, Node, Span, Style};

use super::scalar::{self, Scalar};
use super::shape::{Field, Shape};

/// A value of a known type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Typed {
    Text(Vec<u8>),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Typed>),
    /// One value for each field of the section.
    Section(Vec<Typed>),
}

/// What the library refuses altogether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub span: Span,
    pub message: String,
}

impl Typed {
    /// Nothing set.
    pub(crate) fn zero(shape: Shape) -> Self {
        match shape {
            Shape::Text => Self::Text(Vec::new()),
            Shape::Int => Self::Int(0),
            Shape::Float => Self::Float(0.0),
            Shape::Bool => Self::Bool(false),
            Shape::List(_) => Self::List(Vec::new()),
            Shape::Section(fields) => {
                Self::Section(fields.iter().map(|field| Self::zero(field.shape)).collect())
            }
        }
    }

    /// The value as an environment variable holds it; `None` when it is not set.
    pub(crate) fn variable(&self) -> Option<String> {
        match self {
            Self::Text(text) => (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned()),
            Self::Int(value) => (*value != 0).then(|| value.to_string()),
            Self::Float(value) => (*value != 0.0).then(|| scalar::float_text(*value)),
            Self::Bool(value) => value.then(|| "true".to_owned()),
            Self::List(_) | Self::Section(_) => None,
        }
    }

    /// The text, or nothing.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8(self.into_bytes())
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The text's bytes, or nothing.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        if let Self::Text(text) = self { text } else { Vec::new() }
    }

    /// The boolean, or no.
    pub(crate) fn into_bool(self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// The items, or none.
    pub(crate) fn into_list(self) -> Vec<Self> {
        if let Self::List(items) = self { items } else { Vec::new() }
    }
}

/// What `node` says of a configuration of shape `fields`.
pub(crate) fn decode(node: &Node, fields: &'static [Field]) -> Result<Typed, Fault> {
    lone_tags(node)?;
    let mut typed = Typed::zero(Shape::Section(fields));
    Decoder { items: 0 }.fill(node, Shape::Section(fields), &mut typed)?;
    Ok(typed)
}

/// Refuses a tag that is `!` and nothing else wherever it stands: the library's scanner wants a name
/// behind it.
fn lone_tags(node: &Node) -> Result<(), Fault> {
    if node.tag.as_deref() == Some("!") {
        return Err(Fault { span: node.span, message: LONE_TAG.to_owned() });
    }
    match &node.kind {
        Kind::Sequence(items) => items.iter().try_for_each(lone_tags),
        Kind::Mapping(pairs) => {
            pairs.iter().try_for_each(|(key, value)| lone_tags(key).and_then(|()| lone_tags(value)))
        }
        Kind::Scalar(_) => Ok(()),
    }
}

/// What the library says of a tag that is `!` and nothing else.
pub(crate) const LONE_TAG: &str = "did not find URI escaped octet";

/// Items of lists that are read, all lists together. An empty user takes three bytes in a text and
/// five hundred in memory.
const ITEMS: usize = 10_000;

struct Decoder {
    items: usize,
}

impl Decoder {
    /// Sets `out` from `node`; false when the node is of another type, and `out` stays.
    fn fill(&mut self, node: &Node, shape: Shape, out: &mut Typed) -> Result<bool, Fault> {
        let resolved = match &node.kind {
            Kind::Mapping(pairs) => return self.fill_section(pairs, shape, out),
            Kind::Sequence(items) => return self.fill_list(items, shape, out),
            Kind::Scalar(_) => scalar::resolve(node).map_err(|message| Fault { span: node.span, message })?,
        };
        let Some(resolved) = resolved else { return Ok(false) };
        // Truncated as Go's conversion does.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let value = match (resolved.scalar, shape) {
            (Scalar::Null, shape) => Typed::zero(shape),
            (_, Shape::Text) => Typed::Text(resolved.text),
            (Scalar::Int(value), Shape::Int) => Typed::Int(value),
            (Scalar::Float(value), Shape::Int) if value < 9_223_372_036_854_775_807.0 => {
                Typed::Int(value as i64)
            }
            (Scalar::Int(value), Shape::Float) => Typed::Float(value as f64),
            (Scalar::Float(value), Shape::Float) => Typed::Float(value),
            (Scalar::Bool(value), Shape::Bool) => Typed::Bool(value),
            _ => return Ok(false),
        };
        *out = value;
        Ok(true)
    }

    fn fill_list(&mut self, items: &[Node], shape: Shape, out: &mut Typed) -> Result<bool, Fault> {
        let (Shape::List(of), Typed::List(list)) = (shape, out) else { return Ok(false) };
        for item in items {
            self.items += 1;
            if self.items > ITEMS {
                return Err(Fault {
                    span: item.span,
                    message: format!("more than {ITEMS} users, files, units and keys"),
                });
            }
            let mut value = Typed::zero(*of);
            if self.fill(item, *of, &mut value)? {
                list.push(value);
            }
        }
        Ok(true)
    }

    fn fill_section(&mut self, pairs: &[(Node, Node)], shape: Shape, out: &mut Typed) -> Result<bool, Fault> {
        let Shape::Section(fields) = shape else { return Ok(false) };
        for (key, value) in pairs {
            if is_merge(key) {
                for source in merged(value)? {
                    self.fill(source, shape, out)?;
                }
                continue;
            }
            let Typed::Section(values) = &mut *out else { return Ok(false) };
            let resolved = scalar::resolve(key).map_err(|message| Fault { span: key.span, message })?;
            let Some(name) = resolved.and_then(|key| String::from_utf8(key.text).ok()) else { continue };
            let name = underscored(&name);
            let found = fields.iter().zip(values).find(|(field, _)| field.name == name);
            if let Some((field, slot)) = found {
                self.fill(value, field.shape, slot)?;
            }
        }
        Ok(true)
    }
}

/// The key as coreos-cloudinit takes it.
pub(crate) fn underscored(key: &str) -> String {
    key.replace('-', "_")
}

/// True for a plain `<<`.
pub(crate) fn is_merge(key: &Node) -> bool {
    key.as_scalar().is_some_and(|scalar| {
        scalar.text == "<<"
            && match key.tag.as_deref() {
                None => scalar.style == Style::Plain,
                Some(tag) => tag == "tag:yaml.org,2002:merge",
            }
    })
}

/// The mappings that a merge key names, in the order in which they are to be set.
pub(crate) fn merged(value: &Node) -> Result<Vec<&Node>, Fault> {
    let wrong = |node: &Node| Fault {
        span: node.span,
        message: "map merge requires map or sequence of maps as the value".to_owned(),
    };
    match &value.kind {
        Kind::Mapping(_) => Ok(vec![value]),
        Kind::Sequence(items) => items
            .iter()
            .rev()
            .map(|item| if item.as_mapping().is_some() { Ok(item) } else { Err(wrong(item)) })
            .collect(),
        Kind::Scalar(_) => Err(wrong(value)),
    }
}
