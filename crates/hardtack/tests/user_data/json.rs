//! What programs read.

use serde_json::{Value, json};

use crate::{check, run_in, top};

#[test]
fn findings_have_the_documented_members() {
    let json = check("#cloud-config\nhostnme: web\n", &["--json"]).json();
    let wanted = json!({"files": [{"file": "<stdin>", "valid": false, "findings": [{
        "severity": "error",
        "code": "unknown-key",
        "path": "hostnme",
        "file": "<stdin>",
        "line": 2,
        "column": 1,
        "message": "unknown key `hostnme`",
        "hint": "did you mean `hostname`?",
    }]}]});
    assert_eq!(json, wanted);
}

#[test]
fn show_has_the_documented_members() {
    let text = "#cloud-config-archive\n- '#!/bin/sh'\n- type: text/cloud-config\n  filename: a.yaml\n  \
                launch-index: 2\n  content: |\n    hostname: web\n    a: 2001-01-23\n    1: !!binary aGk=\n";
    let ran = run_in(&top(), &["show", "-", "--json"], text.as_bytes());
    let wanted = json!({
        "parts": [
            {"type": "text/x-shellscript", "filename": "part-001", "launch_index": null,
             "payload_b64": "IyEvYmluL3No"},
            {"type": "text/cloud-config", "filename": "a.yaml", "launch_index": "2",
             "payload_b64": "aG9zdG5hbWU6IHdlYgphOiAyMDAxLTAxLTIzCjE6ICEhYmluYXJ5IGFHaz0K"},
        ],
        "config": {"hostname": "web", "a": {"__date__": "2001-01-23"}, "__int__:1": {"__bytes_b64__": "aGk="}},
    });
    assert_eq!(ran.json(), wanted);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_shown() {
    let text = "Content-Type: multipart/mixed; boundary=B\nMIME-Version: 1.0\n\n--B\nContent-Type: \
                text/cloud-config\n\na: [\n--B\nContent-Type: text/cloud-config\n\nhostname: web\n--B--\n";
    let ran = run_in(&top(), &["show", "-", "--json"], text.as_bytes());
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: <stdin>:"), "{}", ran.err);
    assert_eq!(ran.json()["config"], json!({"hostname": "web"}));
    assert_eq!(ran.json()["parts"].as_array().map(Vec::len), Some(2));
}

/// The golden cases of the real program: what its parts, and what its configuration, are.
#[test]
fn parts_are_cloud_inits() {
    let path = top().join("../shared/golden/parts.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return;
    };
    let mut compared = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        // Nothing is fetched here, files of the machine neither.
        if case["name"].as_str().unwrap().starts_with("include") {
            continue;
        }
        let input = {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(case["userdata_b64"].as_str().unwrap()).unwrap()
        };
        let ran = run_in(&top(), &["show", "-", "--json"], &input);
        assert_eq!(ran.json()["parts"], case["ok"], "{}", case["name"]);
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

#[test]
fn people_see_parts_and_yaml() {
    let text = "#cloud-config\nusers:\n- default\npackages: [git, 5]\n";
    let ran = run_in(&top(), &["show", "-"], text.as_bytes());
    let wanted = "<stdin>: 1 part\n  1. part-001  text/cloud-config  50 bytes\n\nThe configuration:\n\nusers:\n- \
                  default\npackages:\n- git\n- 5\n";
    assert_eq!(ran.out, wanted);
    let none = run_in(&top(), &["show", "-"], b"#!/bin/sh\n");
    assert!(none.out.ends_with("\nNo configuration.\n"), "{}", none.out);
}
