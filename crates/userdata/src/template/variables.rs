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
    Names { encoded: &encoded, second: true, left: TWICE }.convert(data, "")
}

/// The same without second names: what `cloud-init query` shows.
#[must_use]
pub fn lifted(data: &Json) -> Variables {
    Names { encoded: &[], second: false, left: TWICE }.convert(data, "")
}

/// Bytes of what stands there twice. Names in each other, each with an operator in it, would take all memory
/// otherwise: every level doubles what is below it.
const TWICE: usize = 8 << 20;

struct Names<'a> {
    /// Paths of values in base64.
    encoded: &'a [String],
    /// Names with an operator have a second one.
    second: bool,
    /// Of [`TWICE`].
    left: usize,
}

impl Names<'_> {
    fn convert(&mut self, data: &Json, prefix: &str) -> Variables {
        let mut result = Variables::new();
        let sorted: BTreeMap<&String, &Json> = data.as_object().into_iter().flatten().collect();
        for (key, value) in sorted {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}/{key}") };
            if value.is_object() {
                let inner = self.convert(value, &path);
                let version = key.strip_prefix('v').is_some_and(|number| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                });
                let inner = Json::Object(inner.into_iter().collect());
                let top = if version { self.again(&inner) } else { None };
                result.insert(key.clone(), inner);
                if let Some(Json::Object(top)) = top {
                    result.extend(top);
                }
            } else {
                let decoded = value
                    .as_str()
                    .filter(|_| self.encoded.contains(&path))
                    .and_then(|text| lenient_base64::decode(text.as_bytes()).ok())
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                result.insert(key.clone(), decoded.map_or_else(|| value.clone(), Json::String));
            }
            let alias = alias(key);
            if self.second
                && alias != *key
                && let Some(value) = result.get(key).and_then(|value| self.again(value))
            {
                result.insert(alias, value);
            }
        }
        result
    }

    /// A copy, as long as there is room for one.
    fn again(&mut self, value: &Json) -> Option<Json> {
        self.left = self.left.checked_sub(size(value))?;
        Some(value.clone())
    }
}

/// About how many bytes `value` takes.
fn size(value: &Json) -> usize {
    const EACH: usize = 32;
    let inside = match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(size).fold(0, usize::saturating_add),
        Json::Object(members) => members
            .iter()
            .fold(0_usize, |sum, (key, value)| sum.saturating_add(key.len()).saturating_add(size(value))),
        _ => 0,
    };
    inside.saturating_add(EACH)
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

    /// Both would take all memory there is.
    #[test]
    fn names_in_names_have_an_end() {
        for name in ["v1", "a-b"] {
            let mut data = json!({"region": "r"});
            for _ in 0..100 {
                let mut above = serde_json::Map::new();
                above.insert(name.to_owned(), data);
                data = above.into();
            }
            let found = variables(&data);
            assert!(found.contains_key(name), "{name}");
            assert!(super::lifted(&data).contains_key(name), "{name}");
        }
        let found = super::lifted(&json!({"v1": {"a-b": 1}}));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a-b", "v1"]);
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
