//! Services that an installation has enabled, started afterwards without waiting for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::host::Host;
use crate::journal;

/// Where enabling a unit lays its link.
const ENABLED: &str = "/etc/systemd/system";
const STARTED: [&str; 4] = [".service", ".socket", ".timer", ".path"];

/// The names of the system's enabled units.
pub(super) fn enabled(host: &Host) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    let directory = host.path(ENABLED);
    let Ok(entries) = fs::read_dir(&directory) else {
        return units;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".wants") || name.ends_with(".requires") {
            units.extend(links(&entry.path()));
        }
    }
    units
}

fn links(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Asks systemd to start what is enabled now and was not before. The order of units holds: a new
/// SSH server still waits for the enrolment.
pub(super) fn start_new(host: &Host, before: &BTreeSet<String>) {
    let new: Vec<String> = enabled(host)
        .difference(before)
        .filter(|name| STARTED.iter().any(|kind| name.ends_with(kind)) && !name.contains("@."))
        .cloned()
        .collect();
    if new.is_empty() || !host.is_live() || !host.exists("/run/systemd/system") {
        return;
    }
    for arguments in [vec!["daemon-reload"], vec!["--no-block", "start"]] {
        let mut command = Command::new("systemctl");
        command.args(&arguments).stdin(Stdio::null());
        if arguments.len() > 1 {
            command.args(&new);
        }
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => journal::say(&format!("systemctl {}: {status}", arguments.join(" "))),
            Err(error) => journal::say(&format!("cannot run systemctl: {error}")),
        }
    }
    journal::say(&format!("starting {}", new.join(", ")));
}
