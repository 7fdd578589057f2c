//! Values handled as Python handles them, since the real program works on what YAML gave it, unchecked: what
//! it stumbles over is a finding here.

use hardtack_userdata::equal::same;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value, python};

/// Code of a configuration that is refused.
pub const REFUSED: &str = "network-config";
/// Code of what is passed over.
pub const IGNORED: &str = "network-ignored";

/// What a step gives, or why the configuration is refused.
pub(crate) type Outcome<T> = Result<T, Box<Finding>>;

/// A refusal.
pub(crate) fn refuse<T>(place: Place, message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Finding::error(REFUSED, place, message)))
}

/// `value` for a message: never long, on one line.
pub(crate) fn shown(value: &Value) -> String {
    hardtack_yaml::shorten(&value.to_python_str()).to_string()
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::new(Kind::Text(text.into()))
}

pub(crate) fn int(number: i128) -> Value {
    Value::new(Kind::Int(number))
}

pub(crate) fn boolean(value: bool) -> Value {
    Value::new(Kind::Bool(value))
}

pub(crate) fn list(items: Vec<Value>) -> Value {
    Value::new(Kind::List(items))
}

pub(crate) fn map(map: Map) -> Value {
    Value::new(Kind::Map(map))
}

pub(crate) fn null() -> Value {
    Value::new(Kind::Null)
}

/// `map.get(key)`, where `None` is a key that is not there or null.
pub(crate) fn given<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.get(&Key::text(key)).filter(|value| !value.is_null())
}

/// `key in map and map[key]`.
pub(crate) fn filled<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.get(&Key::text(key)).filter(|value| truthy(value))
}

/// `map.get(key)` of a key that may be null.
pub(crate) fn at<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.get(&Key::text(key))
}

/// `map[key] = value`.
pub(crate) fn set(map: &mut Map, key: &str, value: Value) {
    map.insert(Key::text(key), value);
}

/// `map.update(other)`.
pub(crate) fn update(map: &mut Map, other: &Map) {
    for (key, value) in other {
        map.insert(key.clone(), value.clone());
    }
}

/// A mapping, or a refusal that says what should be one.
pub(crate) fn mapping<'a>(value: &'a Value, what: &str) -> Outcome<&'a Map> {
    match &value.kind {
        Kind::Map(map) => Ok(map),
        _ => refuse(value.place, format!("{what} is `{}`, where a mapping belongs", shown(value))),
    }
}

/// Text, or a refusal.
pub(crate) fn string<'a>(value: &'a Value, what: &str) -> Outcome<&'a str> {
    match &value.kind {
        Kind::Text(text) => Ok(text),
        _ => Err(Box::new(
            Finding::error(
                REFUSED,
                value.place,
                format!("{what} is `{}`, which YAML reads as no text", shown(value)),
            )
            .with_hint("put it in quotes"),
        )),
    }
}

/// What `for item in value` walks through: the characters of a text, the keys of a mapping.
pub(crate) fn iterate(value: &Value, what: &str) -> Outcome<Vec<Value>> {
    Ok(match &value.kind {
        Kind::List(items) => items.clone(),
        Kind::Text(word) => word.chars().map(|character| text(character.to_string())).collect(),
        Kind::Map(map) => map.keys().map(from_key).collect(),
        Kind::Set(keys) => keys.iter().map(from_key).collect(),
        Kind::Bytes(bytes) => bytes.iter().map(|byte| int(i128::from(*byte))).collect(),
        _ => return refuse(value.place, format!("{what} is `{}`, where a list belongs", shown(value))),
    })
}

/// `word in value`.
pub(crate) fn contains(value: &Value, word: &str, what: &str) -> Outcome<bool> {
    Ok(match &value.kind {
        Kind::Map(map) => map.contains_key(&Key::text(word)),
        Kind::Set(keys) => keys.contains(&Key::text(word)),
        Kind::List(items) => items.iter().any(|item| item.as_text() == Some(word)),
        Kind::Text(text) => text.contains(word),
        _ => return refuse(value.place, format!("{what} is `{}`, where a mapping belongs", shown(value))),
    })
}

/// `value[word]` of what [`contains`] it.
pub(crate) fn item<'a>(value: &'a Value, word: &str, what: &str) -> Outcome<&'a Value> {
    match mapping(value, what)?.get(&Key::text(word)) {
        Some(found) => Ok(found),
        None => refuse(value.place, format!("{what} has no `{word}`")),
    }
}

/// `" ".join(value)`.
pub(crate) fn join(value: &Value, what: &str) -> Outcome<String> {
    let items = iterate(value, what)?;
    let words: Vec<&str> = items.iter().map(|item| string(item, what)).collect::<Outcome<_>>()?;
    Ok(words.join(" "))
}

/// A scalar as the key of a mapping.
pub(crate) fn key(value: &Value) -> Outcome<Key> {
    match value.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Set(_) => {
            refuse(value.place, format!("`{}` stands where one name belongs", shown(value)))
        }
        _ => Ok(Key { place: value.place, kind: value.kind.clone() }),
    }
}

/// A key as a value.
pub(crate) fn from_key(key: &Key) -> Value {
    Value { place: key.place, kind: key.kind.clone() }
}

/// `one == other`.
pub(crate) fn equal(one: &Value, other: &Value) -> bool {
    match (key(one), key(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => same(one, other),
    }
}

/// `str.split()`.
pub(crate) fn split(text: &str) -> Vec<Value> {
    text.split(python::is_space).filter(|word| !word.is_empty()).map(self::text).collect()
}

/// `int(value)`, as far as it is one that a network configuration may hold.
pub(crate) fn number(value: &Value, what: &str) -> Outcome<i128> {
    let found = match &value.kind {
        Kind::Int(number) => Some(*number),
        Kind::Bool(value) => Some(i128::from(*value)),
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float(number) if number.is_finite() => Some(*number as i128),
        Kind::Text(text) => whole(text),
        _ => None,
    };
    match found {
        Some(number) => Ok(number),
        None => refuse(value.place, format!("{what} is `{}`, where a number belongs", shown(value))),
    }
}

/// `int(text)`.
fn whole(text: &str) -> Option<i128> {
    let text = python::strip(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lone = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if digits.is_empty() || lone || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    text.replace('_', "").parse().ok()
}
