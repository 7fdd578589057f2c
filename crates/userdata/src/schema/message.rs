//! What is said about a value that is not as it should be: one sentence with what was found and what
//! was expected, and a hint.

use hardtack_yaml::did_you_mean;

use super::fit::{fits, takes};
use super::keys::list_of;
use super::shape::{ListShape, MapShape, Old, Rule, Shape};
use super::words::{either, expected, expected_into, found, plain};
use crate::finding::{Finding, Place};
use crate::value::{Key, Kind, Map, Value};

/// The value has a type that is not expected.
pub(super) fn wrong_type(path: &str, secret: bool, shape: &Shape, value: &Value) -> Finding {
    let message = format!("`{path}` is {}, expected {}", found(value, secret), expected(shape));
    let finding = Finding::error("wrong-type", value.place, message);
    match type_hint(path, shape, value) {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

/// Whether a shape takes a value, deprecated forms left out; lists and mappings by their type alone.
fn wants(shape: &Shape, kind: &Kind) -> bool {
    match shape {
        Shape::Old(_) => false,
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => {
            shapes.iter().any(|shape| wants(shape, kind))
        }
        shape => takes(shape, kind) && fits(shape, kind),
    }
}

fn wants_text(shape: &Shape, text: &str) -> bool {
    wants(shape, &Kind::Text(text.to_owned()))
}

fn type_hint(path: &str, shape: &Shape, value: &Value) -> Option<&'static str> {
    let quoted = match &value.kind {
        Kind::Bool(true) => ["true", "yes", "on"].iter().any(|word| wants_text(shape, word)),
        Kind::Bool(false) => ["false", "no", "off"].iter().any(|word| wants_text(shape, word)),
        kind => wants_text(shape, &plain(kind)),
    };
    let number = wants(shape, &Kind::Int(1));
    let boolean = wants(shape, &Kind::Bool(true));
    let list = wants(shape, &Kind::List(Vec::new()));
    let map = wants(shape, &Kind::Map(Map::new()));
    let in_list = path.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    Some(match &value.kind {
        Kind::Null => {
            "`null`, `~` and nothing at all are no value: write one, mind the indentation, or remove the key"
        }
        Kind::Bool(_) if quoted => {
            "put it in quotes: without them YAML takes yes, no, on, off, true and false for booleans"
        }
        Kind::Int(_) | Kind::HugeInt(_) if quoted => {
            "put it in quotes: without them YAML takes it for a number, 010 for 8 and 22:22 for 1342"
        }
        Kind::Float(_) if quoted => {
            "put it in quotes: without them YAML takes it for a number, 3.20 for 3.2 and 1e3 for 1000"
        }
        Kind::Date(_) | Kind::DateTime(_) if quoted => {
            "put it in quotes: without them YAML takes it for a date"
        }
        Kind::Map(entries) if wants_text(shape, "x") && in_list && entries.len() == 1 => {
            "put the whole line in quotes: a colon with a space behind it makes a mapping"
        }
        Kind::Map(_) if path == "chpasswd.list" => {
            "put `|` behind the colon, and below it a line `name:password` for each user, indented"
        }
        Kind::Map(entries) if list && !entries.is_empty() && entries.values().all(Value::is_null) => {
            "write it as a list of names: `- ` before each, and no colon behind it"
        }
        Kind::Map(_) if list && !takes_maps(shape) => {
            "write it as a list: `- ` before each item, in a line of its own"
        }
        Kind::Map(_) if list => {
            "write it as a list: put `- ` before its first key, and indent the others as deep"
        }
        Kind::Map(_) if wants_text(shape, "x") && !in_list => {
            "if all of it is meant as one text, put `|` behind the colon and the text in deeper lines"
        }
        Kind::Text(text) if boolean && is_boolean_word(text) => "remove the quotes",
        Kind::Text(_) | Kind::Int(_) if boolean => "write `true` or `false`, without quotes",
        Kind::Text(text) if number && is_digits(text) => "remove the quotes",
        Kind::Float(_) if number => "write a whole number",
        Kind::List(items) if map && items.iter().any(|item| item.as_map().is_some()) => {
            "write the keys without `- `: one mapping, not a list of them"
        }
        Kind::Text(_) | Kind::Int(_) | Kind::Bool(_) if list => {
            "write it as a list: `- ` before each item, in a line of its own"
        }
        Kind::Text(_) if map && path.starts_with("apt.sources.") => {
            "write it as `source: …` in a line of its own below the name, indented"
        }
        Kind::Text(text) if map && lacks_space(text) => "put a space behind the colon: `key: value`",
        Kind::Text(_) | Kind::Bool(_) | Kind::Int(_) if map => {
            "write lines of `key: value` below it, indented"
        }
        Kind::Set(_) if list => "write it as a list, without `!!set`",
        _ => return None,
    })
}

/// Whether a list of the shape has mappings among its items.
fn takes_maps(shape: &Shape) -> bool {
    match shape {
        Shape::List(list) => takes(&list.items, &Kind::Map(Map::new())),
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => shapes.iter().any(takes_maps),
        _ => false,
    }
}

/// Whether the text is `key:value`, and no address or line with a colon somewhere.
fn lacks_space(text: &str) -> bool {
    let Some((key, value)) = text.split_once(':') else { return false };
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !value.starts_with("//")
}

fn is_boolean_word(text: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The value has the right type, and is none of those allowed.
pub(super) fn bad_value(path: &str, secret: bool, shape: &Shape, value: &Value) -> Finding {
    let mut pieces = Vec::new();
    expected_into(shape, &mut pieces);
    let message = format!("`{path}` is {}, expected {}", found(value, secret), expected(shape));
    let finding = Finding::error("bad-value", value.place, message);
    let words = pieces.iter().filter_map(|piece| piece.strip_prefix('`')?.strip_suffix('`'));
    if value.as_text().is_some_and(|text| is_boolean_word(text) && wants(shape, &Kind::Bool(true))) {
        return finding.with_hint("remove the quotes");
    }
    if wants(shape, &Kind::List(Vec::new())) && matches!(&value.kind, Kind::Text(text) if text.contains(' '))
    {
        return finding.with_hint("write it as a list: `- ` before each item, in a line of its own");
    }
    match value.as_text().and_then(|text| did_you_mean(text, words)) {
        Some(near) => finding.with_hint(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// The value is none of the texts that several shapes allow.
pub(super) fn bad_choice(path: &str, choices: &[&str], value: &Value) -> Finding {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    let message = format!("`{path}` is {}, expected {}", found(value, false), either(&quoted));
    let finding = Finding::error("bad-value", value.place, message);
    match value.as_text().and_then(|text| did_you_mean(text, choices.iter().copied())) {
        Some(near) => finding.with_hint(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// The value has more than one of the shapes that exclude each other.
pub(super) fn several(path: &str, place: Place) -> Finding {
    Finding::error(
        "conflicting-keys",
        place,
        format!("`{path}` has two forms at a time that exclude each other"),
    )
}

/// The value is deprecated.
pub(super) fn deprecated_value(path: &str, old: &Old, place: Place) -> Finding {
    let message = format!("`{path}` in this form is deprecated since cloud-init {}", old.since);
    Finding::warning("deprecated", place, message).with_hint(old.instead)
}

/// The key is deprecated.
pub(super) fn deprecated_key(path: &str, old: &Old, place: Place) -> Finding {
    let message = format!("`{path}` is deprecated since cloud-init {}", old.since);
    Finding::warning("deprecated", place, message).with_hint(old.instead)
}

/// The list has too many or too few items.
pub(super) fn length(path: &str, list: &ListShape, length: usize, place: Place) -> Finding {
    let code = if length < list.min { "too-few" } else { "too-many" };
    let bound = match (length < list.min, list.min == list.max) {
        (_, true) => format!("exactly {}", list.min),
        (true, _) => format!("{} or more", list.min),
        (false, _) => format!("at most {}", list.max),
    };
    let items = if length == 1 { "item" } else { "items" };
    let found = if length == 0 { "is an empty list".to_owned() } else { format!("has {length} {items}") };
    let finding = Finding::error(code, place, format!("`{path}` {found}, expected {bound}"));
    if length == 0 { finding.with_hint("fill the list, or remove the key") } else { finding }
}

/// The item stands in its list already.
pub(super) fn duplicate(path: &str, secret: bool, item: &Value) -> Finding {
    let message = format!("`{path}` is {}, which stands in the list already", found(item, secret));
    Finding::error("duplicate-item", item.place, message).with_hint("remove one of them")
}

/// The mapping lacks a key.
pub(super) fn missing(path: &str, key: &str, place: Place) -> Finding {
    Finding::error("missing-key", place, format!("`{path}` lacks the key `{key}`"))
        .with_hint(format!("add `{key}: …`, as deep as the other keys"))
}

/// The mapping is empty and must not be.
pub(super) fn empty_map(path: &str, map: &MapShape, place: Place) -> Finding {
    let finding =
        Finding::error("too-few", place, format!("`{path}` is an empty mapping, expected one key or more"));
    match list_of(map.fields) {
        Some(keys) => finding.with_hint(format!("keys: {keys}")),
        None => finding.with_hint("fill it, or remove it"),
    }
}

/// The mapping breaks a rule about several keys.
pub(super) fn rule(path: &str, rule: &Rule, entries: &Map, place: Place) -> Finding {
    let has = |key: &&str| entries.contains_key(&Key::text(*key));
    match rule {
        Rule::ExactlyOne(groups) => {
            let missing = |group: &&&[&str]| group.iter().filter(|key| !has(key)).count();
            let least = groups.iter().map(|group| missing(&group)).min().unwrap_or_default();
            let common = |key: &str| groups.iter().all(|group| group.contains(&key));
            // What all groups have in common does not tell them apart.
            let words = groups.iter().filter(|group| missing(group) == least).flat_map(|group| group.iter());
            if least == 0 {
                let names: Vec<String> =
                    words.filter(|key| !common(key)).map(|key| format!("`{key}`")).collect();
                let message = format!("`{path}` has {}, which exclude each other", names.join(" and "));
                Finding::error("conflicting-keys", place, message).with_hint("keep one of them")
            } else {
                let (shared, names): (Vec<&&str>, Vec<&&str>) =
                    words.filter(|key| !has(key)).partition(|key| common(key));
                let names: Vec<String> = names.iter().map(|key| format!("`{key}`")).collect();
                let mut lacks: Vec<String> =
                    shared.first().map(|key| format!("`{key}`")).into_iter().collect();
                lacks.extend(Some(either(&names)).filter(|names| !names.is_empty()));
                Finding::error("missing-key", place, format!("`{path}` lacks {}", lacks.join(" and ")))
            }
        }
        Rule::AtLeastOne(keys) => {
            let names: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            Finding::error("missing-key", place, format!("`{path}` lacks one of {}", either(&names)))
        }
        Rule::NotBoth(one, other) => {
            let message = format!("`{path}` has both `{one}` and `{other}`");
            Finding::error("conflicting-keys", place, message).with_hint(format!("keep `{one}`"))
        }
    }
}
