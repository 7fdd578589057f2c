//! apt against what cloud-init writes.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Facts, apt};
use hardtack_userdata::Severity;
use serde_json::{Value as Json, json};

use crate::cases::{all, own, run, same};

fn done(actions: &[Action]) -> Vec<Json> {
    actions
        .iter()
        .filter_map(|action| match action {
            // The real program leaves the armour to gpg.
            Action::Write { path, .. } if path.ends_with(".gpg") => Some(json!(["write", path, "KEY"])),
            Action::Write { path, content, .. } => {
                Some(json!(["write", path, String::from_utf8_lossy(&content.bytes)]))
            }
            Action::Append { path, content, .. } => {
                Some(json!(["append", path, String::from_utf8_lossy(&content.bytes)]))
            }
            Action::Run { argv, .. } => Some(json!(["run", argv])),
            Action::Remove { path } => Some(json!(["remove", path])),
            _ => None,
        })
        .collect()
}

#[test]
fn what_apt_is_told() {
    all(&own("apt"), |case| {
        let mut machine = Tree::debian();
        for name in ["gpg", "apt-get"] {
            machine = machine.with(&format!("/usr/bin/{name}"), "");
        }
        for (path, text) in case["files"].as_object().unwrap() {
            machine = machine.with(path, text.as_str().unwrap());
        }
        let yaml = case["cloud_config"].as_str().unwrap();
        let outcome = run(&apt::MODULE, yaml, &machine, &Facts::default());
        let failed = outcome.findings.iter().any(|finding| finding.severity == Severity::Error);
        same(&failed, &case["failed"].as_bool().unwrap())?;
        // What is done before a failure is not compared: mistakes are found earlier here.
        if failed { Ok(()) } else { same(&json!(done(&outcome.actions)), &case["done"]) }
    });
}

#[test]
fn suites_are_switched_off() {
    all(&own("disable_suites"), |case| {
        let suites: Vec<String> = case["suites"]
            .as_array()
            .unwrap()
            .iter()
            .map(|suite| suite.as_str().unwrap().to_owned())
            .collect();
        let ours = apt::disable_suites(&suites, case["text"].as_str().unwrap(), "bookworm");
        same(&ours.as_deref(), &case["ok"].as_str())
    });
}

#[test]
fn a_key_of_a_server_is_fetched_on_the_machine() {
    let yaml = "apt: {preserve_sources_list: true, sources: {a: {keyid: ABCD, source: 'deb [signed-by=$KEY_FILE] x'}}}";
    let outcome = run(&apt::MODULE, yaml, &Tree::debian(), &Facts::default());
    assert!(outcome.actions.iter().any(|action| matches!(action, Action::Live { what: "apt-key", .. })));
    let install = outcome.actions.iter().any(|action| {
        matches!(action, Action::Run { argv, .. } if argv.ends_with(&["install".to_owned(), "gnupg".to_owned()]))
    });
    assert!(install, "gnupg is installed where it is missing");
    let list = outcome.actions.iter().find_map(|action| match action {
        Action::Append { content, .. } => Some(String::from_utf8_lossy(&content.bytes).into_owned()),
        _ => None,
    });
    assert_eq!(list.as_deref(), Some("deb [signed-by=/etc/apt/cloud-init.gpg.d/a.gpg] x\n"));
}
