//! What the crate makes of texts, for comparing with other programs: JSON lines in, JSON lines out.
//!
//! In: `{"yaml": "…"}` or `{"parts": [{"text", "merge_type", "jsonp"}]}`. Out: `{"ok": …}` with tagged
//! values, or `{"error": "code", "message": "…"}`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::BufRead as _;

use hardtack_userdata::merge::merge_parts;
use hardtack_userdata::{Origin, Part, PartKind, Value, json};
use serde_json::{Value as Json, json};

fn main() {
    for line in std::io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match (case["yaml"].as_str(), case["parts"].as_array()) {
            (Some(text), _) => match Value::load(text, 0) {
                Ok(value) => json!({"ok": json::value(&value), "str": value.to_python_str()}),
                Err(found) => json!({"error": found[0].code, "message": found[0].message}),
            },
            (None, Some(parts)) => merged(parts),
            _ => Json::Null,
        };
        println!("{answer}");
    }
}

fn merged(parts: &[Json]) -> Json {
    let parts: Vec<Part> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| Part {
            kind: if part["jsonp"] == json!(true) { PartKind::JsonPatch } else { PartKind::CloudConfig },
            content_type: String::new(),
            filename: format!("part-{:03}", index + 1),
            launch_index: None,
            merge_type: part["merge_type"].as_str().map(str::to_owned),
            payload: part["text"].as_str().unwrap().as_bytes().to_vec(),
            origin: Origin::default(),
        })
        .collect();
    let merged = merge_parts(&parts);
    let findings: Vec<_> = merged.findings.iter().map(|found| (found.code, found.message.clone())).collect();
    json!({"ok": {
        "merged": json::map(&merged.config),
        "ok_parts": merged.ok_parts,
        "error_parts": merged.error_parts,
    }, "findings": findings})
}
