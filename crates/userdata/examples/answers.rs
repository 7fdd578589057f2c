//! What the crate makes of texts, for comparing with other programs: JSON lines in, JSON lines out.
//!
//! In: `{"yaml": "…"}` or `{"parts": [{"text", "merge_type", "jsonp"}]}`. Out: `{"ok": …}` with tagged
//! values, or `{"error": "code", "message": "…"}`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::BufRead as _;

use hardtack_userdata::{Value, json};
use serde_json::{Value as Json, json};

fn main() {
    for line in std::io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match case["yaml"].as_str() {
            Some(text) => match Value::load(text, 0) {
                Ok(value) => json!({"ok": json::value(&value), "str": value.to_python_str()}),
                Err(found) => json!({"error": found[0].code, "message": found[0].message}),
            },
            None => Json::Null,
        };
        println!("{answer}");
    }
}
