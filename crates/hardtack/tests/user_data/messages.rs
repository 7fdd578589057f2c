//! What people read when something is wrong: one file for each case in `cases`, what is said about it in
//! `messages`. `UPDATE_MESSAGES=1` writes them anew; read the difference before it is committed.

use crate::{Ran, check, files, name, run_in, top};

fn folder() -> std::path::PathBuf {
    top().join("crates/hardtack/tests/user_data")
}

/// The part before, so that all cases are seen when one differs.
fn compare(name: &str, ran: &Ran) -> Option<String> {
    let path = folder().join("messages").join(format!("{name}.txt"));
    let now = format!("exit code {}\n{}{}", ran.code, ran.out, ran.err);
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        std::fs::write(path, now).unwrap();
        return None;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    (wanted != now).then(|| format!("{name}: wanted\n{wanted}\nfound\n{now}"))
}

#[test]
fn every_mistake_is_told_as_before() {
    let mut differences = Vec::new();
    for case in files(&folder().join("cases")) {
        let ran = run_in(&folder().join("cases"), &["check", name(&case)], b"");
        assert!(ran.code == 0 || ran.code == 1, "{}: {}", case.display(), ran.err);
        assert!(
            !ran.out.contains("CANARY") && !ran.err.contains("CANARY"),
            "{}: {}",
            case.display(),
            ran.out
        );
        differences.extend(compare(name(&case), &ran));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn no_message_is_without_a_case() {
    for message in files(&folder().join("messages")) {
        let case = name(&message).strip_suffix(".txt").unwrap();
        assert!(folder().join("cases").join(case).is_file(), "{case}");
    }
}

#[test]
fn a_place_is_a_place_in_the_file() {
    // Line and column count from the file's begin, in the parts of a multi-part message too.
    let ran = run_in(&folder().join("cases"), &["check", "multi-part", "--json"], b"");
    let json = ran.json();
    let finding = &json["files"][0]["findings"][0];
    assert_eq!(finding["file"], "multi-part");
    assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(8), Some(11)), "{finding}");
}

#[test]
fn warnings_fail_when_that_is_asked_for() {
    let text = "#cloud-config\napt_update: true\n";
    let (plain, strict) = (check(text, &[]), check(text, &["--strict"]));
    assert_eq!((plain.code, strict.code), (0, 1), "{}", plain.out);
    assert!(plain.out.ends_with("0 errors, 1 warning\n"), "{}", plain.out);
    let json = check(text, &["--strict", "--json"]).json();
    assert_eq!(json["files"][0]["valid"], false);
    assert_eq!(check("#cloud-config\nhostname: web\n", &["--strict"]).code, 0);
}

#[test]
fn several_files_have_one_verdict() {
    let cases = folder().join("cases");
    let good = top().join("cloud-config/launch.yaml");
    let ran = run_in(&cases, &["check", "unknown-key.yaml", good.to_str().unwrap()], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("--> unknown-key.yaml:2:1"), "{}", ran.out);
    assert!(ran.out.contains("launch.yaml: text/cloud-config, no mistakes found\n"), "{}", ran.out);
    assert!(ran.out.trim_end().ends_with("in 2 files"), "{}", ran.out);
}

#[test]
fn wrong_usage_and_missing_files_have_their_codes() {
    let here = top();
    assert_eq!(run_in(&here, &["check"], b"").code, 2);
    assert_eq!(run_in(&here, &["check", "-", "-"], b"").code, 2);
    assert_eq!(run_in(&here, &["nonsense"], b"").code, 2);
    let missing = run_in(&here, &["check", "no such file"], b"");
    assert_eq!(missing.code, 4);
    assert!(missing.err.contains("no such file: cannot read the user-data"), "{}", missing.err);
    assert_eq!(run_in(&here, &["check", "-", "--image", "no such file"], b"#!/bin/sh\n").code, 4);
    for verb in ["check", "show", "plan", "pack", "totp"] {
        let help = run_in(&here, &[verb, "--help"], b"");
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Examples:\n  hardtack user-data"), "{}", help.out);
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other() {
    let cases = folder().join("cases");
    let ran = run_in(&cases, &["check", "none", "deprecated.yaml", "octal-uid.yaml", "neither"], b"");
    assert_eq!(ran.code, 4);
    assert!(ran.out.contains("deprecated.yaml") && ran.out.contains("octal-uid.yaml"), "{}", ran.out);
    assert!(ran.err.contains("none") && ran.err.contains("neither"), "{}", ran.err);
    let ran = run_in(&cases, &["check", "--json", "deprecated.yaml", "none"], b"");
    assert_eq!((ran.code, ran.json()["files"].as_array().map(Vec::len)), (4, Some(1)), "{}", ran.err);
}
