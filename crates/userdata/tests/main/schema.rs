//! Verdicts on cloud-config beside those of cloud-init 26.2's own schema.
//!
//! `tests/oracle/schema_cases.py` makes such cases from a checkout of cloud-init; a file of any number of
//! them is compared with `HARDTACK_SCHEMA_CASES=FILE cargo test -p hardtack-userdata schema::generated`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use hardtack_userdata::check::{self, CheckOptions};
use hardtack_userdata::load::load_config;
use hardtack_userdata::{Finding, Severity, schema};
use serde_json::Value as Json;

/// How the cases of a file compare.
#[derive(Default)]
struct Tally {
    cases: usize,
    verdicts_differ: usize,
    /// Every path of an error that cloud-init tells, we tell.
    errors_equal: usize,
    /// We tell no error there nor inside of it.
    errors_differ: usize,
    deprecations_differ: usize,
    report: String,
}

fn findings(yaml: &str) -> Vec<Finding> {
    match load_config(yaml, 0) {
        Ok(Some(config)) => {
            let mut findings = Vec::new();
            schema::check(&config, &mut findings);
            findings
        }
        Ok(None) => Vec::new(),
        Err(findings) => findings,
    }
}

fn is_valid(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

/// The paths of errors as cloud-init tells them: an unknown key is told of the mapping that holds it.
fn error_paths(findings: &[Finding]) -> BTreeSet<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors
        .flat_map(|finding| {
            let above = finding.path.rsplit_once('.').map_or("", |(above, _)| above).to_owned();
            let whole = finding.path.clone();
            match finding.code {
                "unknown-key" if !above.is_empty() => vec![above],
                // Several unknown keys at the top are told of no path.
                "unknown-key" => vec![String::new(), whole],
                "duplicate-item" => vec![above],
                _ => vec![whole],
            }
        })
        .collect()
}

/// Whether we tell an error at the path or inside of it. Of a reporting handler cloud-init often tells
/// that its type is not that of any other handler; we tell what is wrong with it. Of a list that should
/// be a mapping, it tells what is wrong with the items, too.
fn is_told(path: &str, ours: &BTreeSet<String>) -> bool {
    let path = match path.strip_suffix(".type") {
        Some(handler) if path.starts_with("reporting.") => handler,
        _ if path.starts_with("chef.initial_attributes.") => "chef.initial_attributes",
        _ => path,
    };
    ours.iter()
        .any(|told| told.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The paths of `[path, message]` pairs, or of paths alone.
fn paths(list: &Json) -> BTreeSet<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let paths = list.iter().filter_map(|entry| entry.as_str().or_else(|| entry.get(0)?.as_str()));
    paths.map(|path| path.replace('\n', "\\n")).collect()
}

fn compare(file: &Path) -> Tally {
    let mut tally = Tally::default();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let (name, yaml) = (case["name"].as_str().unwrap(), case["yaml"].as_str().unwrap());
        let findings = findings(yaml);
        tally.cases += 1;
        let mut note = "";
        if is_valid(&findings) != case["valid"].as_bool().unwrap() {
            tally.verdicts_differ += 1;
            note = "verdict";
        } else {
            let (theirs, ours) = (paths(&case["errors"]), error_paths(&findings));
            tally.errors_equal += usize::from(theirs.is_subset(&ours));
            if !theirs.iter().all(|path| is_told(path, &ours)) {
                tally.errors_differ += 1;
                note = "error paths";
            }
            let warned = findings.iter().filter(|finding| finding.code == "deprecated");
            let warned: BTreeSet<String> = warned.map(|finding| finding.path.clone()).collect();
            // Cloud-init says nothing at all of what it overlooks.
            let complete = findings.iter().all(|finding| finding.code == "deprecated");
            if case.get("deprecations").is_some_and(|theirs| complete && paths(theirs) != warned) {
                tally.deprecations_differ += 1;
                note = "deprecations";
            }
        }
        if !note.is_empty() {
            let _ = writeln!(tally.report, "== {note}: {name}\n{yaml}\n  theirs: {}", case["errors"]);
            let _ = writeln!(tally.report, "  deprecated: {} {}", case["deprecations"], case["crash"]);
            for finding in &findings {
                let _ = writeln!(
                    tally.report,
                    "  ours: {:?} {} {}: {}",
                    finding.severity, finding.code, finding.path, finding.message
                );
            }
        }
    }
    tally
}

#[test]
fn golden() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/schema.jsonl");
    if !file.exists() {
        eprintln!("SKIPPED: no {}", file.display());
        return;
    }
    let tally = compare(&file);
    assert!(tally.cases >= 298, "{} cases", tally.cases);
    assert_eq!(tally.verdicts_differ, 0, "{}", tally.report);
    assert_eq!(tally.errors_equal, tally.cases, "{}", tally.report);
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[test]
fn our_own_texts() {
    let tally = compare(&data("schema.jsonl"));
    assert!(tally.cases >= 500, "{} cases", tally.cases);
    assert_eq!(
        tally.verdicts_differ + tally.errors_differ + tally.deprecations_differ,
        0,
        "{}",
        tally.report
    );
}

/// The verdict on a whole file is the schema's, but for what is listed as a difference of the verdict.
#[test]
fn whole_files() {
    let options = CheckOptions::default();
    for line in std::fs::read_to_string(data("schema.jsonl")).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let yaml = case["yaml"].as_str().unwrap();
        let report = check::check("user-data", format!("#cloud-config\n{yaml}").as_bytes(), &options);
        let listed =
            yaml.starts_with("coreos") || report.findings.iter().any(|found| found.code == "merge-how");
        let same = report.is_valid() == case["valid"].as_bool().unwrap();
        assert!(same || listed, "{yaml}{:#?}", report.findings);
    }
}

/// What is said about each of our own texts. `HARDTACK_BLESS=1` writes it anew.
#[test]
fn messages() {
    let mut said = String::new();
    for line in std::fs::read_to_string(data("schema.jsonl")).unwrap().lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let findings = findings(case["yaml"].as_str().unwrap());
        if findings.is_empty() {
            continue;
        }
        let _ = writeln!(said, "{}", case["yaml"].as_str().unwrap().trim_end());
        for finding in findings {
            let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
            let (line, column) = (finding.place.span.line, finding.place.span.column);
            let _ = writeln!(said, "    {severity}[{}] {line}:{column}: {}", finding.code, finding.message);
            if let Some(hint) = finding.hint {
                let _ = writeln!(said, "        hint: {hint}");
            }
        }
    }
    let file = data("schema_messages.txt");
    if std::env::var_os("HARDTACK_BLESS").is_some() {
        std::fs::write(&file, &said).unwrap();
    }
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    let changed = said.lines().zip(before.lines()).find(|(now, then)| now != then);
    assert!(said == before, "first line that changed: {changed:?}");
}

#[test]
fn differences_are_documented() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/user-data.md");
    let documented = std::fs::read_to_string(file).unwrap();
    for difference in schema::differences::DIFFERENCES {
        let row = [difference.what, difference.cloud_init, difference.here, difference.why].join(" | ");
        assert!(documented.contains(&format!("| {row} |")), "not in docs/user-data.md: {row}");
    }
}

/// A configuration of mappings in mappings and lists in lists, much of it, and all of it wrong.
#[test]
fn masses_of_errors_are_counted_not_told() {
    let many = |line: &str| {
        (0..5_000).fold(String::new(), |text, index| text + &line.replace("%", &index.to_string()))
    };
    for text in [
        many("key%: 5\n"),
        format!("packages:\n{}", many("- {apt: [[a, 5, {b: c}]]}\n")),
        format!("users:\n{}", many("- {name: %, groups: {a: b, type%: c}, sudo: [[], 5]}\n")),
        format!("apt:\n  sources:\n{}", many("    a%: {source: 5, keyring: x}\n")),
        format!("apt:\n  disable_suites:\n{}", many("  - same\n")),
        format!("reporting:\n{}", many("  a%: {type: webhook, endpoint: {}, more: x}\n")),
    ] {
        let findings = findings(&text);
        assert!(findings.len() <= 201, "{}", findings.len());
        let last = findings.last().unwrap();
        assert_eq!((last.code, last.severity), ("more", Severity::Error), "{}", last.message);
        assert!(findings.iter().all(|finding| finding.message.len() < 1000 && finding.path.len() < 1000));
    }
    // Warnings alone are no errors, however many.
    let findings = findings(&format!("users:\n{}", many("- {name: a, lock-passwd: true}\n")));
    assert!(findings.len() == 201 && is_valid(&findings), "{}", findings.len());
}

#[test]
fn long_keys_and_values_are_shown_in_part() {
    let long = "x".repeat(100_000);
    for text in [
        format!("? {long}\n: 5\n"),
        format!("users: [{{? {long} : 5}}]"),
        format!("growpart: {{mode: {long}}}"),
    ] {
        for finding in findings(&text) {
            assert!(finding.message.len() < 500 && finding.path.len() < 500, "{}", finding.message.len());
            assert!(finding.hint.unwrap_or_default().len() < 1000);
        }
    }
}

#[test]
fn secrets_are_not_told() {
    let secret = "987654321";
    for text in [
        "password: 987654321",
        "chpasswd: {list: [987654321]}",
        "chpasswd: {list: {root: 987654321}}",
        "chpasswd: {'root:987654321': null}",
        "chpasswd: {users: [{name: a, password: 987654321}]}",
        "users: [{name: a, passwd: 987654321, plain_text_passwd: 987654321, hashed_passwd: 987654321}]",
        "ssh_keys: {rsa_private: 987654321}",
        "ubuntu_pro: {token: 987654321}",
        "rh_subscription: {password: 987654321, activation_key: 987654321}",
        "landscape: {client: {registration_key: 987654321, account_name: a, computer_title: b}}",
        "lxd: {init: {trust_password: 987654321}}",
        "hostname: [$6$salt$987654321, x]",
        "growpart: {mode: $6$salt$987654321}",
        "apt: {primary: '-----BEGIN RSA PRIVATE KEY----- 987654321'}",
        "chef: {validation_cert: 987654321, encrypted_data_bag_secret: 987654321}",
        "reporting: {a: {type: webhook, endpoint: x, token_secret: 987654321, consumer_secret: 987654321}}",
        "wireguard: {interfaces: [{name: a, content: 987654321}]}",
        "salt_minion: {private_key: 987654321}",
        "random_seed: {data: 987654321}",
    ] {
        let findings = findings(text);
        assert!(!findings.is_empty(), "{text}");
        for finding in findings {
            let told = format!("{} {} {:?}", finding.path, finding.message, finding.hint);
            assert!(!told.contains(secret), "{text}: {told}");
        }
    }
}

#[test]
fn generated() {
    let Some(file) = std::env::var_os("HARDTACK_SCHEMA_CASES") else {
        eprintln!("SKIPPED: HARDTACK_SCHEMA_CASES names no file of cases");
        return;
    };
    let tally = compare(Path::new(&file));
    eprintln!(
        "{} cases, {} verdicts differ, {} error paths ({} the same), {} deprecations",
        tally.cases,
        tally.verdicts_differ,
        tally.errors_differ,
        tally.errors_equal,
        tally.deprecations_differ
    );
    assert_eq!(
        tally.verdicts_differ + tally.errors_differ + tally.deprecations_differ,
        0,
        "{}",
        tally.report
    );
}
