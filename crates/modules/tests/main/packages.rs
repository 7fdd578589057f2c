//! Packages and repositories against what cloud-init runs and writes.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Facts, packages, yum_repos};
use hardtack_userdata::Severity;
use serde_json::{Value as Json, json};

use crate::cases::{all, own, run, same};

fn machine(case: &Json) -> Tree {
    let mut machine =
        Tree::new().with("/etc/os-release", format!("ID={}\n", case["distro"].as_str().unwrap()));
    for program in case["programs"].as_array().into_iter().flatten() {
        machine = machine.with(&format!("/usr/bin/{}", program.as_str().unwrap()), "");
    }
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        machine = machine.with(path, text.as_str().unwrap());
    }
    machine
}

fn check_packages(case: &Json) -> Result<(), String> {
    let machine = machine(case);
    let yaml = case["cloud_config"].as_str().unwrap();
    let outcome = run(&packages::MODULE, yaml, &machine, &Facts::default());
    let failed = outcome.findings.iter().any(|finding| finding.severity == Severity::Error);
    let done: Vec<Json> = outcome
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Run { argv, .. } => Some(json!(argv)),
            Action::Live { what: "snap-refresh", .. } => Some(json!(["snap", "refresh"])),
            _ => None,
        })
        .collect();
    same(&json!(done), &case["done"])?;
    same(&failed, &case["failed"].as_bool().unwrap())
}

#[test]
fn what_is_run_for_packages() {
    all(&own("packages"), check_packages);
}

#[test]
fn what_is_written_for_yum() {
    all(&own("yum_repos"), |case| {
        let facts = Facts { now: Some(12), ..Facts::default() };
        let outcome = run(&yum_repos::MODULE, case["cloud_config"].as_str().unwrap(), &machine(case), &facts);
        let failed = outcome.findings.iter().any(|finding| finding.severity == Severity::Error);
        same(&failed, &case["failed"].as_bool().unwrap())?;
        let written: Vec<Json> = outcome
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Write { path, content, .. } => {
                    Some(json!(["write", path, String::from_utf8_lossy(&content.bytes)]))
                }
                _ => None,
            })
            .collect();
        same(&json!(written), &case["done"])
    });
}

#[test]
fn a_reboot_waits_for_the_machine_to_ask_for_it() {
    let machine = Tree::debian();
    let yaml = "{packages: [a], package_reboot_if_required: true}";
    let outcome = run(&packages::MODULE, yaml, &machine, &Facts::default());
    assert!(matches!(outcome.actions.last(), Some(Action::Live { what: "reboot-if-required", .. })));
    let yaml = "{package_update: true, package_reboot_if_required: true}";
    let outcome = run(&packages::MODULE, yaml, &machine, &Facts::default());
    assert_eq!(outcome.actions.len(), 1);
}
