//! What the check says of user-data in the dialect of coreos-cloudinit, with pictures.
//!
//! `tests/data/coreos_pictures.txt` holds cases: a line `===`, the user-data, a line `---`, the pictures.
//! After a change of words `HARDTACK_BLESS=1 cargo test -p hardtack-userdata coreos_pictures` writes the
//! pictures anew.

use std::path::PathBuf;

use hardtack_userdata::check::{CheckOptions, check};

/// Every kind of finding must be among the cases.
const CODES: &[&str] = &[
    "bad-value",
    "coreos-header",
    "deprecated",
    "dialect",
    "misplaced-key",
    "missing-key",
    "not-replaced",
    "read-only",
    "unknown-key",
    "without-effect",
    "wrong-type",
];

#[test]
fn each_finding_has_its_picture() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/coreos_pictures.txt");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut blessed = String::new();
    let mut wrong = String::new();
    let mut codes = Vec::new();
    for case in text.split("===\n").skip(1) {
        let (user_data, pictures) = case.split_once("---\n").unwrap();
        let report = check("user-data", user_data.as_bytes(), &CheckOptions::default());
        codes.extend(report.findings.iter().map(|finding| finding.code));
        let now = format!("===\n{user_data}---\n{}\n", report.pictures().trim());
        if pictures.trim() != report.pictures().trim() {
            wrong.push_str(&now);
        }
        blessed.push_str(&now);
    }
    if std::env::var_os("HARDTACK_BLESS").is_some() {
        std::fs::write(&file, blessed).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
    for code in CODES {
        assert!(codes.contains(code), "no case for {code}");
    }
}
