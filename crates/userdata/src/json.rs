//! Configuration as JSON: for `user-data show --json`, and for comparing with other programs.
//!
//! What JSON cannot hold is an object with one member that names the Python type: `{"__bytes_b64__":
//! "aGk="}`, `{"__date__": "2001-01-23"}`, `{"__datetime__": "…"}`, `{"__float__": "inf"}`, `{"__set__":
//! […]}`, `{"__int__": "…"}` for numbers beyond 64 bits. A key that is no text is written
//! `__int__:1`, `__bool__:True`, `__NoneType__:None`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::value::{Key, Kind, Map, Value};

/// A value. Its depth is that of the YAML text, which [`crate::limits::YAML`] bounds.
#[must_use]
pub fn value(value: &Value) -> Json {
    kind(&value.kind)
}

/// A mapping.
#[must_use]
pub fn map(map: &Map) -> Json {
    Json::Object(map.iter().map(|(name, member)| (key(name), value(member))).collect())
}

/// A key as JSON's text.
#[must_use]
pub fn key(key: &Key) -> String {
    match &key.kind {
        Kind::Text(text) => text.clone(),
        Kind::Null => "__NoneType__:None".to_owned(),
        Kind::Bool(true) => "__bool__:True".to_owned(),
        Kind::Bool(false) => "__bool__:False".to_owned(),
        Kind::Int(number) => format!("__int__:{number}"),
        Kind::HugeInt(digits) => format!("__int__:{digits}"),
        Kind::Float(number) => format!("__float__:{}", float(*number)),
        Kind::Bytes(bytes) => format!("__bytes_b64__:{}", BASE64.encode(bytes)),
        Kind::Date(text) => format!("__date__:{text}"),
        Kind::DateTime(text) => format!("__datetime__:{text}"),
        Kind::List(_) | Kind::Map(_) | Kind::Set(_) => String::new(),
    }
}

fn kind(kind: &Kind) -> Json {
    match kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Int(number) => int(*number),
        Kind::HugeInt(digits) => json!({ "__int__": digits }),
        Kind::Float(number) if number.is_finite() => json!(number),
        Kind::Float(number) => json!({ "__float__": float(*number) }),
        Kind::Text(text) => Json::String(text.clone()),
        Kind::Bytes(bytes) => json!({ "__bytes_b64__": BASE64.encode(bytes) }),
        Kind::Date(text) => json!({ "__date__": text }),
        Kind::DateTime(text) => json!({ "__datetime__": text }),
        Kind::List(items) => Json::Array(items.iter().map(value).collect()),
        Kind::Map(members) => map(members),
        Kind::Set(keys) => {
            let keys: Vec<Json> = keys.iter().map(|key| self::kind(&key.kind)).collect();
            json!({ "__set__": keys })
        }
    }
}

fn int(number: i128) -> Json {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => json!(number),
        (_, Ok(number)) => json!(number),
        _ => json!({ "__int__": number.to_string() }),
    }
}

/// As Python's `str` writes it.
fn float(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{number:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn what_json_cannot_hold_is_tagged() {
        let key = |kind| Key { place: Place::default(), kind };
        let mut members = Map::new();
        members.insert(Key::text("a"), Value::new(Kind::Float(1000.0)));
        members.insert(key(Kind::Int(1)), Value::new(Kind::Bytes(b"hi".to_vec())));
        members.insert(key(Kind::Null), Value::new(Kind::Float(f64::NEG_INFINITY)));
        members.insert(Key::text("big"), Value::new(Kind::Int(i128::MAX)));
        members.insert(Key::text("u64"), Value::new(Kind::Int(i128::from(u64::MAX))));
        members.insert(Key::text("set"), Value::new(Kind::Set(vec![key(Kind::Bool(false))])));
        let wanted = json!({
            "a": 1000.0,
            "__int__:1": {"__bytes_b64__": "aGk="},
            "__NoneType__:None": {"__float__": "-inf"},
            "big": {"__int__": i128::MAX.to_string()},
            "u64": u64::MAX,
            "set": {"__set__": [false]},
        });
        assert_eq!(map(&members), wanted);
    }
}
