//! From a part's text to values, as PyYAML's `SafeLoader` constructs them (`yaml/constructor.py`),
//! and to a configuration (`cloudinit/util.py`, `load_yaml`).
//!
//! What is refused falls into two classes, since cloud-init tells them apart. What its loader reports
//! ([`SYNTAX`], [`VALUE`]) makes a part one of the "error parts"; what breaks the loader ([`BREAKS`])
//! makes it one that is counted nowhere. Beyond [`limits::YAML`] we refuse more than Python, and values
//! that contain themselves (`&a [*a]`).

mod merge_keys;
mod number;
mod scalar;
mod timestamp;

use hardtack_yaml::{Document, Looks, Node, Style, looks, shorten};

use crate::finding::{Finding, Place};
use crate::value::{Key, Kind, Map, Value};
use crate::{limits, utf8};

/// Code of what is no YAML.
pub const SYNTAX: &str = "yaml-syntax";
/// Code of YAML whose values PyYAML refuses.
pub const VALUE: &str = "yaml-value";
/// Code of values that PyYAML stumbles over (`!!bool maybe`).
pub const BREAKS: &str = "yaml-breaks";
/// Code of a text that is YAML and no mapping.
pub const ROOT: &str = "yaml-root";

/// The prefix of YAML's own tags.
const CORE: &str = "tag:yaml.org,2002:";

impl Value {
    /// The one document of `text`, which is the part `part`. An empty text is null.
    ///
    /// # Errors
    /// What is wrong with it and where.
    pub fn load(text: &str, part: usize) -> Result<Self, Vec<Finding>> {
        let root = Document::compose("", text, limits::YAML).map_err(|found| {
            found
                .into_iter()
                .map(|diagnostic| Finding {
                    severity: diagnostic.severity,
                    code: SYNTAX,
                    path: String::new(),
                    place: Place { part, span: diagnostic.span },
                    message: diagnostic.message,
                    hint: diagnostic.hint,
                })
                .collect::<Vec<_>>()
        })?;
        Loader { part }.value(root).map_err(|finding| vec![*finding])
    }

    /// [`Value::load`] of bytes, which have to be UTF-8.
    ///
    /// # Errors
    /// As [`Value::load`], and for the first byte that is not UTF-8.
    pub fn load_bytes(bytes: &[u8], part: usize) -> Result<Self, Vec<Finding>> {
        Self::load(utf8::text(bytes, part).map_err(|finding| vec![finding])?, part)
    }
}

/// The configuration in `text`, which is the part `part`; `None` if there is nothing but comments.
///
/// # Errors
/// As [`Value::load`], and for everything that is no mapping.
pub fn load_config(text: &str, part: usize) -> Result<Option<Map>, Vec<Finding>> {
    let root = Value::load(text, part)?;
    match root.kind {
        Kind::Map(map) => Ok(Some(map)),
        Kind::Null => Ok(None),
        other => {
            let found = match other {
                Kind::List(_) => "a list",
                Kind::Text(_) => "plain text",
                Kind::Set(_) => "a set",
                _ => "a single value",
            };
            let message =
                format!("the configuration is {found}, where a mapping belongs: all of it is ignored");
            let hint = "write `key: value` lines at the left margin, with a blank behind every colon";
            Err(vec![Finding::error(ROOT, root.place, message).with_hint(hint)])
        }
    }
}

type Failed = Box<Finding>;

struct Loader {
    part: usize,
}

/// What a scalar, written without a tag, is for PyYAML's resolver.
fn resolved(node: &Node) -> Option<Looks> {
    let scalar = node.as_scalar()?;
    match node.tag.as_deref() {
        None if scalar.style == Style::Plain => Some(looks(&scalar.text)),
        None => Some(Looks::Text),
        // The lone `!` is the same as no tag and no quotes.
        Some("!") => Some(looks(&scalar.text)),
        Some(_) => None,
    }
}

/// The word behind [`CORE`] of the node's tag, written or resolved. `Err` with any other tag.
fn core_tag(node: &Node) -> Result<&str, &str> {
    if let Some(tag) = node.tag.as_deref().filter(|tag| *tag != "!") {
        return tag.strip_prefix(CORE).ok_or(tag);
    }
    Ok(match (&node.kind, resolved(node)) {
        (hardtack_yaml::Kind::Sequence(_), _) => "seq",
        (hardtack_yaml::Kind::Mapping(_), _) => "map",
        (_, Some(Looks::Null)) => "null",
        (_, Some(Looks::Bool)) => "bool",
        (_, Some(Looks::Int)) => "int",
        (_, Some(Looks::Float)) => "float",
        (_, Some(Looks::Timestamp)) => "timestamp",
        (_, Some(Looks::Merge)) => "merge",
        (_, Some(Looks::Value)) => "value",
        (_, Some(Looks::Text) | None) => "str",
    })
}

impl Loader {
    fn place(&self, node: &Node) -> Place {
        Place { part: self.part, span: node.span }
    }

    fn refuse<T>(&self, node: &Node, message: impl Into<String>) -> Result<T, Failed> {
        Err(Box::new(Finding::error(VALUE, self.place(node), message)))
    }

    /// `SafeConstructor.construct_object`.
    fn value(&self, node: Node) -> Result<Value, Failed> {
        let place = self.place(&node);
        let kind = match core_tag(&node) {
            Ok("seq") => self.list(node)?,
            Ok("map") => Kind::Map(self.map(node)?),
            Ok("set") => Kind::Set(self.map(node)?.into_keys().collect()),
            Ok("omap" | "pairs") => self.pairs(node)?,
            Ok(tag @ ("null" | "bool" | "int" | "float" | "binary" | "timestamp" | "str")) => {
                let tag = tag.to_owned();
                self.scalar(&tag, node)?
            }
            Ok(tag @ ("merge" | "value")) if node.tag.is_none() => {
                let sign = if tag == "merge" { "<<" } else { "=" };
                let message = format!("a plain `{sign}` has no meaning as a value");
                return Err(Box::new(
                    Finding::error(VALUE, place, message).with_hint(format!("put it in quotes: '{sign}'")),
                ));
            }
            Ok(_) | Err(_) => {
                let tag = node.tag.as_deref().unwrap_or_default();
                let tag = tag.strip_prefix(CORE).map_or_else(|| tag.to_owned(), |core| format!("!!{core}"));
                let message = format!("the tag `{}` is not known to cloud-init", shorten(&tag));
                let hint = "remove it, or put the value in quotes if the `!` belongs to it";
                return Err(Box::new(Finding::error(VALUE, place, message).with_hint(hint)));
            }
        };
        Ok(Value { place, kind })
    }

    fn list(&self, node: Node) -> Result<Kind, Failed> {
        let hardtack_yaml::Kind::Sequence(items) = node.kind else {
            return self.refuse(&node, "the tag says list, and the value is none");
        };
        items.into_iter().map(|item| self.value(item)).collect::<Result<_, _>>().map(Kind::List)
    }

    /// `construct_mapping`: merge keys carried out, the last of equal keys wins.
    fn map(&self, node: Node) -> Result<Map, Failed> {
        if !matches!(node.kind, hardtack_yaml::Kind::Mapping(_)) {
            return self.refuse(&node, "the tag says mapping, and the value is none");
        }
        let pairs = self.flatten(node)?;
        let mut map = Map::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = self.key(key)?;
            let value = self.value(value)?;
            map.insert(key, value);
        }
        // Room is made for three entries at least, and many mappings have one.
        map.shrink_to_fit();
        Ok(map)
    }

    fn key(&self, node: Node) -> Result<Key, Failed> {
        // `=` is text as a key (`flatten_mapping`).
        let node = if matches!(core_tag(&node), Ok("value")) {
            Node { tag: Some(format!("{CORE}str")), ..node }
        } else {
            node
        };
        let span = node.span;
        let Value { place, kind } = self.value(node)?;
        let what = match kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
            Kind::Set(_) => "a set",
            kind => return Ok(Key { place, kind }),
        };
        let message = format!("{what} stands where a key belongs");
        let hint = "a value that starts with `{` or `[` (a template's `{{ … }}`) needs quotes";
        let place = Place { part: self.part, span };
        Err(Box::new(Finding::error(VALUE, place, message).with_hint(hint)))
    }

    /// `construct_yaml_omap`, `construct_yaml_pairs`: a list of mappings with one entry each.
    fn pairs(&self, node: Node) -> Result<Kind, Failed> {
        let hardtack_yaml::Kind::Sequence(items) = node.kind else {
            return self.refuse(&node, "the tag says pairs, and the value is no list");
        };
        let mut pairs = Vec::with_capacity(items.len());
        for item in items {
            let place = self.place(&item);
            match item.kind {
                hardtack_yaml::Kind::Mapping(entries) if entries.len() == 1 => {
                    for (key, value) in entries {
                        let pair = vec![self.value(key)?, self.value(value)?];
                        pairs.push(Value { place, kind: Kind::List(pair) });
                    }
                }
                _ => return self.refuse(&item, "an item of pairs is a mapping with one entry"),
            }
        }
        Ok(Kind::List(pairs))
    }

    /// `construct_scalar`: a scalar's text; of a mapping that of its key `=`.
    fn scalar(&self, tag: &str, node: Node) -> Result<Kind, Failed> {
        let place = self.place(&node);
        let mut node = node;
        let text = loop {
            match node.kind {
                hardtack_yaml::Kind::Scalar(scalar) => break scalar.text,
                hardtack_yaml::Kind::Mapping(pairs) => {
                    let inner = pairs.into_iter().find(|(key, _)| matches!(core_tag(key), Ok("value")));
                    match inner {
                        Some((_, value)) => node = value,
                        None => return Err(Box::new(misfit(place, tag))),
                    }
                }
                hardtack_yaml::Kind::Sequence(_) => return Err(Box::new(misfit(place, tag))),
            }
        };
        scalar::construct(tag, text).map_err(|trouble| Box::new(trouble.at(place)))
    }
}

fn misfit(place: Place, tag: &str) -> Finding {
    Finding::error(VALUE, place, format!("the tag `!!{tag}` is for a single value, and this is a collection"))
}
