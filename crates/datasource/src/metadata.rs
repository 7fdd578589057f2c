//! Metadata as cloud-init has it in Python's dictionaries (`cloudinit/sources/__init__.py`): what of it
//! modules want to know, and how it looks in `instance-data.json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, python};
use serde_json::{Number, Value as Json};

/// What stands before the base64 of bytes, which text that looks like base64 has not. In `instance-data.json`
/// there is a list of them instead (`json_serialize_default`, `process_instance_metadata`).
pub const BASE64_MARK: &str = "ci-b64:";

/// `json.dumps` of it, bytes as base64 behind [`BASE64_MARK`]. What JSON cannot hold is the text that cloud-init
/// puts there.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match &value.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Int(number) => i64::try_from(*number)
            .map(Number::from)
            .or_else(|_| u64::try_from(*number).map(Number::from))
            .map_or_else(|_| Json::String(number.to_string()), Json::Number),
        Kind::HugeInt(digits) => Json::String(digits.clone()),
        Kind::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Kind::Text(text) => Json::String(text.clone()),
        Kind::Bytes(bytes) => Json::String(format!("{BASE64_MARK}{}", STANDARD.encode(bytes))),
        Kind::Date(_) => {
            Json::String("Warning: redacted unserializable type <class 'datetime.date'>".to_owned())
        }
        Kind::DateTime(_) => {
            Json::String("Warning: redacted unserializable type <class 'datetime.datetime'>".to_owned())
        }
        Kind::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Kind::Map(map) => map_to_json(map),
        Kind::Set(_) => Json::String("Warning: redacted unserializable type <class 'set'>".to_owned()),
    }
}

/// [`to_json`] of a mapping.
#[must_use]
pub fn map_to_json(map: &Map) -> Json {
    Json::Object(map.iter().map(|(key, value)| (key_text(key), to_json(value))).collect())
}

/// A key as `json.dumps` writes it.
fn key_text(key: &Key) -> String {
    match &key.kind {
        Kind::Text(text) => text.clone(),
        Kind::Null => "null".to_owned(),
        Kind::Bool(value) => value.to_string(),
        other => Value::new(other.clone()).to_python_str(),
    }
}

/// Login keys in any of the shapes that clouds hand out: a text of lines, a list, a mapping of names to
/// keys or lists of keys (`normalize_pubkey_data`).
#[must_use]
pub fn public_keys(keys: Option<&Value>) -> Vec<String> {
    let Some(keys) = keys.filter(|keys| truthy(keys)) else { return Vec::new() };
    match &keys.kind {
        Kind::Text(text) => python::lines(text).map(|(_, line)| line.to_owned()).collect(),
        Kind::List(items) => items.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
        Kind::Set(items) => items.iter().filter_map(Key::as_text).map(str::to_owned).collect(),
        Kind::Map(map) => map
            .values()
            .flat_map(|value| match &value.kind {
                Kind::Text(text) => vec![text.clone()],
                Kind::List(items) => items.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
                Kind::Set(items) => items.iter().filter_map(Key::as_text).map(str::to_owned).collect(),
                _ => Vec::new(),
            })
            .filter(|key| !key.is_empty())
            .collect(),
        _ => Vec::new(),
    }
}

/// The value of the text key `key`, when it is text and not empty.
#[must_use]
pub fn text(map: &Map, key: &str) -> Option<String> {
    map.get(&Key::text(key))?.as_text().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `local-hostname`, if Python takes it for anything.
#[must_use]
pub fn local_hostname(map: &Map) -> Option<String> {
    let name = map.get(&Key::text("local-hostname")).filter(|name| truthy(name))?;
    Some(name.to_python_str())
}

/// `availability-zone`, `availability_zone` or the one of `placement`.
#[must_use]
pub fn availability_zone(map: &Map) -> Option<String> {
    let top = map.get(&Key::text("availability-zone")).or_else(|| map.get(&Key::text("availability_zone")));
    let zone = match top.filter(|zone| truthy(zone)) {
        Some(zone) => Some(zone),
        None => map.get(&Key::text("placement")).and_then(|placement| placement.get("availability-zone")),
    };
    zone.filter(|zone| truthy(zone)).map(Value::to_python_str)
}

/// `launch-index`, which filters the parts of user-data.
#[must_use]
pub fn launch_index(map: &Map) -> Option<i64> {
    let index = map.get(&Key::text("launch-index"))?;
    match &index.kind {
        Kind::Int(number) => i64::try_from(*number).ok(),
        Kind::Bool(value) => Some(i64::from(*value)),
        Kind::Text(text) => python::strip(text).parse().ok(),
        _ => None,
    }
}

/// `cloud-name`, in small letters; `otherwise` where there is none that is text.
#[must_use]
pub fn cloud_name(map: &Map, otherwise: &str) -> String {
    text(map, "cloud-name").map_or_else(|| otherwise.to_lowercase(), |name| name.to_lowercase())
}

/// Puts `value` at the text key `key`.
pub fn set(map: &mut Map, key: &str, value: Value) {
    map.insert(Key::text(key), value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_are_marked_and_text_is_not() {
        let value = Value::load("{a: !!binary aGk=, b: aGk=, c: [!!binary /w==], 1: 2001-01-01}", 0).unwrap();
        let expected = serde_json::json!({
            "a": "ci-b64:aGk=", "b": "aGk=", "c": ["ci-b64:/w=="],
            "1": "Warning: redacted unserializable type <class 'datetime.date'>",
        });
        assert_eq!(to_json(&value), expected);
    }
}
