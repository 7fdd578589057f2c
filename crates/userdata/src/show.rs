//! The JSON of `hardtack user-data show --json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use crate::part::Part;

/// `parts` and the merged `config`, as they are documented: the names and their meaning stay.
/// Secrets are in it, since it is the user's own file.
#[must_use]
pub fn json(parts: &[Part], config: &Json) -> Json {
    let parts: Vec<Json> = parts
        .iter()
        .map(|part| {
            json!({
                "type": part.content_type,
                "filename": part.filename,
                "launch_index": part.launch_index,
                "payload_b64": BASE64.encode(&part.payload),
            })
        })
        .collect();
    json!({ "parts": parts, "config": config })
}

#[cfg(test)]
mod tests {
    use super::json;
    use crate::split::{SplitOptions, split};

    #[test]
    fn the_documented_names_and_no_others() {
        let data = split("f", b"#!/bin/sh\n", &SplitOptions::default());
        let wanted = json!({
            "parts": [{
                "type": "text/x-shellscript",
                "filename": "part-001",
                "launch_index": null,
                "payload_b64": "IyEvYmluL3NoCg==",
            }],
            "config": {"a": 1},
        });
        assert_eq!(json(&data.parts, &json!({"a": 1})), wanted);
    }
}
