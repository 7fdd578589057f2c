//! Whether two values are the same, wherever they stand.

use crate::value::{Kind, Value};

/// Equal as JSON is: `1` and `1.0` are, `1` and `true` are not (`jsonpatch.py`, `_json_equal`).
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Bool(one), Kind::Bool(other)) => one == other,
        (Kind::Int(one), Kind::Int(other)) => one == other,
        (Kind::Float(one), Kind::Float(other)) => {
            one.partial_cmp(other).is_some_and(std::cmp::Ordering::is_eq)
        }
        // Python compares exactly; a whole number that no float can be is equal to none.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        (Kind::Int(int), Kind::Float(float)) | (Kind::Float(float), Kind::Int(int)) => {
            float.fract() == 0.0 && float.abs() < 1e38 && *float as i128 == *int
        }
        (Kind::HugeInt(one), Kind::HugeInt(other))
        | (Kind::Text(one), Kind::Text(other))
        | (Kind::Date(one), Kind::Date(other))
        | (Kind::DateTime(one), Kind::DateTime(other)) => one == other,
        (Kind::Bytes(one), Kind::Bytes(other)) => one == other,
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Kind::Map(one), Kind::Map(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| same(value, found)))
        }
        (Kind::Set(one), Kind::Set(other)) => {
            let keys: std::collections::HashSet<_> = one.iter().collect();
            one.len() == other.len() && other.iter().all(|key| keys.contains(key))
        }
        _ => false,
    }
}
