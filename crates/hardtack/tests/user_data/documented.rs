//! What docs/user-data.md promises to programs.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{files, name, run_in, top};

fn documentation() -> String {
    std::fs::read_to_string(top().join("docs/user-data.md")).unwrap()
}

#[test]
fn every_code_that_a_case_has_is_documented() {
    let documentation = documentation();
    let cases = top().join("crates/hardtack/tests/user_data/cases");
    let mut seen = BTreeSet::new();
    for case in files(&cases) {
        let json = run_in(&cases, &["check", "--json", name(&case)], b"").json();
        for finding in json["files"][0]["findings"].as_array().unwrap() {
            seen.insert(finding["code"].as_str().unwrap().to_owned());
        }
    }
    assert!(seen.len() > 40, "{seen:?}");
    let missing: Vec<_> = seen.iter().filter(|code| !documentation.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The words behind these are codes, wherever the sources have them.
const CALLS: &[&str] = &["error(", "warning(", "trap(", "_: &str =", "code:"];

#[test]
fn every_code_in_the_sources_is_documented() {
    let documentation = documentation();
    let (mut found, mut missing) = (0, Vec::new());
    for folder in ["crates/userdata/src", "crates/hardtack/src/run/user_data"] {
        sources(&top().join(folder), &mut |path, text| {
            // Tests have codes of their own.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for call in CALLS {
                for rest in text.split(call).skip(1) {
                    let Some(code) =
                        rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                    else {
                        continue;
                    };
                    if !code
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                    {
                        continue;
                    }
                    found += 1;
                    if !documentation.contains(&format!("`{code}`")) {
                        missing.push(format!("{code} ({})", path.display()));
                    }
                }
            }
        });
    }
    assert!(found > 60, "{found}");
    assert!(missing.is_empty(), "{missing:#?}");
}

fn sources(folder: &Path, each: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name(&path) != "tests.rs" {
            each(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn limits_are_as_documented() {
    use hardtack_userdata::limits;
    let documentation = documentation();
    for (limit, words) in [
        (limits::RAW >> 20, "MiB | error |"),
        (limits::UNPACKED >> 20, "MiB | error |"),
        (limits::PARTS, "| error |"),
        (limits::NESTING, "| error |"),
        (limits::YAML.nodes, "| error |"),
        (limits::YAML.depth, "| error |"),
    ] {
        let thousands = match limit {
            small if small < 1000 => small.to_string(),
            large => format!("{},{:03}", large / 1000, large % 1000),
        };
        let row = format!("| {thousands} {words}");
        assert!(documentation.contains(&row), "{row}");
    }
}
