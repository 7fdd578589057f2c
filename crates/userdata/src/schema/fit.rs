//! Whether a value has a shape, as far as that can be told at a glance.

use super::shape::{Rule, Shape};
use crate::value::{Key, Kind, Map, Value};

/// Whether the mapping has the key.
pub(super) fn has(entries: &Map, key: &str) -> bool {
    entries.contains_key(&Key::text(key))
}

/// Whether the value is a mapping with a key `type`.
pub(super) fn has_type(value: &Value) -> bool {
    value.as_map().is_some_and(|entries| has(entries, "type"))
}

/// Whether values of this kind can have the shape.
pub(super) fn takes(shape: &Shape, kind: &Kind) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Null => matches!(kind, Kind::Null),
        Shape::Bool | Shape::Only(_) => matches!(kind, Kind::Bool(_)),
        Shape::Text | Shape::Matching(_) | Shape::Format(_) | Shape::Choice(_) => {
            matches!(kind, Kind::Text(_) | Kind::Bytes(_))
        }
        Shape::Int | Shape::IntFrom(_) => matches!(kind, Kind::Int(_) | Kind::HugeInt(_)),
        Shape::NumberFrom(_) => matches!(kind, Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_)),
        Shape::List(_) => matches!(kind, Kind::List(_)),
        Shape::Map(_) => matches!(kind, Kind::Map(_)),
        Shape::Kinds(shapes) | Shape::OneOf(shapes) | Shape::AnyOf(shapes) => {
            shapes.iter().any(|shape| takes(shape, kind))
        }
        Shape::Old(old) => takes(&old.shape, kind),
    }
}

/// Whether a value of a kind that the shape takes, neither a list nor a mapping, has it.
pub(super) fn fits(shape: &Shape, kind: &Kind) -> bool {
    match (shape, kind) {
        (Shape::Only(wanted), Kind::Bool(value)) => wanted == value,
        (Shape::Matching(pattern) | Shape::Format(pattern), Kind::Text(text)) => (pattern.matches)(text),
        (Shape::Matching(_), Kind::Bytes(_)) => false,
        (Shape::Choice(choices), Kind::Text(text)) => choices.contains(&text.as_str()),
        (Shape::Choice(_), _) => false,
        (Shape::IntFrom(least) | Shape::NumberFrom(least), Kind::Int(value)) => *value >= i128::from(*least),
        (Shape::IntFrom(_) | Shape::NumberFrom(_), Kind::HugeInt(digits)) => !digits.starts_with('-'),
        // Not a number is not less than any, says Python.
        #[allow(clippy::cast_precision_loss)]
        (Shape::NumberFrom(least), Kind::Float(value)) => value.is_nan() || *value >= *least as f64,
        _ => true,
    }
}

/// Whether a mapping keeps to a rule.
pub(super) fn keeps(rule: &Rule, entries: &Map) -> bool {
    match rule {
        Rule::ExactlyOne(groups) => {
            groups.iter().filter(|group| group.iter().all(|key| has(entries, key))).count() == 1
        }
        Rule::AtLeastOne(keys) => keys.iter().any(|key| has(entries, key)),
        Rule::NotBoth(one, other) => !(has(entries, one) && has(entries, other)),
    }
}
