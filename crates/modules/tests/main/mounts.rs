//! `/etc/fstab` and swap against what cloud-init writes.

use std::collections::BTreeMap;

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Facts, disks, mounts, sizes};
use hardtack_userdata::Severity;
use serde_json::Value as Json;

use crate::cases::{all, golden, own, run, same};

fn check(case: &Json) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let mut machine = Tree::debian().with("/etc/fstab", text("fstab_before"));
    let devices: Vec<String> = case["block_devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    for device in &devices {
        machine = machine.with(device, "");
    }
    for (path, content) in case["files"].as_object().into_iter().flatten() {
        machine = machine.with(path, content.as_str().unwrap());
    }
    let facts = Facts {
        block_devices: case["ephemeral0"]
            .as_str()
            .map(|device| BTreeMap::from([("ephemeral0".to_owned(), device.to_owned())]))
            .unwrap_or_default(),
        devices,
        memory: case["memory"].as_u64(),
        free: case["free"].as_u64(),
        instance_id: Some("i-1".to_owned()),
        ..Facts::default()
    };
    let outcome = run(&mounts::MODULE, &text("cloud_config"), &machine, &facts);
    let failed = outcome.findings.iter().any(|finding| finding.severity == Severity::Error);
    let Some(ok) = case.get("ok") else {
        return if failed { Ok(()) } else { Err(format!("no error: {:?}", outcome.actions)) };
    };
    if failed {
        return Err(format!("{:?}", outcome.findings));
    }
    let mut fstab = Json::String(text("fstab_before"));
    let mut calls = Vec::new();
    for action in &outcome.actions {
        match action {
            Action::Write { path, content, .. } => {
                assert_eq!(path, "/etc/fstab");
                fstab = Json::String(String::from_utf8(content.bytes.clone()).unwrap());
            }
            Action::Directory { path, .. } => calls.push(serde_json::json!(["mkdir", path])),
            // What cannot be mounted now is told, and the module has not failed.
            Action::Run { argv, optional: true, .. } => calls.push(serde_json::json!(argv)),
            Action::Live { what, details } => {
                let values: Vec<&str> = details.iter().map(|(_, value)| value.as_str()).collect();
                calls.push(serde_json::json!([what, values]));
            }
            other => return Err(format!("{other:?}")),
        }
    }
    same(&fstab, &ok["fstab"])?;
    same(&Json::Array(calls), &ok["calls"])
}

#[test]
fn golden_fstab() {
    all(&golden("mounts_fstab"), check);
}

#[test]
fn more_fstab() {
    all(&own("mounts_more"), check);
}

#[test]
fn golden_swap_sizes() {
    all(&golden("swap_auto"), |case| {
        let number = |key: &str| case[key].as_u64();
        let size = sizes::swap(number("mem").unwrap(), number("avail").unwrap(), number("maxsize"));
        same(&Some(size), &number("size"))
    });
}

#[test]
fn golden_sizes() {
    let mut cases = golden("human2bytes");
    cases.extend(own("human2bytes_more"));
    all(&cases, |case| same(&sizes::human_to_bytes(case["in"].as_str().unwrap()), &case["ok"].as_u64()));
}

#[test]
fn where_a_file_system_belongs() {
    for (partition, expected) in [
        ("partition: null, ", Some("none")),
        ("partition: 2, ", Some("2")),
        ("partition: auto, ", Some("auto")),
        ("", None),
    ] {
        let config = format!("fs_setup:\n- {{{partition}device: /dev/vdb, filesystem: ext4}}\n");
        let outcome = run(&disks::DISK_SETUP, &config, &Tree::debian(), &Facts::default());
        let [Action::Live { details, .. }] = outcome.actions.as_slice() else { panic!("{outcome:?}") };
        let found = details.iter().find(|(name, _)| name == "partition").map(|(_, value)| value.as_str());
        assert_eq!(found, expected, "{config}");
    }
}
