//! SARIF 2.1.0, within what GitHub takes of it (builders of other tools are less strict).
//!
//! Only what failed is a result: GitHub opens an alert for each, and closes those that are gone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::visible::{one_line, visible};
use crate::{Control, Outcome, Place, Verdict};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The name of the root of the guest's files.
const ROOT: &str = "GUEST";
/// GitHub's limits for one run, and for the places of one result.
const MOST_RESULTS: usize = 25_000;
const MOST_PLACES: usize = 100;
/// GitHub shows so much of a message.
const LONGEST: usize = 1000;

pub(crate) fn render(verdict: &Verdict) -> String {
    let failed: Vec<&Control> =
        verdict.controls.iter().filter(|control| control.outcome == Outcome::Fail).collect();
    // What failed comes first: it is what rules are needed for.
    let others = verdict.controls.iter().filter(|control| control.outcome != Outcome::Fail);
    let ruled: Vec<&Control> = failed.iter().copied().chain(others).take(MOST_RESULTS).collect();
    let rules: Vec<Value> = ruled.iter().map(|control| rule(control)).collect();
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = failed
        .iter()
        .take(MOST_RESULTS)
        .enumerate()
        .map(|(index, control)| result(index, control, verdict, &mut seen))
        .collect();
    let mut notes: Vec<Value> = verdict
        .notes
        .iter()
        .map(|note| json!({"level": "note", "message": {"text": message(note)}}))
        .collect();
    if failed.len() > MOST_RESULTS {
        let text = format!("{} more failed and are not told here", failed.len() - MOST_RESULTS);
        notes.push(json!({"level": "warning", "message": {"text": text}}));
    }
    let counts = verdict.counts();
    let run = json!({
        "tool": {"driver": {
            "name": "hardtack",
            "semanticVersion": verdict.version,
            "rules": rules,
        }},
        "automationDetails": {"id": format!("hardtack/{}/", one_line(&verdict.against))},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the guest's files."}}},
        "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
        "results": results,
        "properties": {
            "image": visible(&verdict.image),
            "against": visible(&verdict.against),
            "pass": counts.pass,
            "fail": counts.fail,
            "notApplicable": counts.not_applicable,
            "exception": counts.exception,
            "firstBoot": counts.first_boot,
        },
    });
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}).to_string() + "\n"
}

fn rule(control: &Control) -> Value {
    let help = if control.help.is_empty() { &control.title } else { &control.help };
    json!({
        "id": one_line(&control.id),
        "shortDescription": {"text": message(&control.title)},
        "fullDescription": {"text": message(&control.title)},
        "help": {"text": message(help)},
        "defaultConfiguration": {"level": "error"},
    })
}

fn result(index: usize, control: &Control, verdict: &Verdict, seen: &mut BTreeMap<String, usize>) -> Value {
    let mut locations: Vec<Value> = control.places.iter().take(MOST_PLACES).map(location).collect();
    if locations.is_empty() {
        // GitHub takes no result without a place: it is the recipe's, then.
        locations.push(json!({"physicalLocation": {
            "artifactLocation": {"uri": uri(&verdict.against)},
            "region": {"startLine": 1},
        }}));
    }
    let mut fingerprints = Map::new();
    fingerprints.insert("hardtackControl/v1".to_owned(), fingerprint(control, seen).into());
    let why = if control.why.is_empty() { &control.title } else { &control.why };
    json!({
        "ruleId": one_line(&control.id),
        "ruleIndex": index,
        "kind": "fail",
        "level": "error",
        "message": {"text": message(why)},
        "locations": locations,
        "partialFingerprints": fingerprints,
    })
}

fn location(place: &Place) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(place.path.trim_start_matches('/')), "uriBaseId": ROOT},
        // GitHub takes no place without a line.
        "region": {"startLine": place.line.unwrap_or(1)},
    }})
}

/// The same for what is about the same, also when other entries of the recipe moved it: neither the
/// number in the id counts nor what exactly is wrong.
fn fingerprint(control: &Control, seen: &mut BTreeMap<String, usize>) -> String {
    let (step, rest) = control.id.split_once('/').unwrap_or((&control.id, ""));
    let rest = rest.trim_start_matches(|character: char| character.is_ascii_digit());
    let base = format!("{step}\0{rest}\0{}", control.title);
    let count = seen.entry(base.clone()).or_insert(0);
    *count += 1;
    let digest = Sha256::digest(format!("{base}\0{count}").as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A message: braces and brackets mean something in SARIF (3.11.5, 3.11.6).
fn message(text: &str) -> String {
    let shown = visible(text);
    let short: String = match shown.chars().count() > LONGEST {
        true => shown.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => shown,
    };
    let mut out = String::with_capacity(short.len());
    for character in short.chars() {
        match character {
            '{' => out.push_str("{{"),
            '}' => out.push_str("}}"),
            '[' | ']' | '\\' => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    // A message says something.
    if out.trim().is_empty() { "(no text)".to_owned() } else { out }
}

/// A path as a relative reference (RFC 3986): what is not unreserved is written in hexadecimal.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    if uri.is_empty() { ".".to_owned() } else { uri }
}
