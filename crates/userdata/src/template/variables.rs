//! What templates call things: the instance data, with more names for the same
//! (`convert_jinja_instance_data`).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::lenient_base64;

/// Names and values, sorted.
pub type Variables = BTreeMap<String, Json>;

/// What reads as an operator in a template, the longer ones first (`jinja2/lexer.py`).
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// The names that the instance data `data` gives to a template: what stands under `v1` stands at the
/// top too, and whatever has an operator in its name has a second one with `_`.
#[must_use]
pub fn variables(data: &Json) -> Variables {
    let encoded: Vec<String> = data
        .get("base64-encoded-keys")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|path| Some(path.as_str()?.replace('-', "_")))
        .collect();
    convert(data, "", &encoded)
}

fn convert(data: &Json, prefix: &str, encoded: &[String]) -> Variables {
    let mut result = Variables::new();
    let sorted: BTreeMap<&String, &Json> = data.as_object().into_iter().flatten().collect();
    for (key, value) in sorted {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}/{key}") };
        if value.is_object() {
            let inner = convert(value, &path, encoded);
            let version = key
                .strip_prefix('v')
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            result.insert(key.clone(), Json::Object(inner.clone().into_iter().collect()));
            if version {
                result.extend(inner);
            }
        } else {
            let decoded = value
                .as_str()
                .filter(|_| encoded.contains(&path))
                .and_then(|text| lenient_base64::decode(text.as_bytes()).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok());
            result.insert(key.clone(), decoded.map_or_else(|| value.clone(), Json::String));
        }
        let alias = alias(key);
        if alias != *key
            && let Some(value) = result.get(key).cloned()
        {
            result.insert(alias, value);
        }
    }
    result
}

/// The name that a template has for `key`: operators in it are underscores.
#[must_use]
pub fn alias(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut rest = key;
    while let Some(character) = rest.chars().next() {
        let width = match OPERATORS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                out.push('_');
                sign.len()
            }
            None => {
                out.push(character);
                character.len_utf8()
            }
        };
        rest = rest.get(width..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{alias, variables};

    #[test]
    fn more_names_for_the_same() {
        let data = json!({
            "base64-encoded-keys": ["ds/user-data", "ds/secret"],
            "ds": {"meta-data": {"a.b": 1}, "secret": "aGk=", "user-data": "aGk="},
            "v1": {"region": "r", "cloud-name": "c"},
            "region": "x",
        });
        let found = serde_json::to_value(variables(&data)).unwrap_or_default();
        assert_eq!(found["ds"]["meta_data"], json!({"a.b": 1, "a_b": 1}));
        assert_eq!(found["ds"]["secret"], json!("hi"));
        // A path with `-` never matches, as its `-` were replaced.
        assert_eq!(found["ds"]["user_data"], json!("aGk="));
        assert_eq!(found["region"], json!("r"));
        assert_eq!(found["cloud_name"], json!("c"));
    }

    #[test]
    fn operators_become_underscores() {
        for (key, wanted) in
            [("a-b", "a_b"), ("a//b", "a_b"), ("a--b", "a__b"), ("v1.0", "v1_0"), ("a!b", "a!b")]
        {
            assert_eq!(alias(key), wanted);
        }
    }
}
