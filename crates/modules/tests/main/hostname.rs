//! The machine's name against what cloud-init finds.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Facts, etc_hosts, hostname};
use serde_json::Value as Json;

use crate::cases::{all, config, golden, own, run, same};

fn names(case: &Json) -> Result<(), String> {
    let yaml = case["cloud_config"].as_str().unwrap();
    let facts = Facts {
        local_hostname: case["metadata"]["local-hostname"].as_str().map(str::to_owned),
        ..Facts::default()
    };
    let mut machine = Tree::debian();
    if let Some(name) = case["hostname"].as_str() {
        machine = machine.with("/proc/sys/kernel/hostname", name);
    }
    if let Some(hosts) = case["hosts"].as_str() {
        machine = machine.with("/etc/hosts", hosts);
    }
    match (hostname::names(&config(yaml), &facts, &machine), case.get("ok")) {
        (Ok(names), Some(ok)) => {
            let ours = serde_json::json!([names.hostname, names.fqdn, names.is_default]);
            same(&ours, ok)
        }
        (Err(_), None) => Ok(()),
        (ours, _) => Err(format!("{ours:?}")),
    }
}

#[test]
fn golden_names() {
    all(&golden("hostname"), names);
}

#[test]
fn more_names() {
    all(&own("hostname_more"), names);
}

/// Files and commands of both modules, as `[kind, …]`.
fn done(actions: &[Action]) -> Json {
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Write { path, content, .. } => {
                Some(serde_json::json!(["write", path, String::from_utf8_lossy(&content.bytes)]))
            }
            Action::Run { argv, .. } => Some(serde_json::json!(["run", argv])),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_done() {
    all(&own("hostname_apply"), |case| {
        let mut machine = Tree::new()
            .with("/etc/os-release", format!("ID={}\n", case["distro"].as_str().unwrap()))
            .with("/usr/bin/systemctl", "");
        for (path, text) in case["files"].as_object().unwrap() {
            machine = machine.with(path, text.as_str().unwrap());
        }
        let facts = Facts {
            local_hostname: case["metadata"]["local-hostname"].as_str().map(str::to_owned),
            now: Some(12),
            ..Facts::default()
        };
        let module = match case["module"].as_str().unwrap() {
            "set_hostname" => hostname::SET,
            "update_hostname" => hostname::UPDATE,
            _ => etc_hosts::MODULE,
        };
        let outcome = run(&module, case["cloud_config"].as_str().unwrap(), &machine, &facts);
        same(&done(&outcome.actions), &case["done"])
    });
}
