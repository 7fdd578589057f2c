//! Takes user-data apart, for comparing with cloud-init: reads lines of JSON with `userdata_b64` and
//! writes the parts, or `failed`, for each. Lines with `template` and `instance_data` are rendered.
#![allow(clippy::print_stdout)]

use std::io::BufRead as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_userdata::{Fetch, SplitOptions, show, split, template};
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
        let bytes = BASE64.decode(case["userdata_b64"].as_str().unwrap_or_default()).unwrap_or_default();
        let data =
            split("user-data", &bytes, &SplitOptions { fetch: Some(&Nothing), ..SplitOptions::default() });
        let merge: Vec<_> = data.parts.iter().map(|part| part.merge_type.as_deref()).collect();
        let codes: Vec<_> = data.findings.iter().map(|finding| finding.code).collect();
        let mut parts = show::json(&data.parts, &Json::Null)["parts"].clone();
        for (part, merge) in parts.as_array_mut().into_iter().flatten().zip(merge) {
            part["merge"] = json!(merge);
        }
        println!("{}", json!({ "ok": parts, "failed": data.failed, "codes": codes }));
    }
}
