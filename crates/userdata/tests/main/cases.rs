//! Data files: one JSON object a line.

use std::path::PathBuf;

use serde_json::Value as Json;

/// The cases of `tests/data/{name}`, and those of the file that `variable` names, if it is set: many more
/// from the generators in `tests/oracle`.
pub(crate) fn cases(name: &str, variable: &str) -> Vec<Json> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut texts = vec![std::fs::read_to_string(folder.join(name)).unwrap()];
    if let Some(more) = std::env::var_os(variable) {
        texts.push(std::fs::read_to_string(more).unwrap());
    }
    texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Equal, with `1` and `1.0` different and sets in any order.
pub(crate) fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => match (one.get("__set__"), other.get("__set__")) {
            (Some(Json::Array(one)), Some(Json::Array(other))) => {
                one.len() == other.len()
                    && one.iter().all(|item| other.iter().any(|found| equal(item, found)))
            }
            _ => {
                one.len() == other.len()
                    && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| equal(value, found)))
            }
        },
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        _ => one == other,
    }
}
