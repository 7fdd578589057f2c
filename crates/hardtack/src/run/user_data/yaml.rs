//! Configuration as YAML for people.

use hardtack_userdata::{Key, Kind, Map, Value, json};
use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Number, Value as Yaml};

/// The text of a configuration; `{}` when there is none.
pub(super) fn text(config: &Map) -> String {
    serde_yaml::to_string(&Yaml::Mapping(map(config))).unwrap_or_default()
}

fn map(map: &Map) -> Mapping {
    map.iter().map(|(key, member)| (name(key), value(member))).collect()
}

fn name(key: &Key) -> Yaml {
    match &key.kind {
        Kind::Text(text) => Yaml::String(text.clone()),
        Kind::Null => Yaml::Null,
        Kind::Bool(value) => Yaml::Bool(*value),
        Kind::Int(number) if i64::try_from(*number).is_ok() => {
            Yaml::Number(Number::from(i64::try_from(*number).unwrap_or_default()))
        }
        _ => Yaml::String(json::key(key)),
    }
}

fn value(value: &Value) -> Yaml {
    kind(&value.kind)
}

fn kind(kind: &Kind) -> Yaml {
    match kind {
        Kind::Null => Yaml::Null,
        Kind::Bool(value) => Yaml::Bool(*value),
        Kind::Int(number) => match i64::try_from(*number) {
            Ok(number) => Yaml::Number(Number::from(number)),
            Err(_) => tagged("int", number.to_string()),
        },
        Kind::HugeInt(digits) => tagged("int", digits.clone()),
        Kind::Float(number) => Yaml::Number(Number::from(*number)),
        Kind::Text(text) => Yaml::String(text.clone()),
        Kind::Bytes(bytes) => {
            use base64::Engine as _;
            tagged("binary", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Kind::Date(text) | Kind::DateTime(text) => tagged("timestamp", text.clone()),
        Kind::List(items) => Yaml::Sequence(items.iter().map(value).collect()),
        Kind::Map(members) => Yaml::Mapping(map(members)),
        Kind::Set(keys) => {
            let members = keys.iter().map(|key| (name(key), Yaml::Null)).collect();
            let set = TaggedValue { tag: Tag::new("set"), value: Yaml::Mapping(members) };
            Yaml::Tagged(Box::new(set))
        }
    }
}

fn tagged(tag: &str, text: String) -> Yaml {
    Yaml::Tagged(Box::new(TaggedValue { tag: Tag::new(tag), value: Yaml::String(text) }))
}
