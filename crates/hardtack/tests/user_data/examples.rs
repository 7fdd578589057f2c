//! The user-data that ships is what it says: no mistakes, and no warnings either.

use crate::{files, name, run_in, top};

/// These are not without a warning, or no user-data by themselves: a template of CloudFormation has it within.
const APART: &[&str] = &["README.md", "operator-code.yaml", "coreos-cluster.template"];

#[test]
fn every_example_is_without_a_mistake() {
    let mut checked = 0;
    for folder in ["cloud-config", "cloud-config/parts"] {
        for file in files(&top().join(folder)).iter().filter(|file| !APART.contains(&name(file))) {
            let ran = run_in(&top(), &["check", "--strict", file.to_str().unwrap()], b"");
            assert_eq!(ran.code, 0, "{}", ran.out);
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn a_secret_in_an_example_is_told() {
    let file = top().join("cloud-config/operator-code.yaml");
    let ran = run_in(&top(), &["check", "--json", file.to_str().unwrap()], b"");
    let json = ran.json();
    let findings = json["files"][0]["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!((ran.code, &codes[..]), (0, &["totp-example", "totp-in-the-clear"][..]));
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = std::fs::read_to_string(top().join("cloud-config/README.md")).unwrap();
    for file in files(&top().join("cloud-config")) {
        assert!(readme.contains(name(&file)) || name(&file) == "README.md", "{}", file.display());
    }
}
