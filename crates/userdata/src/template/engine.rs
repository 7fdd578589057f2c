//! Jinja as cloud-init sets it up (`cloudinit/templater.py`): block tags swallow the line break behind
//! them, names that are not known print as [`MISSING`] and the name.
//!
//! It is `minijinja` with Python's ways of writing values. Differences that are known: Python's
//! `list.append`, `str.index` and `%` for text are not there, nor are some filters (`center`,
//! `wordcount`) and functions (`cycler`, `lipsum`); attributes that a text or a mapping written in the
//! template does not have print as nothing; comparing a name that is not known with a number is no error.

use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectExt as _, ObjectRepr, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error as JinjaError, ErrorKind, Value};
use serde_json::Value as Json;
use thiserror::Error;

use super::MISSING;
use super::variables::Variables;
use crate::limits;
use crate::value::{Kind, Value as Config};

/// Steps that a template may take.
pub const FUEL: u64 = 20_000;

/// Levels of lists in lists that are printed.
const DEPTH: usize = 100;

/// Names that belong to the language.
const GLOBALS: [&str; 5] = ["range", "dict", "namespace", "debug", "self"];

/// Why a template does not render.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    message: String,
    /// The line of the template without its first one, from 1.
    pub line: usize,
    /// What to do.
    pub hint: Option<String>,
}

impl Error {
    /// The first line is another one.
    pub(crate) fn header(first: &str) -> Self {
        let message = format!("{} is not `## template: jinja`", crate::wording::shown(first));
        Self { message, line: 0, hint: None }
    }

    fn new(error: &JinjaError) -> Self {
        let what = error.kind().to_string();
        let message = match error.detail() {
            Some(detail) if error.kind() == ErrorKind::UndefinedError => detail.to_owned(),
            Some(detail) => format!("the template does not render: {what}: {detail}"),
            None => format!("the template does not render: {what}"),
        };
        let hint = (error.kind() == ErrorKind::UndefinedError)
            .then(|| "`cloud-init query --all` shows the names that there are".to_owned());
        Self { message, line: error.line().unwrap_or(1), hint }
    }
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    if let Ok(syntax) =
        minijinja::syntax::SyntaxConfig::builder().trim_blocks(true).keep_trailing_newline(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(|out, _, value| {
        let text = python(value, 0)?;
        out.write_str(&text).map_err(|_| JinjaError::new(ErrorKind::WriteFailure, "too much text"))
    });
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        if let Some(missing) = value.downcast_object_ref::<Missing>() {
            return Err(missing.undefined());
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
    });
    environment.add_test("defined", |value: &Value| !is_missing(value));
    environment.add_test("undefined", |value: &Value| is_missing(value));
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_test("mapping", |value: &Value| is_mapping(value));
    // Both are sorted already.
    environment.add_filter("items", items);
    environment.add_filter("dictsort", items);
    environment.add_filter("string", |value: &Value| python(value, 0));
    environment.add_filter("tojson", |value: &Value| to_json(value, 0));
    environment
}

/// The template `text` as Jinja's lexer sees it: line breaks are all alike, and the last one is not there.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    match text.strip_suffix('\n') {
        Some(less) => less.to_owned(),
        None => text,
    }
}

/// Looks whether `text` is a template at all.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<(), Error> {
    let text = normalised(text);
    environment().template_from_str(&text).map(drop).map_err(|error| Error::new(&error))
}

/// Renders `text`, which is a template without its first line.
///
/// # Errors
/// Whatever makes cloud-init ignore the part, and going beyond the limits.
pub fn render(text: &str, variables: Variables) -> Result<String, Error> {
    let ending = if text.ends_with('\n') { "\n" } else { "" };
    let text = normalised(text);
    let environment = environment();
    let template = environment.template_from_str(&text).map_err(|error| Error::new(&error))?;
    let mut out = Bounded(Vec::new());
    template
        .render_captured_to(Value::from_object(Root(Dict::new(variables))), &mut out)
        .map_err(|error| Error::new(&error))?;
    let mut rendered = String::from_utf8_lossy(&out.0).into_owned();
    rendered.push_str(ending);
    Ok(rendered)
}

/// `{{ ds.meta-data }}`: names with hyphens in expressions, with their place in `text`.
#[must_use]
pub fn hyphens(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find("{{")).map(|at| from + at + 2) {
        let end = text.get(open..).and_then(|rest| rest.find("}}")).map_or(text.len(), |at| open + at);
        let mut quote = None;
        let mut word: Option<usize> = None;
        for (at, character) in
            text.get(open..end).unwrap_or_default().char_indices().chain([(end - open, ' ')])
        {
            match (quote, character) {
                (Some(open), close) if open == close => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(character),
                (None, _) if character.is_alphanumeric() || matches!(character, '_' | '.' | '-') => {
                    word.get_or_insert(open + at);
                    continue;
                }
                _ => {}
            }
            let name = word.take().and_then(|start| text.get(start..open + at)).unwrap_or_default();
            let is_name =
                |piece: &str| piece.starts_with(|first: char| first.is_alphabetic() || first == '_');
            if name.contains('-') && name.contains('.') && name.split('-').all(is_name) && found.len() < 20 {
                found.push((open + at - name.len(), name));
            }
        }
        from = end;
    }
    found
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > limits::UNPACKED {
            return Err(io::Error::other("too much text"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A name that is not known. It is false, empty, and has no attributes.
#[derive(Debug)]
struct Missing(String);

impl Missing {
    fn value(name: impl Into<String>) -> Value {
        Value::from_object(Self(name.into()))
    }

    fn undefined(&self) -> JinjaError {
        let message = format!("the instance data has nothing of the name `{}`", self.0);
        JinjaError::new(ErrorKind::UndefinedError, message)
    }
}

impl Object for Missing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from(self.undefined()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MISSING}{}", self.0)
    }
}

fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Missing>().is_some()
}

/// A mapping.
#[derive(Debug)]
struct Dict(std::collections::BTreeMap<String, Value>);

impl Dict {
    fn new(members: impl IntoIterator<Item = (String, Json)>) -> Self {
        Self(members.into_iter().map(|(name, member)| (name, value(member))).collect())
    }

    fn items(&self) -> Value {
        let pair = |(key, member): (&String, &Value)| {
            Value::from(Tuple::from(vec![Value::from(key.as_str()), member.clone()]))
        };
        self.0.iter().map(pair).collect()
    }
}

impl Object for Dict {
    /// Not a map: for one, `'x' in map` would ask for the value of `'x'`, and there always is one.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(name) => Some(self.0.get(name).cloned().unwrap_or_else(|| Missing::value(name))),
            None => Some(Missing::value(key.to_string())),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|this| Box::new(this.0.keys().map(|key| Value::from(key.as_str()))))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut minijinja::State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, JinjaError> {
        match (method, arguments) {
            ("get", [key, rest @ ..]) => {
                let found = key.as_str().and_then(|name| self.0.get(name));
                Ok(found.or(rest.first()).cloned().unwrap_or_else(|| Value::from(())))
            }
            ("keys", []) => Ok(self.0.keys().map(|key| Value::from(key.as_str())).collect()),
            ("values", []) => Ok(self.0.values().cloned().collect()),
            ("items", []) => Ok(self.items()),
            _ => Err(JinjaError::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// What templates see: the variables, and nothing in the way of the language's own names.
#[derive(Debug)]
struct Root(Dict);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        match self.0.0.get(name) {
            Some(value) => Some(value.clone()),
            None if GLOBALS.contains(&name) => None,
            None => Some(Missing::value(name)),
        }
    }
}

/// A list.
#[derive(Debug)]
struct List(Vec<Value>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_usize();
        Some(
            index
                .and_then(|index| self.0.get(index))
                .cloned()
                .unwrap_or_else(|| Missing::value(key.to_string())),
        )
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            _ => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::from_object(List(items.into_iter().map(value).collect())),
        Json::Object(members) => Value::from_object(Dict::new(members)),
    }
}

fn default(value: &Value, arguments: Rest<Value>) -> Value {
    let other = arguments.first().cloned().unwrap_or_else(|| Value::from(""));
    let also_false = arguments.get(1).is_some_and(Value::is_true);
    if is_missing(value) || (also_false && !value.is_true()) { other } else { value.clone() }
}

fn is_mapping(value: &Value) -> bool {
    value.kind() == ValueKind::Map || value.downcast_object_ref::<Dict>().is_some()
}

fn items(value: &Value, _arguments: Rest<Value>) -> Result<Value, JinjaError> {
    match value.downcast_object_ref::<Dict>() {
        Some(dict) => Ok(dict.items()),
        None if is_missing(value) => Ok(Value::from_object(List(Vec::new()))),
        None => minijinja::filters::items(value),
    }
}

/// `str(value)`, and `repr(value)` within others.
fn python(value: &Value, depth: usize) -> Result<String, JinjaError> {
    if depth > DEPTH {
        return Err(JinjaError::new(ErrorKind::InvalidOperation, "lists are nested too deep"));
    }
    if value.downcast_object_ref::<Missing>().is_some() {
        return Ok(value.to_string());
    }
    Ok(match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => crate::python_repr::float(number),
            Err(_) => value.to_string(),
        },
        ValueKind::String if depth > 0 => {
            Config::new(Kind::Text(value.as_str().unwrap_or_default().to_owned())).to_python_repr()
        }
        ValueKind::Seq => {
            let items: Result<Vec<_>, _> = value.try_iter()?.map(|item| python(&item, depth + 1)).collect();
            let items = items?;
            match (value.is_tuple(), items.as_slice()) {
                (true, [only]) => format!("({only},)"),
                (true, _) => format!("({})", items.join(", ")),
                (false, _) => format!("[{}]", items.join(", ")),
            }
        }
        _ if is_mapping(value) => {
            let mut members = Vec::new();
            for key in value.try_iter()? {
                let member = value.get_item(&key)?;
                members.push(format!("{}: {}", python(&key, depth + 1)?, python(&member, depth + 1)?));
            }
            format!("{{{}}}", members.join(", "))
        }
        ValueKind::Invalid => return Err(JinjaError::new(ErrorKind::UndefinedError, value.to_string())),
        _ => value.to_string(),
    })
}

/// `json.dumps(value, sort_keys=True)`, safe for HTML as Jinja makes it.
fn to_json(value: &Value, depth: usize) -> Result<String, JinjaError> {
    if depth > DEPTH {
        return Err(JinjaError::new(ErrorKind::InvalidOperation, "lists are nested too deep"));
    }
    if is_missing(value) {
        return Err(JinjaError::new(ErrorKind::BadSerialization, "a name that is not known is no JSON"));
    }
    Ok(match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Number => python(value, 0)?,
        ValueKind::Seq | ValueKind::Iterable if !is_mapping(value) => {
            let items: Result<Vec<_>, _> = value.try_iter()?.map(|item| to_json(&item, depth + 1)).collect();
            format!("[{}]", items?.join(", "))
        }
        _ if is_mapping(value) => {
            let mut members = std::collections::BTreeMap::new();
            for key in value.try_iter()? {
                let member = to_json(&value.get_item(&key)?, depth + 1)?;
                members.insert(key.to_string(), member);
            }
            let members: Vec<_> =
                members.into_iter().map(|(key, member)| format!("{}: {member}", json_text(&key))).collect();
            format!("{{{}}}", members.join(", "))
        }
        _ => json_text(&value.to_string()),
    })
}

fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)) {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(character @ ' '..='~') if !matches!(character, '<' | '>' | '&' | '\'') => {
                out.push(character)
            }
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out.push('"');
    out
}
