//! A template of CloudFormation's: JSON, or YAML with its short tags. It is read for its names and places; what is
//! written back is its own text with one value in it replaced, so that comments, order and tags stay.
//!
//! Sources: CloudFormation's user guide, "Template anatomy"; its quotas (a body of 51,200 bytes in a call, 1 MiB in S3).

use std::collections::BTreeMap;

use hardtack_yaml::{Document, Kind, Limits, Node, Style, did_you_mean, render, shorten};

use super::{json, to_json};
use crate::Error;

/// Bytes of a template in a bucket; larger ones are nobody's.
const LARGEST: usize = 1 << 20;

/// What takes user-data, and where below its `Properties`.
const TAKERS: [(&str, &[&str]); 3] = [
    ("AWS::AutoScaling::LaunchConfiguration", &[]),
    ("AWS::EC2::LaunchTemplate", &["LaunchTemplateData"]),
    ("AWS::EC2::Instance", &[]),
];
/// The property.
const USER_DATA: &str = "UserData";

/// A template.
#[derive(Debug)]
pub struct Template {
    name: String,
    text: String,
    root: Node,
    is_json: bool,
}

/// A parameter of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// What it is where nobody gives it.
    pub default: Option<String>,
    /// Its value is never shown.
    pub secret: bool,
    /// `String`, `Number`, `List<…>`, `AWS::EC2::KeyPair::KeyName` ….
    pub kind: String,
    /// The values that it can have, where there are only these.
    pub allowed: Vec<String>,
}

impl Template {
    /// Reads one; `name` is what messages call it.
    ///
    /// # Errors
    /// It is neither JSON nor YAML, or has no resources.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |what: String| Error::Refused(format!("{name}: {what}"));
        if bytes.len() > LARGEST {
            let text = format!("it has {} bytes, and CloudFormation takes {LARGEST} at most", bytes.len());
            return Err(refuse(text));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            refuse(format!("byte {} is no UTF-8, and a template is text", error.valid_up_to()))
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let is_json = text.trim_start().starts_with('{');
        let root = if is_json {
            json::read(text).map_err(|what| refuse(format!("the template is no JSON: {what}")))?
        } else {
            Document::compose(name, text, Limits::default())
                .map_err(|found| Error::Refused(render(text, &found)))?
        };
        let template = Self { name: name.to_owned(), text: text.to_owned(), root, is_json };
        match template.resources() {
            Some([_, ..]) => Ok(template),
            _ => Err(refuse("it has no Resources, so it is no template of CloudFormation's".to_owned())),
        }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True for JSON, which is all that Eucalyptus takes.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// Its text as JSON.
    ///
    /// # Errors
    /// YAML with tags that are none of CloudFormation's.
    pub fn to_json(&self) -> Result<String, Error> {
        if self.is_json {
            return Ok(self.text.clone());
        }
        let refuse = |what: String| {
            Error::Refused(format!(
                "{}: the cloud takes JSON only, and this YAML cannot be written so: {what}",
                self.name
            ))
        };
        Ok(to_json::json(&self.root).map_err(refuse)?.to_string())
    }

    /// Its parameters by their names.
    pub fn parameters(&self) -> BTreeMap<String, Parameter> {
        let pairs = self.root.get("Parameters").and_then(Node::as_mapping).unwrap_or_default();
        let text = |node: &Node, key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let parameter = |(key, node): &(Node, Node)| {
            let allowed = node.get("AllowedValues").and_then(Node::as_sequence).unwrap_or_default();
            let parameter = Parameter {
                default: text(node, "Default"),
                secret: text(node, "NoEcho").is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
                kind: text(node, "Type").unwrap_or_else(|| "String".to_owned()),
                allowed: allowed.iter().filter_map(Node::text).map(str::to_owned).collect(),
            };
            Some((key.text()?.to_owned(), parameter))
        };
        pairs.iter().filter_map(parameter).collect()
    }

    /// Logical names of its resources.
    pub fn resource_names(&self) -> Vec<String> {
        let pairs = self.resources().unwrap_or_default();
        pairs.iter().filter_map(|(key, _)| key.text().map(str::to_owned)).collect()
    }

    fn resources(&self) -> Option<&[(Node, Node)]> {
        self.root.get("Resources")?.as_mapping()
    }

    /// The resource that user-data is put into: that of the name, or the only one; of several the only one that has
    /// some already.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn taker(&self, wanted: Option<&str>) -> Result<String, Error> {
        let all = self.resources().unwrap_or_default();
        let refuse = |what: String| Err(Error::Refused(format!("{}: {what}", self.name)));
        let kind_of = |node: &Node| node.get("Type").and_then(Node::text).unwrap_or("no type").to_owned();
        let mut takers = Vec::new();
        for (key, node) in all {
            let kind = kind_of(node);
            if let (Some(name), Some((_, below))) =
                (key.text(), TAKERS.iter().find(|(taker, _)| *taker == kind))
            {
                let home = below.iter().try_fold(node.get("Properties"), |home, step| Some(home?.get(step)));
                takers.push((name, kind, home.flatten().is_some_and(|home| home.get(USER_DATA).is_some())));
            }
        }
        let listed =
            || takers.iter().map(|(name, kind, _)| format!("{name} ({kind})")).collect::<Vec<_>>().join(", ");
        if let Some(wanted) = wanted {
            if takers.iter().any(|(name, ..)| *name == wanted) {
                return Ok(wanted.to_owned());
            }
            if let Some((_, node)) = all.iter().find(|(key, _)| key.text() == Some(wanted)) {
                return refuse(format!(
                    "{} is of {}, which takes no user-data",
                    shorten(wanted),
                    kind_of(node)
                ));
            }
            let near = did_you_mean(wanted, takers.iter().map(|(name, ..)| *name));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            return refuse(format!("it has no resource {}{near}", shorten(wanted)));
        }
        match takers.as_slice() {
            [] => refuse(
                "none of its resources takes user-data: a launch configuration, a launch template or an instance does"
                    .to_owned(),
            ),
            [(name, ..)] => Ok((*name).to_owned()),
            several => {
                let mut with = several.iter().filter(|(.., has)| *has);
                match (with.next(), with.next()) {
                    (Some((name, ..)), None) => Ok((*name).to_owned()),
                    _ => refuse(format!("several resources take user-data: {}; name one with --resource", listed())),
                }
            }
        }
    }

    /// The text with `value` as the user-data of `resource`.
    ///
    /// # Errors
    /// The resource has no properties that it could stand in.
    pub fn with_user_data(&self, resource: &str, value: &Value) -> Result<String, Error> {
        let refuse = |what: &str| Error::Refused(format!("{}: {resource} {what}", self.name));
        let node = self.root.get("Resources").and_then(|all| all.get(resource));
        let node = node.ok_or_else(|| refuse("is not in it"))?;
        let kind = node.get("Type").and_then(Node::text).unwrap_or_default();
        let below = TAKERS.iter().find(|(taker, _)| *taker == kind).map_or(&[] as &[_], |(_, below)| below);
        let mut home = node.get("Properties").ok_or_else(|| refuse("has no Properties"))?;
        for step in below {
            home = home.get(step).ok_or_else(|| refuse(&format!("has no {step}")))?;
        }
        let pairs = home.as_mapping().filter(|pairs| !pairs.is_empty());
        let pairs = pairs.ok_or_else(|| refuse("has Properties that are no mapping, or an empty one"))?;
        let text = match pairs.iter().rev().find(|(key, _)| key.text() == Some(USER_DATA)) {
            Some((key, old)) => self.replaced(key, old, value).ok_or_else(|| {
                refuse("has user-data that is written as an alias (*name); write it out, or take it away")
            })?,
            None => self
                .inserted(&pairs[0].0, home, value)
                .ok_or_else(|| refuse("has properties that come through an alias (*name); write them out"))?,
        };
        // What is given away can be read again, with this user-data in it.
        Self::parse(&self.name, text.as_bytes())?;
        Ok(text)
    }

    fn replaced(&self, key: &Node, old: &Node, value: &Value) -> Option<String> {
        let (start, end) = value_range(&self.text, key, old, self.end_of(old)?)?;
        let before = self.text.get(..start)?;
        let value = value.text(&self.indentation(key.span.start));
        Some(format!("{before} {value}{}", self.text.get(end..)?))
    }

    fn inserted(&self, first: &Node, home: &Node, value: &Value) -> Option<String> {
        let at = first.span.start;
        if at < home.span.start {
            return None;
        }
        let indentation = self.indentation(at);
        let value = value.text(&indentation);
        let (before, behind) = (self.text.get(..at)?, self.text.get(at..)?);
        if self.is_json || self.is_flow(home) {
            let line = before.rsplit('\n').next().unwrap_or_default();
            let alone = before.contains('\n') && line.trim().is_empty();
            let between = if alone { format!(",\n{line}") } else { ", ".to_owned() };
            return Some(format!("{before}\"{USER_DATA}\": {value}{between}{behind}"));
        }
        Some(format!("{before}{USER_DATA}: {value}\n{indentation}{behind}"))
    }

    /// A collection in braces or brackets.
    fn is_flow(&self, node: &Node) -> bool {
        self.is_json
            || self.text.get(node.span.range()).is_some_and(|text| {
                // A tag or an anchor may stand before it.
                text.split_whitespace()
                    .find(|word| !word.starts_with(['!', '&']))
                    .is_some_and(|word| word.starts_with(['{', '[']))
            })
    }

    /// Where the text of a value ends: YAML's block collections and block scalars end where the next token begins.
    fn end_of(&self, node: &Node) -> Option<usize> {
        let end = match &node.kind {
            _ if self.is_flow(node) && !matches!(node.kind, Kind::Scalar(_)) => node.span.end,
            Kind::Mapping(pairs) => match pairs.last() {
                Some((key, value)) => self.end_of(value)?.max(key.span.end),
                None => node.span.end,
            },
            Kind::Sequence(items) => match items.last() {
                Some(item) => self.end_of(item)?,
                None => node.span.end,
            },
            Kind::Scalar(scalar) => match scalar.style {
                Style::Literal | Style::Folded => {
                    let text = self.text.get(node.span.range())?;
                    node.span.start.checked_add(text.trim_end().len())?
                }
                _ => node.span.end,
            },
        };
        (end >= node.span.start).then_some(end)
    }

    /// As many blanks as stand before the line's first word, or before `at` where that is further.
    fn indentation(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        if self.is_json {
            return line.chars().take_while(|c| c.is_whitespace()).collect();
        }
        " ".repeat(line.chars().count())
    }
}

/// From behind the colon of `key` to `end`, where its value ends: tags stand between, and an empty value has no place of its
/// own. `None` for an alias.
pub(super) fn value_range(text: &str, key: &Node, value: &Node, end: usize) -> Option<(usize, usize)> {
    let colon = key.span.end.checked_add(text.get(key.span.end..)?.find(':')?)?.checked_add(1)?;
    if text.get(colon..)?.trim_start().starts_with('*') {
        return None;
    }
    // An empty one stands before the colon.
    let empty = value.text() == Some("") && value.span.start == value.span.end;
    let end = if empty { colon } else { end };
    (end >= colon).then_some((colon, end))
}

/// What becomes user-data in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes in base64: nothing in them can be substituted.
    Encoded(String),
    /// One text: `Fn::Base64` of it.
    Text(String),
    /// Items of `Fn::Base64` of `Fn::Join`, each as JSON.
    Joined(Vec<String>),
}

impl Value {
    /// As JSON, which is YAML too; lines behind the first have `indentation`.
    fn text(&self, indentation: &str) -> String {
        match self {
            Self::Encoded(text) => quoted(text),
            Self::Text(text) => format!("{{ \"Fn::Base64\": {} }}", quoted(text)),
            Self::Joined(items) => {
                let between = format!(",\n{indentation}  ");
                let items = items.join(&between);
                format!(
                    "{{ \"Fn::Base64\": {{ \"Fn::Join\": [\"\", [\n{indentation}  {items}\n{indentation}]] }} }}"
                )
            }
        }
    }
}

/// A JSON string in characters that YAML takes, too.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::Value::String(text.to_owned()).to_string();
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            _ => out.push(char),
        }
    }
    out
}
