//! Variables: `vars`, `--set`, `{var: NAME}` and `{format: TEXT}`.
//!
//! They are put in place of what asks for them before a step is read, so no step knows of them. A secret
//! stays `{env: …}`, which only places take that keep secrets.

use std::collections::BTreeMap;

use hardtack_yaml::{Kind, Node, Scalar, Span, Style, Value, did_you_mean};

use super::keys::{Key, Shape, names};
use super::reader::Reader;

/// All values that variables stand for are together no larger than this, in bytes.
const MOST_TEXT: usize = 16 << 20;
/// All values that variables stand for are together no more than this.
const MOST_VALUES: usize = 200_000;

/// The keys of a variable that comes from the environment.
pub(super) const FROM_ENVIRONMENT: &[Key] = &[
    Key::must("env", Shape::Text, "The environment variable."),
    Key::may("secret", Shape::Bool, "Its value is a secret: it stands only where secrets are kept."),
];

/// The variables of a recipe with all its files.
pub(super) struct Vars {
    set: Vec<(String, String)>,
    /// In the order in which the first one wins.
    declared: Vec<(String, Node)>,
    /// Of the row of the matrix.
    row: Vec<(String, Node)>,
    values: BTreeMap<String, Variable>,
    text: usize,
    count: usize,
}

enum Variable {
    /// A value as written in a file.
    Written(Node),
    /// Text from elsewhere, which may be meant as a number.
    Loose(Vec<String>, bool),
    /// The environment variable of this name, kept secret.
    Secret(Node),
    /// What is wrong with it was told.
    Wrong,
}

/// True for a name that stands between `${` and `}`.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl Vars {
    pub(super) fn new(set: &[(String, String)]) -> Self {
        Self {
            set: set.to_vec(),
            declared: Vec::new(),
            row: Vec::new(),
            values: BTreeMap::new(),
            text: 0,
            count: 0,
        }
    }

    /// `vars` of a file; of several files, the first one that was declared wins.
    pub(super) fn declare(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for (name, value) in pairs(reader, node, "`vars`") {
            self.declared.push((name, value));
        }
    }

    /// `vars` of a row of the matrix, which win over those of the files.
    pub(super) fn declare_row(&mut self, reader: &mut Reader<'_>, node: &Node) {
        self.row = pairs(reader, node, "`vars`");
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.declared.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Settles what each variable is.
    pub(super) fn resolve(&mut self, reader: &mut Reader<'_>, start: Span) {
        let set: Vec<String> = self.set.iter().map(|(name, _)| name.clone()).collect();
        for name in set {
            self.known(reader, start, &name, &format!("`--set {name}=…`"));
        }
        for (name, node) in self.row.clone() {
            self.known(reader, node.span, &name, "`matrix`");
        }
        let names: Vec<String> = self.names().into_iter().map(str::to_owned).collect();
        for name in names {
            let all = || self.declared.iter().filter(|(known, _)| *known == name).map(|(_, node)| node);
            let Some(first) = all().next() else { continue };
            let is_list = all().any(|node| node.as_sequence().is_some());
            let secret = all().any(is_secret);
            let given = self.set.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value);
            let row = self.row.iter().find(|(known, _)| *known == name).map(|(_, node)| node);
            let value = match (given, row) {
                (Some(_), _) if secret => {
                    reader.error_hint(
                        first.span,
                        format!("`{name}` is secret, and `--set` shows it to everybody on this machine"),
                        "set the environment variable",
                    );
                    Variable::Wrong
                }
                (Some(text), _) if is_list => {
                    let items = text.split(',').map(|item| item.trim().to_owned());
                    Variable::Loose(items.filter(|item| !item.is_empty()).collect(), true)
                }
                (Some(text), _) => Variable::Loose(vec![text.clone()], false),
                (None, row) => written(reader, &name, row.unwrap_or(first)),
            };
            self.values.insert(name, value);
        }
    }

    fn known(&self, reader: &mut Reader<'_>, at: Span, name: &str, whose: &str) {
        let names = self.names();
        if names.contains(&name) {
            return;
        }
        let hint = match did_you_mean(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "it has none: `vars: {name: value}` makes one".to_owned(),
            None => format!("its variables are {}", super::reader::list(&names)),
        };
        reader.error_hint(at, format!("{whose}: the recipe has no variable `{name}`"), hint);
    }

    /// `node` with every variable in it carried out.
    pub(super) fn expand(&mut self, reader: &mut Reader<'_>, node: &Node) -> Node {
        let kind = match &node.kind {
            Kind::Scalar(_) => return node.clone(),
            Kind::Sequence(items) => {
                Kind::Sequence(items.iter().map(|item| self.expand(reader, item)).collect())
            }
            Kind::Mapping(pairs) => match pairs.as_slice() {
                [(key, value)] if key.text() == Some("var") => return self.variable(reader, node, value),
                [(key, value)] if key.text() == Some("format") => return self.format(reader, node, value),
                pairs => {
                    let mut out = Vec::with_capacity(pairs.len());
                    for (key, value) in pairs {
                        out.push((key.clone(), self.expand(reader, value)));
                    }
                    Kind::Mapping(out)
                }
            },
        };
        Node { span: node.span, kind, tag: node.tag.clone() }
    }

    /// `{var: NAME}`.
    fn variable(&mut self, reader: &mut Reader<'_>, node: &Node, name: &Node) -> Node {
        let Some(text) = reader.line(name, "var") else { return wrong(reader, node.span) };
        self.known_here(reader, name.span, text);
        let value = match self.values.get(text) {
            None | Some(Variable::Wrong) => wrong(reader, node.span),
            Some(Variable::Written(value)) => moved(value, node.span),
            Some(Variable::Secret(name)) => env(name.clone(), node.span),
            Some(Variable::Loose(items, is_list)) => {
                reader.loose.insert(node.span.start);
                let mut items: Vec<Node> = items.iter().map(|text| loose(text, node.span)).collect();
                match items.pop() {
                    Some(only) if !is_list => only,
                    last => {
                        items.extend(last);
                        Node { span: node.span, kind: Kind::Sequence(items), tag: None }
                    }
                }
            }
        };
        self.charge(reader, value, node.span)
    }

    /// `{format: TEXT}`: each `${NAME}` is the variable; `$${` is `${`, any other `$` is itself.
    fn format(&mut self, reader: &mut Reader<'_>, node: &Node, value: &Node) -> Node {
        let Some(pattern) = reader.text(value, "format") else { return wrong(reader, node.span) };
        let mut out = String::new();
        let mut secret = false;
        let mut rest = pattern;
        while let Some(at) = rest.find("${") {
            let (before, behind) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = behind;
                continue;
            }
            out.push_str(before);
            let Some((name, after)) = behind.split_once('}') else {
                reader.error_hint(
                    value.span,
                    "`format` has a `${` without `}`",
                    "write `$${` for `${` itself",
                );
                return wrong(reader, node.span);
            };
            rest = after;
            if !self.known_here(reader, value.span, name) {
                return wrong(reader, node.span);
            }
            match self.values.get(name) {
                Some(Variable::Written(found)) => match found.text() {
                    Some(text) => out.push_str(text),
                    None => {
                        reader.error(
                            value.span,
                            format!("`format` takes single values, and `{name}` is a list"),
                        );
                        return wrong(reader, node.span);
                    }
                },
                Some(Variable::Loose(items, false)) => items.iter().for_each(|item| out.push_str(item)),
                Some(Variable::Loose(..)) => {
                    reader.error(value.span, format!("`format` takes single values, and `{name}` is a list"));
                    return wrong(reader, node.span);
                }
                Some(Variable::Secret(name)) => {
                    secret = true;
                    let Some(text) = reader.variable(name) else { return wrong(reader, node.span) };
                    out.push_str(&text);
                }
                None | Some(Variable::Wrong) => return wrong(reader, node.span),
            }
            if out.len() > MOST_TEXT {
                reader.error(value.span, format!("what variables stand for is more than {MOST_TEXT} bytes"));
                return wrong(reader, node.span);
            }
        }
        out.push_str(rest);
        if secret {
            let name = reader.keep(out);
            return env(scalar(&name, Style::DoubleQuoted, node.span), node.span);
        }
        let value = scalar(&out, Style::DoubleQuoted, node.span);
        self.charge(reader, value, node.span)
    }

    /// True for a variable that is there; else it is told.
    fn known_here(&self, reader: &mut Reader<'_>, at: Span, name: &str) -> bool {
        if self.values.contains_key(name) {
            return true;
        }
        let names = self.names();
        let hint = match did_you_mean(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("say what it is: `vars: {{{name}: …}}`"),
        };
        reader.error_hint(at, format!("the recipe has no variable `{name}`"), hint);
        false
    }

    /// What variables stand for is bounded: a long list may be asked for many times.
    fn charge(&mut self, reader: &mut Reader<'_>, value: Node, at: Span) -> Node {
        let before = self.text > MOST_TEXT || self.count > MOST_VALUES;
        let items = value.as_sequence().unwrap_or(std::slice::from_ref(&value));
        self.count = self.count.saturating_add(items.len());
        self.text =
            items.iter().fold(self.text, |sum, item| sum.saturating_add(item.text().map_or(0, str::len)));
        if self.text > MOST_TEXT || self.count > MOST_VALUES {
            if !before {
                reader.error(
                    at,
                    format!(
                        "what variables stand for is more than {MOST_TEXT} bytes or {MOST_VALUES} values"
                    ),
                );
            }
            return wrong(reader, at);
        }
        value
    }
}

/// The names and values of a mapping of variables.
fn pairs(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(String, Node)> {
    let Some(fields) = reader.open_fields(node, what, &[]) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, key, value) in fields.pairs() {
        if is_name(name) {
            found.push(((*name).to_owned(), (*value).clone()));
        } else {
            reader.error_hint(
                key.span,
                format!("`{name}` cannot be the name of a variable"),
                "letters, digits, `_` and `-`, starting with a letter or `_`, at most 64",
            );
        }
    }
    found
}

/// `secret` stands there and is not false: what is wrong with it is told later.
fn is_secret(node: &Node) -> bool {
    node.get("secret").is_some_and(|value| !matches!(value.value(), Ok(Value::Bool(false))))
}

fn written(reader: &mut Reader<'_>, name: &str, node: &Node) -> Variable {
    match &node.kind {
        Kind::Scalar(_) if node.is_null() => {
            reader.error_hint(
                node.span,
                format!("the variable `{name}` has no value"),
                format!("give it one: `--set {name}=…`"),
            );
            Variable::Wrong
        }
        Kind::Scalar(_) => Variable::Written(node.clone()),
        Kind::Sequence(items) => match items.iter().find(|item| item.as_scalar().is_none()) {
            Some(item) => {
                reader.error(item.span, format!("a list of values, found {} in it", item.describe()));
                Variable::Wrong
            }
            None => Variable::Written(node.clone()),
        },
        Kind::Mapping(_) => environment(reader, node).unwrap_or(Variable::Wrong),
    }
}

fn environment(reader: &mut Reader<'_>, node: &Node) -> Option<Variable> {
    if node.get("env").is_none() {
        reader.error_hint(
            node.span,
            "a variable takes a value, a list of values or `{env: NAME}`",
            format!("the keys of a mapping here are {}", super::reader::list(&names(FROM_ENVIRONMENT))),
        );
        return None;
    }
    let fields = reader.keyed(node, "a variable", FROM_ENVIRONMENT)?;
    let name = fields.get("env")?;
    let secret = match fields.get("secret") {
        Some(value) => reader.boolean(value, "secret")?,
        None => false,
    };
    let value = reader.variable(name)?;
    Some(if secret { Variable::Secret(name.clone()) } else { Variable::Loose(vec![value], false) })
}

fn scalar(text: &str, style: Style, span: Span) -> Node {
    Node { span, kind: Kind::Scalar(Scalar { text: text.to_owned(), style }), tag: None }
}

/// Text that is a number or a boolean where one is wanted.
fn loose(text: &str, span: Span) -> Node {
    let plain = scalar(text, Style::Plain, span);
    if plain.is_null() { scalar(text, Style::DoubleQuoted, span) } else { plain }
}

fn env(name: Node, span: Span) -> Node {
    let pair = (scalar("env", Style::Plain, span), moved(&name, span));
    Node { span, kind: Kind::Mapping(vec![pair]), tag: None }
}

/// A value at the place that asked for it.
fn moved(node: &Node, span: Span) -> Node {
    let kind = match &node.kind {
        Kind::Sequence(items) => Kind::Sequence(items.iter().map(|item| moved(item, span)).collect()),
        other => other.clone(),
    };
    Node { span, kind, tag: node.tag.clone() }
}

/// Something that most places take; the finding stands already.
fn wrong(reader: &mut Reader<'_>, span: Span) -> Node {
    // What the loader makes of it is nothing that anybody has written.
    reader.wrong.insert(span.start);
    scalar("/wrong", Style::DoubleQuoted, span)
}
