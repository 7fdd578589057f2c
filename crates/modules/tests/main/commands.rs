//! `runcmd`, `bootcmd` and scripts against cloud-init's.

use hardtack_modules::commands::{self, shellify};
use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Distro, Facts, Outcome, Request, scripts};
use hardtack_userdata::{Key, Origin, Part, PartKind};
use serde_json::{Value as Json, json};

use crate::cases::{all, config, golden, own, same};
use crate::events::event;

fn script(case: &Json) -> Result<(), String> {
    let value = config(&format!("c: {}", case["yaml"].as_str().unwrap())).shift_remove(&Key::text("c"));
    let value = match value {
        Some(value) => value,
        // A block under the key.
        None => return Err("no value".to_owned()),
    };
    match shellify(&value, "runcmd") {
        Ok(script) => same(&json!(script), &case["ok"]),
        Err(_) => same(&case["error"].is_string(), &true),
    }
}

#[test]
fn commands_become_scripts() {
    let mut cases = golden("shellify");
    for case in &mut cases {
        let yaml = case["yaml"].as_str().unwrap();
        if yaml.contains('\n') {
            case["yaml"] = json!(format!("\n{yaml}"));
        }
    }
    all(&cases, script);
    all(&own("shellify_more"), script);
}

fn with<'a>(yaml: &str, parts: &[Part], tree: &'a Tree, run: fn(&Request<'_>) -> Outcome) -> Outcome {
    let config = config(yaml);
    let facts = Facts { instance_id: Some("i-1".to_owned()), ..Facts::default() };
    let distro = Distro::read(tree);
    run(&Request { config: &config, parts, machine: tree, distro: &distro, facts: &facts })
}

#[test]
fn runcmd_is_written_and_bootcmd_runs() {
    let tree = Tree::debian();
    let yaml = "runcmd: [a]\nbootcmd: [[b, c]]";
    let Outcome { actions, .. } = with(yaml, &[], &tree, commands::runcmd);
    let [Action::Write { path, content, mode, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((path.as_str(), *mode), ("/var/lib/cloud/instance/scripts/runcmd", Some(0o700)));
    assert_eq!(content.bytes, b"#!/bin/sh\na\n");
    let Outcome { actions, .. } = with(yaml, &[], &tree, commands::bootcmd);
    let [Action::Write { content, .. }, Action::Run { environment, .. }, Action::Remove { .. }] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(content.bytes, b"#!/bin/sh\n'b' 'c'\n");
    assert_eq!(environment, &[("INSTANCE_ID".to_owned(), "i-1".to_owned())]);
}

#[test]
fn a_mapping_among_commands_stops_all() {
    let outcome = with("runcmd: [echo ok, {echo foo: bar}]", &[], &Tree::debian(), commands::runcmd);
    assert!(outcome.actions.is_empty());
    let finding = outcome.findings.first().unwrap();
    assert_eq!(finding.path, "runcmd.1");
    assert!(finding.message.contains("`echo foo: …`"), "{}", finding.message);
    assert!(finding.hint.as_ref().unwrap().contains("quotes"));
}

fn part(kind: PartKind, filename: &str, payload: &[u8]) -> Part {
    Part {
        kind,
        content_type: "text/x-shellscript".to_owned(),
        filename: filename.to_owned(),
        launch_index: None,
        merge_type: None,
        payload: payload.to_vec(),
        origin: Origin::default(),
    }
}

#[test]
fn scripts_are_kept_and_run_by_name() {
    let parts = [
        part(PartKind::Script, "part-001", b"#!/bin/sh\r\nx\r\n"),
        part(PartKind::Script, "../../etc/x y", b"#!/bin/sh\n"),
        part(PartKind::Boothook, "hook", b"#cloud-boothook\n\n#!/bin/sh\necho\n"),
        part(PartKind::ScriptPerBoot, "dir/boot.sh", b"#!/bin/sh\n"),
        part(PartKind::CloudConfig, "config", b"a: b"),
    ];
    let tree = Tree::debian();
    let outcome = with("{}", &parts, &tree, scripts::consume);
    let seen: Vec<(String, String)> = outcome
        .actions
        .iter()
        .map(|action| match action {
            Action::Write { path, content, mode: Some(0o700), .. } => {
                (path.clone(), String::from_utf8(content.bytes.clone()).unwrap())
            }
            Action::Run { argv, optional: true, .. } => (argv.join(" "), "runs".to_owned()),
            other => panic!("{other:?}"),
        })
        .collect();
    let instance = "/var/lib/cloud/instance";
    let expected = [
        (format!("{instance}/scripts/part-001"), "#!/bin/sh\nx\n"),
        (format!("{instance}/scripts/.._.._etc_xy"), "#!/bin/sh\n"),
        (format!("{instance}/boothooks/hook"), "#!/bin/sh\necho\n"),
        (format!("{instance}/boothooks/hook"), "runs"),
        ("/var/lib/cloud/scripts/per-boot/boot.sh".to_owned(), "#!/bin/sh\n"),
    ];
    assert_eq!(seen, expected.map(|(path, text)| (path, text.to_owned())));
    let outcome = with("runcmd: [a]", &parts, &tree, scripts::user);
    assert_eq!(outcome.notes, ["in this order: .._.._etc_xy, part-001, runcmd"]);
    assert!(with("runcmd: [{a: b}]", &[], &tree, scripts::user).actions.is_empty());
}

#[test]
fn scripts_are_written_as_by_the_handlers() {
    all(&own("scripts"), |case| {
        let (kind, directory) = match case["kind"].as_str().unwrap() {
            "script" => (PartKind::Script, "/var/lib/cloud/instance/scripts/"),
            "boothook" => (PartKind::Boothook, "/var/lib/cloud/instance/boothooks/"),
            "per-boot" => (PartKind::ScriptPerBoot, "/var/lib/cloud/scripts/per-boot/"),
            "per-instance" => (PartKind::ScriptPerInstance, "/var/lib/cloud/scripts/per-instance/"),
            _ => (PartKind::ScriptPerOnce, "/var/lib/cloud/scripts/per-once/"),
        };
        let payload = case["payload"].as_str().unwrap().as_bytes();
        let part = part(kind, case["filename"].as_str().unwrap(), payload);
        let outcome = with("{}", &[part], &Tree::debian(), scripts::consume);
        let written = case["done"][0][1].as_str().unwrap();
        if matches!(written.strip_prefix(directory), Some("" | "." | "..")) {
            // Opening a directory for writing fails, which cloud-init writes into its log.
            return same(&(outcome.actions.len(), outcome.findings.len()), &(0, 1));
        }
        same(&Json::Array(outcome.actions.iter().map(event).collect()), &case["done"])
    });
}

#[test]
fn vendor_scripts_have_a_prefix() {
    let tree = Tree::debian().with("/var/lib/cloud/instance/scripts/vendor/a", "");
    let outcome = with("vendor_data: {prefix: [nice, -n5]}", &[], &tree, scripts::vendor);
    let [Action::Live { what: "run-parts", details }] = outcome.actions.as_slice() else {
        panic!("{:?}", outcome.actions)
    };
    let words: Vec<&str> = details.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(words, ["/var/lib/cloud/instance/scripts/vendor", "nice", "-n5"]);
    assert!(!with("vendor_data: {prefix: 5}", &[], &tree, scripts::vendor).findings.is_empty());
}
