//! Takes user-data apart, for comparing with cloud-init: reads lines of JSON with `userdata_b64` and
//! writes the parts, or `failed`, for each. Lines with `template` and `instance_data` are rendered,
//! lines with `files` packed, lines with `raw_b64` decoded if they are base64.
#![allow(clippy::print_stdout)]

use std::io::BufRead as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_userdata::{Fetch, SplitOptions, maybe_base64, pack, show, split, template};
use serde_json::{Value as Json, json};

/// There is no network: whatever includes something fails.
struct Nothing;

impl Fetch for Nothing {
    fn fetch(&self, _url: &str, _once: bool) -> Result<Vec<u8>, String> {
        Err("there is no network".to_owned())
    }
}

fn main() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(case) = serde_json::from_str::<Json>(&line) else { continue };
        if let Some(text) = case["template"].as_str() {
            let outcome = template::render(text, &case["instance_data"]);
            println!(
                "{}",
                outcome.map_or_else(|error| json!({ "error": error.to_string() }), |ok| json!({ "ok": ok }))
            );
            continue;
        }
        let decode = |text: &Json| BASE64.decode(text.as_str().unwrap_or_default()).unwrap_or_default();
        if let Some(files) = case["files"].as_array() {
            let inputs: Vec<_> = files
                .iter()
                .map(|file| pack::Input {
                    name: file["name"].as_str().unwrap_or_default().to_owned(),
                    content: decode(&file["content_b64"]),
                    content_type: None,
                })
                .collect();
            let outcome = pack::pack(&inputs, pack::Gzip::Auto);
            println!(
                "{}",
                outcome.map_or_else(
                    |error| json!({ "error": error.to_string() }),
                    |packed| json!({ "packed_b64": BASE64.encode(packed.bytes) })
                )
            );
            continue;
        }
        if !case["raw_b64"].is_null() {
            let decoded = maybe_base64::maybe_decode(&decode(&case["raw_b64"]));
            println!("{}", json!({ "decoded_b64": BASE64.encode(decoded) }));
            continue;
        }
        let bytes = decode(&case["userdata_b64"]);
        let data =
            split("user-data", &bytes, &SplitOptions { fetch: Some(&Nothing), ..SplitOptions::default() });
        let merge: Vec<_> = data.parts.iter().map(|part| part.merge_type.as_deref()).collect();
        let codes: Vec<_> = data.findings.iter().map(|finding| finding.code).collect();
        let mut parts = show::json(&data.parts, &Json::Null)["parts"].clone();
        for (part, merge) in parts.as_array_mut().into_iter().flatten().zip(merge) {
            part["merge"] = json!(merge);
        }
        let pictures: String = data
            .findings
            .iter()
            .map(|finding| {
                let text = data.text_of(finding).unwrap_or_default();
                format!("[{}] {}", finding.code, hardtack_yaml::render(text, &[data.diagnostic(finding)]))
            })
            .collect();
        println!("{}", json!({ "pictures": pictures, "ok": parts, "failed": data.failed, "codes": codes }));
    }
}
