//! Damaged YAML against PyYAML's verdicts and values, and libyaml's.
//!
//! `data/yaml_cases.jsonl` was made by `oracle/yaml_cases.py`; fresh cases are made by it at every run where
//! python3-yaml is installed. `HARDTACK_YAML_CASES=file` runs more.
//!
//! What differs from PyYAML on purpose is in [`DIFFERENT`]. Where libyaml differs from PyYAML, we do as
//! PyYAML does, since that is what cloud-init reads user-data with; the script knows all such reasons and
//! fails on a new one.

use std::path::Path;
use std::process::Command;

use hardtack_userdata::load::BREAKS;
use hardtack_userdata::{Value, json};
use serde_json::Value as Json;

use crate::cases::{cases, equal};

/// Why ours is another answer than PyYAML's, and how our message tells it.
const DIFFERENT: &[(&str, &str)] = &[
    ("a value that contains itself is refused", "stands inside what it names"),
    ("half of a surrogate pair is no text, and is refused", "hexadecimal digits of a character"),
];

/// How many of the cases differ on purpose.
fn compare(cases: &[Json]) -> usize {
    let mut different = 0;
    for case in cases {
        let text = case["yaml"].as_str().unwrap();
        let ours = Value::load(text, 0);
        let same = match (&ours, case.get("ok")) {
            (Ok(value), Some(wanted)) => {
                equal(&json::value(value), wanted)
                    && case["str"].as_str().is_none_or(|wanted| value.to_python_str() == wanted)
            }
            (Err(found), None) if case.get("recursive").is_none() => {
                (found[0].code == BREAKS) == case.get("breaks").is_some()
            }
            _ => false,
        };
        if !same {
            let told = ours.as_ref().err().map(|found| found[0].message.as_str()).unwrap_or_default();
            let reason = DIFFERENT.iter().find(|(_, words)| told.contains(words));
            assert!(reason.is_some(), "{case}: ours {ours:?}");
            different += 1;
        }
    }
    different
}

#[test]
fn damaged_texts_are_read_as_by_pyyaml() {
    let cases = cases("yaml_cases.jsonl", "HARDTACK_YAML_CASES");
    assert!(cases.len() > 800);
    let different = compare(&cases);
    assert!(different * 50 < cases.len(), "{different} of {} differ", cases.len());
}

#[test]
fn fresh_damage_is_read_as_by_pyyaml() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/yaml_cases.py");
    let present = Command::new("/usr/bin/python3").args(["-c", "import yaml; yaml.CSafeLoader"]).output();
    if !present.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "python3-yaml is not installed");
        eprintln!("SKIPPED: python3-yaml is not installed");
        return;
    }
    // Another seed every day, the same all day.
    let day = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-B").arg(script).args([&day.to_string(), "600", "2000"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "seed {day}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let cases: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() >= 600);
    compare(&cases);
}
