//! Growing the root, and making partitions and file systems (`config/cc_growpart.py`,
//! `config/cc_resizefs.py`, `config/cc_disk_setup.py`). What is on the disks is known on the machine only:
//! here the configuration is read, and names are turned into devices.

use std::collections::HashMap;

use hardtack_userdata::{Finding, Key, Kind, Map, Value, truth};

use crate::action::Action;
use crate::devices::Devices;
use crate::live;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};

/// `growpart`.
pub const GROWPART: Module = Module {
    name: "growpart",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: &["growpart"],
    run: growpart,
};

/// `resizefs`.
pub const RESIZEFS: Module = Module {
    name: "resizefs",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: &["resize_rootfs"],
    run: resizefs,
};

/// `disk_setup`.
pub const DISK_SETUP: Module = Module {
    name: "disk_setup",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["device_aliases", "disk_setup", "fs_setup"],
    run: disk_setup,
};

fn action(what: &'static str, details: Vec<(String, String)>) -> Action {
    Action::Live { what, details }
}

fn detail(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn growpart(request: &Request<'_>) -> Outcome {
    let empty = Map::new();
    let map = match get(request.config, "growpart") {
        None => &empty,
        Some(value) => match value.as_map() {
            Some(map) => map,
            None => {
                let message = "`growpart` is no mapping, and no partition is grown";
                let finding = Finding::warning(reading::SKIPPED, value.place, message).at("growpart");
                return Outcome::failed(finding.with_hint("write growpart: {mode: auto, devices: [/]}"));
            }
        },
    };
    let mode = get(map, "mode");
    if mode.is_some_and(truth::is_false) {
        return Outcome::default();
    }
    let disabled = get(map, "ignore_growroot_disabled").is_none_or(truth::is_false);
    if disabled && request.machine.exists("/etc/growroot-disabled") {
        let note = "/etc/growroot-disabled is there: no partition is grown".to_owned();
        return Outcome { notes: vec![note], ..Outcome::default() };
    }
    let devices = hardtack_userdata::options::get_list(map, "devices");
    let devices: Vec<String> =
        devices.map_or_else(|| vec!["/".to_owned()], |list| list.iter().map(Value::to_python_str).collect());
    if devices.is_empty() {
        return Outcome::default();
    }
    let word = mode.map_or_else(|| "auto".to_owned(), Value::to_python_str);
    if !["auto", "growpart", "gpart", "growfs"].contains(&word.as_str()) {
        let place = mode.map(|mode| mode.place).unwrap_or_default();
        let message = format!("`growpart.mode` is {word:?}, which grows nothing");
        let finding = Finding::error(reading::UNUSABLE, place, message).at("growpart.mode");
        return Outcome::failed(finding.with_hint("write auto, growpart or off"));
    }
    let mut details = vec![detail("mode", word)];
    details.extend(devices.into_iter().map(|device| detail("device", device)));
    Outcome { actions: vec![action(live::GROWPART, details)], ..Outcome::default() }
}

fn resizefs(request: &Request<'_>) -> Outcome {
    let word = hardtack_userdata::options::get_str(request.config, "resize_rootfs");
    let noblock = word.as_ref().is_some_and(|word| word.to_lowercase().trim() == "noblock");
    let text = |word: String| Value::new(Kind::Text(word));
    if word.is_some_and(|word| !truth::translate_bool(&text(word))) && !noblock {
        return Outcome::default();
    }
    let mut details = vec![detail("path", "/")];
    if noblock {
        details.push(detail("in-background", "true"));
    }
    Outcome { actions: vec![action(live::RESIZEFS, details)], ..Outcome::default() }
}

fn disk_setup(request: &Request<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let config = request.config;
    if get(config, "disk_setup").is_none() && get(config, "fs_setup").is_none() {
        return outcome;
    }
    let aliases = get(config, "device_aliases").and_then(Value::as_map);
    let devices = Devices { machine: request.machine, facts: request.facts, aliases };
    let resolve = |name: &str| {
        let alias = aliases.and_then(|aliases| get(aliases, name)).map(Value::to_python_str);
        devices.of_metadata(alias.as_deref().unwrap_or(name)).or(alias).unwrap_or_else(|| name.to_owned())
    };
    let mut disks: Vec<(String, &Value)> = Vec::new();
    match get(config, "disk_setup").map(|value| (value, value.as_map())) {
        Some((_, Some(map))) => {
            for (key, definition) in map {
                let name = resolve(&key.to_python_str());
                disks.push((name, definition));
            }
        }
        Some((value, None)) if !value.is_null() => {
            outcome.findings.push(skipped(
                value,
                "disk_setup",
                "`disk_setup` is no mapping of disks, and nothing is partitioned",
            ));
        }
        _ => {}
    }
    // Of two names for one disk the later one counts.
    let last: HashMap<String, usize> =
        disks.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
    for (index, (disk, definition)) in disks.into_iter().enumerate() {
        if last.get(&disk) != Some(&index) {
            continue;
        }
        match definition.as_map() {
            Some(map) => outcome
                .actions
                .push(action(live::DISK_SETUP, options(&disk, map, &["table_type", "layout", "overwrite"]))),
            None => {
                let message = format!("the definition of {disk} is no mapping, and is left out");
                outcome.findings.push(skipped(definition, "disk_setup", &message));
            }
        }
    }
    match get(config, "fs_setup").map(|value| (value, value.as_list())) {
        Some((_, Some(list))) => {
            for (index, definition) in list.iter().enumerate() {
                file_system(definition, index, &resolve, &mut outcome);
            }
        }
        Some((value, None)) if !value.is_null() => {
            outcome.findings.push(skipped(
                value,
                "fs_setup",
                "`fs_setup` is no list, and no file system is made",
            ));
        }
        _ => {}
    }
    outcome
}

/// What an entry of `fs_setup` may say.
const FILE_SYSTEM: [&str; 8] =
    ["filesystem", "label", "partition", "overwrite", "replace_fs", "extra_opts", "cmd", "table_type"];

fn file_system(definition: &Value, index: usize, resolve: &dyn Fn(&str) -> String, outcome: &mut Outcome) {
    let path = format!("fs_setup.{index}");
    let Some(map) = definition.as_map() else {
        outcome.findings.push(skipped(
            definition,
            &path,
            "this entry of `fs_setup` is no mapping, and is left out",
        ));
        return;
    };
    let Some(device) = get(map, "device").filter(|device| !device.is_null()) else {
        outcome.findings.push(skipped(
            definition,
            &path,
            "this entry of `fs_setup` has no `device`, and is left out",
        ));
        return;
    };
    let name = device.to_python_str();
    let (name, partition) = match name.rsplit_once('.') {
        Some((name, partition)) => (name.to_owned(), Some(partition.to_owned())),
        None => (name, None),
    };
    let command = get(map, "cmd").is_some_and(truth::truthy);
    if !command && !get(map, "filesystem").is_some_and(truth::truthy) {
        outcome.findings.push(skipped(
            definition,
            &path,
            "this entry of `fs_setup` names no `filesystem`, and none is made",
        ));
        return;
    }
    let mut details = options(&resolve(&name), map, &FILE_SYSTEM);
    // Python writes its word for nothing, and `None` is the device itself.
    if get(map, "partition").is_some_and(Value::is_null) {
        details.push(detail("partition", "none"));
    }
    if let Some(partition) = partition.filter(|partition| !partition.is_empty()) {
        details.retain(|(name, _)| name != "partition");
        details.push(detail("partition", partition));
    }
    outcome.actions.push(action(live::FS_SETUP, details));
}

/// The device and those of `names` that the mapping has; lists as JSON, since they may nest.
fn options(device: &str, map: &Map, names: &[&str]) -> Vec<(String, String)> {
    let mut details = vec![detail("device", device)];
    for name in names {
        if let Some(value) = map.get(&Key::text(*name)).filter(|value| !value.is_null()) {
            let text = match &value.kind {
                Kind::Text(text) => text.clone(),
                _ => hardtack_userdata::json::value(value).to_string(),
            };
            details.push(detail(name, text));
        }
    }
    details
}

fn skipped(value: &Value, path: &str, message: &str) -> Finding {
    Finding::warning(reading::SKIPPED, value.place, message).at(path)
}
