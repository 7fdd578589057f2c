//! The user-data that ships is what it says: no mistakes, and no warnings either.

use crate::{files, name, run_in, top};

#[test]
fn every_example_is_without_a_mistake() {
    let mut checked = 0;
    for folder in ["cloud-config", "cloud-config/parts"] {
        for file in files(&top().join(folder)).iter().filter(|file| name(file) != "README.md") {
            let ran = run_in(&top(), &["check", "--strict", file.to_str().unwrap()], b"");
            assert_eq!(ran.code, 0, "{}", ran.out);
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = std::fs::read_to_string(top().join("cloud-config/README.md")).unwrap();
    for file in files(&top().join("cloud-config")) {
        assert!(readme.contains(name(&file)) || name(&file) == "README.md", "{}", file.display());
    }
}
