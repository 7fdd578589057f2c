//! The configuration as coreos-cloudinit's checks see it: types as YAML guesses them, keys with
//! underscores, line numbers (`config/validate/node.go`, `parseCloudConfig` of `validate.go`).

use std::collections::HashMap;

use hardtack_yaml::{Kind, Node, Span};

use super::lines::{self, Line, Lines};
use crate::coreos::decode::{self, Fault, Typed, is_merge, merged, underscored};
use crate::coreos::scalar::{self, Scalar};
use crate::coreos::shape::{Field, Shape};

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// Null, or no value at all.
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Vec<u8>),
    List,
    Map,
}

/// One value with those in it, as far as somebody looks at them.
#[derive(Clone, Debug)]
pub(super) struct Tree<'a> {
    /// The key with underscores; empty for an item of a list.
    pub name: String,
    /// Its place in the list, if it is an item of one.
    pub index: Option<usize>,
    /// The line's number; 0 for none.
    pub line: usize,
    /// The key as written.
    pub key: Option<&'a Node>,
    /// The value as written.
    pub node: Option<&'a Node>,
    pub content: Content,
    pub children: Vec<Tree<'a>>,
}

impl Content {
    /// Whether a value of this kind can become a `shape` (`isCompatible`).
    pub(super) fn fits(&self, shape: Shape) -> bool {
        match shape {
            Shape::Text => matches!(self, Self::Text(_) | Self::Int(_) | Self::Float(_) | Self::Bool(_)),
            Shape::Int => matches!(self, Self::Int(_)),
            Shape::Float => matches!(self, Self::Float(_) | Self::Int(_)),
            Shape::Bool => matches!(self, Self::Bool(_)),
            Shape::List(_) => matches!(self, Self::List),
            Shape::Section(_) => matches!(self, Self::Map),
        }
    }

    /// Go's `Value.String()`: the text of a text, a description of anything else.
    pub(super) fn go_string(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Self::Nothing => "<invalid Value>".to_owned(),
            Self::Bool(_) => "<bool Value>".to_owned(),
            Self::Int(_) => "<int Value>".to_owned(),
            Self::Float(_) => "<float64 Value>".to_owned(),
            Self::List => "<[]interface {} Value>".to_owned(),
            Self::Map => "<map[interface {}]interface {} Value>".to_owned(),
        }
    }

    /// Go's `%v` of a scalar; `None` for what no options can be compared with.
    pub(super) fn go_value(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(scalar::float_text(*value)),
            Self::Nothing | Self::List | Self::Map => None,
        }
    }

    /// True for the value that counts as not set.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Bool(value) => !value,
            Self::Int(value) => *value == 0,
            Self::Float(value) => *value == 0.0,
            Self::Nothing | Self::List | Self::Map => false,
        }
    }
}

impl<'a> Tree<'a> {
    /// Nothing at all.
    pub(super) fn nothing() -> Self {
        Self {
            name: String::new(),
            index: None,
            line: 0,
            key: None,
            node: None,
            content: Content::Nothing,
            children: Vec::new(),
        }
    }

    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name: `write-files` and `write_files` are two.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Where the value stands.
    pub(super) fn span(&self) -> Span {
        self.node.map(|node| node.span).unwrap_or_default()
    }

    /// Where the key stands, or the item.
    pub(super) fn key_span(&self) -> Span {
        self.key.or(self.node).map(|node| node.span).unwrap_or_default()
    }

    /// The key as written, or the index.
    pub(super) fn step(&self) -> String {
        match (self.index, self.key.and_then(Node::text)) {
            (Some(index), _) => index.to_string(),
            (None, Some(key)) => key.to_owned(),
            (None, None) => String::new(),
        }
    }

    /// The tree of `root`, values replaced by what the options of `fields` take where they can
    /// become that.
    pub(super) fn read(text: &str, root: &'a Node, fields: &'static [Field]) -> Result<Self, Fault> {
        let typed = decode::decode(root, fields)?;
        // Anything but a mapping counts as an empty one.
        let mut tree = Self { node: Some(root), content: Content::Map, ..Self::nothing() };
        match &root.kind {
            Kind::Mapping(pairs) => tree.children = map(pairs, Shape::Section(fields), 0, &Lines::new(text))?,
            Kind::Scalar(_) => sound(root)?,
            Kind::Sequence(_) => {}
        }
        tree.coerce(&typed, Shape::Section(fields));
        Ok(tree)
    }

    /// `coerceNodes`.
    fn coerce(&mut self, typed: &Typed, shape: Shape) {
        match (typed, shape) {
            (Typed::Section(values), Shape::Section(fields)) => {
                for child in &mut self.children {
                    let found = fields.iter().zip(values).find(|(field, _)| field.name == child.name);
                    if let Some((field, value)) = found {
                        child.coerce(value, field.shape);
                    }
                }
            }
            (Typed::List(values), Shape::List(of)) if self.content == Content::List => {
                for (child, value) in self.children.iter_mut().zip(values) {
                    child.coerce(value, *of);
                }
            }
            _ if self.content.fits(shape) => match typed {
                Typed::Text(text) => self.content = Content::Text(text.clone()),
                Typed::Int(value) => self.content = Content::Int(*value),
                Typed::Float(value) => self.content = Content::Float(*value),
                Typed::Bool(value) => self.content = Content::Bool(*value),
                Typed::List(_) | Typed::Section(_) => {}
            },
            _ => {}
        }
    }
}

/// Fills in what `node` is, and its children, searched for from `line` on. Nobody looks at what is
/// inside a value of no known shape.
fn build<'a>(
    node: &'a Node,
    shape: Option<Shape>,
    line: Line,
    lines: &Lines,
    tree: &mut Tree<'a>,
) -> Result<(), Fault> {
    let shape = shape.filter(|shape| matches!(shape, Shape::List(_) | Shape::Section(_)));
    tree.node = Some(node);
    match &node.kind {
        Kind::Mapping(pairs) => {
            tree.content = Content::Map;
            match shape {
                Some(shape) => tree.children = map(pairs, shape, line, lines)?,
                None => sound(node)?,
            }
        }
        Kind::Sequence(items) => {
            tree.content = Content::List;
            // Items of a list where a section is wanted have no names that are known.
            let Some(Shape::List(of)) = shape else { return sound(node) };
            let mut at = line;
            for (index, item) in items.iter().enumerate() {
                at = lines.item(at);
                let mut child = Tree { index: Some(index), line: lines::number(at), ..Tree::nothing() };
                build(item, Some(*of), at, lines, &mut child)?;
                tree.children.push(child);
                at = at.saturating_add(1);
            }
        }
        Kind::Scalar(_) => {
            let resolved = scalar::resolve(node).map_err(|message| Fault { span: node.span, message })?;
            tree.content = resolved.map_or(Content::Nothing, |resolved| match resolved.scalar {
                Scalar::Null => Content::Nothing,
                Scalar::Bool(value) => Content::Bool(value),
                Scalar::Int(value) => Content::Int(value),
                Scalar::Float(value) => Content::Float(value),
                Scalar::Text(text) => Content::Text(text),
            });
        }
    }
    Ok(())
}

/// Whether everything in `node` can be read.
fn sound(node: &Node) -> Result<(), Fault> {
    match &node.kind {
        Kind::Mapping(pairs) => {
            collect(pairs, &mut Vec::new(), &mut HashMap::new())?;
            pairs.iter().try_for_each(|(_, value)| sound(value))
        }
        Kind::Sequence(items) => items.iter().try_for_each(sound),
        Kind::Scalar(_) => {
            scalar::resolve(node).map(|_| ()).map_err(|message| Fault { span: node.span, message })
        }
    }
}

/// The entries of a mapping: of equal keys the last counts, and merge keys count where they stand.
fn map<'a>(
    pairs: &'a [(Node, Node)],
    shape: Shape,
    line: Line,
    lines: &Lines,
) -> Result<Vec<Tree<'a>>, Fault> {
    let mut entries: Vec<(Name, &Node, &Node)> = Vec::new();
    collect(pairs, &mut entries, &mut HashMap::new())?;
    let mut children = Vec::with_capacity(entries.len());
    for (name, key, value) in entries {
        let name = name.go_string();
        let at = lines.key(&name, line);
        let name = underscored(&name);
        let shape = match shape {
            Shape::Section(fields) => fields.iter().find(|field| field.name == name).map(|field| field.shape),
            // A mapping where a list is wanted: its values are looked at like items.
            Shape::List(of) => Some(*of),
            _ => None,
        };
        let mut child = Tree { line: lines::number(at), key: Some(key), name, ..Tree::nothing() };
        build(value, shape, at, lines, &mut child)?;
        children.push(child);
    }
    Ok(children)
}

fn collect<'a>(
    pairs: &'a [(Node, Node)],
    entries: &mut Vec<(Name, &'a Node, &'a Node)>,
    places: &mut HashMap<Name, usize>,
) -> Result<(), Fault> {
    for (key, value) in pairs {
        if is_merge(key) {
            for source in merged(value)? {
                collect(source.as_mapping().unwrap_or_default(), entries, places)?;
            }
            continue;
        }
        let resolved = scalar::resolve(key).map_err(|message| Fault { span: key.span, message })?;
        let Some(resolved) = resolved else {
            return Err(Fault { span: key.span, message: "invalid map key: a list or a mapping".to_owned() });
        };
        let name = Name::from(resolved.scalar);
        match places.get(&name).and_then(|at| entries.get_mut(*at)) {
            Some(entry) => *entry = (name, key, value),
            None => {
                places.insert(name.clone(), entries.len());
                entries.push((name, key, value));
            }
        }
    }
    Ok(())
}

/// A key. Unlike Python's, Go's are equal only when their types are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Null,
    Bool(bool),
    Int(i64),
    Float(u64),
    Text(Vec<u8>),
}

impl From<Scalar> for Name {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::Int(value) => Self::Int(value),
            Scalar::Float(value) => Self::Float(value.to_bits()),
            Scalar::Text(text) => Self::Text(text),
        }
    }
}

impl Name {
    /// Go's `%s`.
    fn go_string(&self) -> String {
        match self {
            Self::Null => "%!s(<nil>)".to_owned(),
            Self::Bool(value) => format!("%!s(bool={value})"),
            Self::Int(value) => format!("%!s(int={value})"),
            Self::Float(bits) => format!("%!s(float64={})", scalar::float_text(f64::from_bits(*bits))),
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
        }
    }
}
