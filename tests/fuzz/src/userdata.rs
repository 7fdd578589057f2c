//! User-data, as the host checks it and the guest reads it: any bytes at all.

use hardtack_userdata::check::{CheckOptions, check};
use hardtack_userdata::split::{SplitOptions, split};
use hardtack_userdata::{Value, json};
use hardtack_yaml::{Document, Limits, Node, Span, render};

use crate::memory::bounded;

/// What any piece of user-data may take.
const MEMORY: usize = 64 << 20;

/// Everything that `hardtack user-data check` does: parts, merging, both dialects, the traps, the
/// pictures.
pub fn userdata(input: &[u8]) {
    bounded(MEMORY, || {
        let data =
            serde_json::json!({"v1": {"region": "here", "instance_id": "i-1"}, "ds": {"meta_data": {}}});
        for options in [
            SplitOptions::default(),
            SplitOptions {
                instance_data: Some(&data),
                maybe_base64: true,
                launch_index: Some(0),
                ..Default::default()
            },
        ] {
            let report = check("user-data", input, &CheckOptions { split: options });
            let _ = report.pictures();
            let _ = report.findings_json();
            let _ = json::map(&report.config);
        }
    });
}

/// A YAML text: nodes lie inside each other and inside the text, and errors can be shown.
pub fn yaml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    bounded(MEMORY, || {
        match Document::parse("fuzz", text, Limits::default()) {
            Ok(root) => inside(&root, text),
            Err(found) => {
                for diagnostic in &found {
                    within(diagnostic.span, text);
                }
                let _ = render(text, &found);
            }
        }
        match Value::load(text, 0) {
            Ok(value) => {
                let _ = value.to_python_str();
                let _ = json::value(&value);
            }
            Err(found) => within(found[0].place.span, text),
        }
    });
}

fn within(span: Span, text: &str) {
    assert!(text.get(span.range()).is_some(), "{span:?} of {} bytes", text.len());
}

fn inside(node: &Node, text: &str) {
    within(node.span, text);
    for item in node.as_sequence().unwrap_or_default() {
        inside(item, text);
    }
    for (key, value) in node.as_mapping().unwrap_or_default() {
        inside(key, text);
        inside(value, text);
    }
}

/// A MIME message. What has no header gets one.
pub fn mime(input: &[u8]) {
    bounded(MEMORY, || {
        let headed = input.starts_with(b"Content-Type:") || input.starts_with(b"MIME-Version:");
        let header: &[u8] = if headed {
            b""
        } else {
            b"Content-Type: multipart/mixed; boundary=\"X\"\nMIME-Version: 1.0\n\n--X\n"
        };
        let message = [header, input].concat();
        let data = split("message", &message, &SplitOptions::default());
        for finding in &data.findings {
            let _ = data.diagnostic(finding);
        }
    });
}
