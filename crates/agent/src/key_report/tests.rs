#![allow(clippy::unwrap_used)]

use hardtack_modules::Facts;
use hardtack_modules::testing::Tree;
use hardtack_userdata::merge::merge_parts;
use hardtack_userdata::split::{SplitOptions, split};

use super::*;
use crate::record::ModuleRecord;

fn configuration(text: &str) -> Configuration {
    let user = split("user-data", text.as_bytes(), &SplitOptions::default());
    let user_config = merge_parts(&user.parts);
    let effective = user_config.config.clone();
    Configuration { user, user_config, vendor_parts: Vec::new(), vendor_files: Vec::new(), effective }
}

fn made(text: &str, modules: &[(&str, &str, u64)], commands: Vec<CommandRecord>) -> Record {
    let configuration = configuration(text);
    let machine = Tree::debian();
    let distro = Distro::read(&machine);
    let schedule = Schedule::new(&configuration.effective, &machine, &distro, &Facts::default());
    let modules = modules.iter().map(|(module, error, milliseconds)| ModuleRecord {
        module: (*module).to_owned(),
        state: if error.is_empty() { "done" } else { "failed" }.to_owned(),
        errors: if error.is_empty() { Vec::new() } else { vec![(*error).to_owned()] },
        milliseconds: *milliseconds,
        ..ModuleRecord::default()
    });
    let mut record = Record { modules: modules.collect(), commands, ..Record::default() };
    update(&mut record, &configuration, &schedule, &distro);
    record
}

fn command(name: &str, status: Option<i32>, note: Option<&str>) -> CommandRecord {
    CommandRecord { name: name.to_owned(), status, note: note.map(str::to_owned), ..CommandRecord::default() }
}

#[test]
fn every_key_has_a_state_and_a_place() {
    let text = "#cloud-config\ntimezone: UTC\nntp: {}\nlandscape: {}\nnonsense: 1\nruncmd: [a, b, c]\n\
                write_files: []\npassword: hunter2\n";
    let record = made(
        text,
        &[
            ("timezone", "", 5),
            ("ntp", "", 1),
            ("runcmd", "", 2),
            ("write_files", "", 1),
            ("set_passwords", "chpasswd: hunter2 is refused", 7),
            ("users_groups", "", 1),
        ],
        vec![command("runcmd[0]", Some(0), None), command("runcmd[2]", Some(3), None)],
    );
    let shown: Vec<_> = record
        .keys
        .iter()
        .map(|key| (key.key.as_str(), key.state.as_str(), key.file.as_str(), key.line))
        .collect();
    assert_eq!(
        shown,
        [
            ("timezone", "applied", "user-data", 2),
            ("ntp", "applied", "user-data", 3),
            ("landscape", "unsupported", "user-data", 4),
            ("nonsense", "ignored", "user-data", 5),
            ("runcmd", "failed", "user-data", 6),
            // Its deferred half is still to come.
            ("write_files", "waiting", "user-data", 7),
            ("password", "failed", "user-data", 8),
        ]
    );
    let by_name = |name: &str| record.keys.iter().find(|key| key.key == name).unwrap();
    assert_eq!(by_name("timezone").milliseconds, 5);
    assert_eq!(by_name("runcmd").reason.as_deref(), Some("runcmd[2] exited with status 3"));
    let reason = by_name("password").reason.clone().unwrap();
    assert!(reason.starts_with("set_passwords fails: chpasswd: "), "{reason}");
    assert!(!serde_json::to_string(&record.keys).unwrap().contains("hunter2"));
}

#[test]
fn the_operators_secret_is_in_no_reason_and_in_no_output() {
    let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEH";
    let text = format!("#cloud-config\nruncmd: [echo]\nhardtack: {{totp: {{debian: {secret}}}}}\n");
    let mut echo = command("runcmd[0]", Some(3), None);
    echo.tail = format!("said {secret}\n");
    let record = made(&text, &[("hardtack_totp", "", 1), ("runcmd", "", 1)], vec![echo]);
    let states: Vec<_> = record.keys.iter().map(|key| (key.key.as_str(), key.state.as_str())).collect();
    assert_eq!(states, [("runcmd", "failed"), ("hardtack", "applied")]);
    assert_eq!(record.commands[0].tail, "said <redacted>\n");
    assert!(!serde_json::to_string(&record).unwrap().contains(secret));
    let foreign = made(&text, &[("hardtack_totp", &format!("{secret} is refused"), 1)], Vec::new());
    assert!(!serde_json::to_string(&foreign.keys).unwrap().contains(secret));
}

#[test]
fn what_is_warned_of_is_not_silently_applied() {
    let configuration = configuration("#cloud-config\nmounts: x\nssh_authorized_keys: 8\nhostname: a\n");
    let machine = Tree::debian();
    let distro = Distro::read(&machine);
    let schedule = Schedule::new(&configuration.effective, &machine, &distro, &Facts::default());
    let mut record = Record::default();
    for key in keys_of(&configuration.user_config.config, &schedule, &distro, &[]) {
        for name in key.modules.into_iter().filter(|name| !name.contains("fingerprints")) {
            let (warned, warnings, actions) = match key.key.as_str() {
                "mounts" => (vec!["mounts".to_owned()], vec!["nothing is mounted".to_owned()], 0),
                "ssh_authorized_keys" => (vec![key.key.clone()], vec!["no keys".to_owned()], 3),
                _ => (Vec::new(), Vec::new(), 1),
            };
            let state = if key.key == "hostname" { "ran before" } else { "done" }.to_owned();
            let module =
                ModuleRecord { module: name, state, warned, warnings, actions, ..Default::default() };
            record.modules.push(module);
        }
    }
    update(&mut record, &configuration, &schedule, &distro);
    let told: Vec<_> =
        record.keys.iter().map(|key| (key.key.as_str(), key.state.as_str(), key.reason.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("mounts", "ignored", Some("nothing is mounted")),
            ("ssh_authorized_keys", "applied", Some("no keys")),
            ("hostname", "applied", Some(EARLIER)),
        ]
    );
    let summary = summary(&record).unwrap();
    assert!(summary.contains("  ignored: mounts (user-data:2): nothing is mounted\n"), "{summary}");
    assert!(summary.contains("  warning: ssh_authorized_keys (user-data:3): no keys\n"), "{summary}");
    assert!(!summary.contains(EARLIER), "{summary}");
}

#[test]
fn what_actions_warn_of_is_told_once_for_all_keys_of_the_module() {
    let configuration = configuration("#cloud-config\ndisk_setup: {}\nfs_setup: []\n");
    let machine = Tree::debian();
    let distro = Distro::read(&machine);
    let schedule = Schedule::new(&configuration.effective, &machine, &distro, &Facts::default());
    let module = ModuleRecord {
        module: "disk_setup".to_owned(),
        actions: 1,
        warnings: vec!["/dev/x does not exist".to_owned()],
        warned: vec![ALL.to_owned()],
        ..ModuleRecord::default()
    };
    let mut record = Record { modules: vec![module], ..Record::default() };
    update(&mut record, &configuration, &schedule, &distro);
    assert!(
        record.keys.iter().all(|key| key.reason.as_deref() == Some("/dev/x does not exist")),
        "{record:#?}"
    );
    assert_eq!(summary(&record).unwrap().matches("/dev/x").count(), 1);
}

#[test]
fn a_key_of_user_data_that_fails_as_a_whole_does_not_wait() {
    let text = "Content-Type: multipart/mixed; boundary=X\nMIME-Version: 1.0\n\n\
                --X\nContent-Type: text/cloud-config\n\n#cloud-config\ntimezone: UTC\n\
                --X\nContent-Type: text/cloud-config-archive\n\n#cloud-config-archive\n- {content: [1]}\n--X--\n";
    let record = made(text, &[], Vec::new());
    assert_eq!((record.keys[0].state.as_str(), record.keys[0].reason.as_deref()), ("failed", Some(WHOLE)));
}

#[test]
fn what_a_template_does_not_get_is_told() {
    let text = "## template: jinja\n#!/bin/sh\necho {{ nothing }}\n";
    let user = split(
        "user-data",
        text.as_bytes(),
        &SplitOptions { instance_data: Some(&serde_json::json!({"v1": {}})), ..Default::default() },
    );
    let user_config = merge_parts(&user.parts);
    let configuration = Configuration { user, user_config, ..configuration("") };
    let found = warnings(&configuration, &Redactor::new(&[]));
    assert_eq!((found.len(), found[0].line), (1, 2), "{found:#?}");
}

#[test]
fn a_long_line_goes_on_where_there_is_room() {
    let script = format!("{INSTANCE}scripts/part-001");
    let note = format!("{script} cannot be run: Exec format error (os error 8)");
    let mut record = Record { commands: vec![command(&script, None, Some(&note))], ..Record::default() };
    let first = "hardtack: user-data: no configuration, 1 program\n  scripts/part-001 cannot be run: ";
    let told = summary(&record).unwrap();
    assert!(told.starts_with(first), "{told}");
    record.commands.push(command(&script, Some(3), Some(&"word ".repeat(20))));
    let told = summary(&record).unwrap();
    assert!(told.contains("\n    word"), "{told}");
    assert!(told.lines().all(|line| line.len() <= COLUMNS), "{told}");
}

#[test]
fn parts_that_nobody_applies_are_told() {
    let text = "Content-Type: multipart/mixed; boundary=X\nMIME-Version: 1.0\n\n\
                --X\nContent-Type: text/part-handler\n\n#part-handler\ndef f(): pass\n\
                --X\nContent-Type: text/x-odd\n\nodd\n\
                --X\nContent-Type: text/jinja2\n\n## template: jinja\n#cloud-config\na: {{ v1.region }}\n\
                --X\nContent-Type: text/cloud-config\n\n#cloud-config\na: [\n\
                --X\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--X--\n";
    let record = made(text, &[], Vec::new());
    assert_eq!(record.parts.len(), 4, "{:#?}", record.parts);
    assert!(record.parts.iter().all(|part| part.line > 0 && !part.name.is_empty()), "{:#?}", record.parts);
}

#[test]
fn the_summary_fits_a_serial_console() {
    let mut text = "#cloud-config\ntimezone: UTC\n".to_owned();
    for number in 0..30 {
        text.push_str(&format!("\"key{number}-\u{e4}\u{1b}[2J{}\": 1\n", "x".repeat(90)));
    }
    let record = made(&text.replace('\u{1b}', "\\e"), &[("timezone", "", 1)], Vec::new());
    let summary = summary(&record).unwrap();
    assert_eq!(summary.lines().count(), LINES, "{summary}");
    assert!(
        summary.lines().all(|line| line.len() <= COLUMNS && line.bytes().all(|b| (32..127).contains(&b)))
    );
    assert!(summary.starts_with("hardtack: user-data: 1 key applied, 30 ignored\n"), "{summary}");
    assert!(summary.contains("  and 21 more\n"), "{summary}");
    assert!(summary.ends_with("  everything: /run/hardtack/report.json\n"), "{summary}");
}

#[test]
fn the_summary_says_what_failed_and_where() {
    let record = made(
        "#cloud-config\nruncmd: [a, b]\nlandscape: {}\n",
        &[("runcmd", "", 1)],
        vec![command("runcmd[0]", Some(0), None), command("runcmd[1]", None, Some("killed by signal 9"))],
    );
    let wanted = "hardtack: user-data: 0 keys applied, 1 failed, 1 unsupported\n\
                  \x20 runcmd[1]: killed by signal 9; output in /var/log/cloud-init-output.log\n\
                  \x20 unsupported: landscape (user-data:3): install landscape-client with\n\
                  \x20   `packages` and call landscape-config from `runcmd`\n\
                  \x20 everything: /run/hardtack/report.json\n";
    assert_eq!(summary(&record).unwrap(), wanted);
    assert_eq!(summary(&Record::default()), None);
}
