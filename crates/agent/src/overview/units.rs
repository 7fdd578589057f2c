//! How far the agent's units are, by systemd's word. Everybody may ask it.

use std::time::Duration;

use serde::Serialize;

use crate::facts;
use crate::host::Host;

const PATIENCE: Duration = Duration::from_secs(15);
/// In the order of the boot. With `mode: replace` cloud-init's are the agent's own; in companion mode the boot
/// ends with cloud-init's last one all the same.
const UNITS: [&str; 12] = [
    "cloud-init-local.service",
    "cloud-init.service",
    "hardtack-host-keys.service",
    "hardtack-packages.service",
    "hardtack-coreos.service",
    "hardtack-enrol.service",
    "hardtack-guard.service",
    "hardtack-credentials.service",
    "cloud-config.service",
    "cloud-final.service",
    "hardtack-tasks.service",
    "hardtack-credentials-again.service",
];

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// `done`, `failed`, `running`, `waiting`, or `not run`: a condition was against it, or nobody has started it.
    pub(crate) state: &'static str,
}

impl Unit {
    /// It has not come to its end.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, "running" | "waiting")
    }
}

/// The units that the machine has; empty where there is no systemd to ask.
pub(super) fn units(host: &Host) -> Vec<Unit> {
    if !host.is_live() || !host.exists("/run/systemd/system") {
        return Vec::new();
    }
    let mut arguments = vec!["show", "-p", "Id,LoadState,ActiveState,Job"];
    arguments.extend(UNITS);
    facts::output("systemctl", &arguments, PATIENCE).map(|text| parse(&text)).unwrap_or_default()
}

/// A paragraph for each unit.
fn parse(text: &str) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for paragraph in text.split("\n\n") {
        let value = |key: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
        };
        let name = value("Id");
        if value("LoadState") != "loaded" || units.iter().any(|unit| unit.name == name) {
            continue;
        }
        let queued = !matches!(value("Job"), "" | "0");
        let state = match value("ActiveState") {
            "failed" => "failed",
            "activating" | "reloading" => "running",
            "active" => "done",
            _ if queued => "waiting",
            _ => "not run",
        };
        units.push(Unit { name: name.to_owned(), state });
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_says_how_far_each_unit_is() {
        let text = "Id=cloud-init.service\nLoadState=not-found\nActiveState=inactive\n\n\
                    Id=hardtack-enrol.service\nLoadState=loaded\nActiveState=active\n\n\
                    Id=hardtack-guard.service\nLoadState=loaded\nActiveState=failed\n\n\
                    Id=hardtack-credentials.service\nLoadState=loaded\nActiveState=activating\nJob=7\n\n\
                    Job=112\nId=hardtack-credentials-again.service\nLoadState=loaded\nActiveState=inactive\n\n\
                    Id=cloud-final.service\nLoadState=loaded\nActiveState=inactive\nJob=0\n";
        let states: Vec<(String, &str)> =
            parse(text).into_iter().map(|unit| (unit.name, unit.state)).collect();
        let own = |name: &str, state| (name.to_owned(), state);
        assert_eq!(
            states,
            [
                own("hardtack-enrol.service", "done"),
                own("hardtack-guard.service", "failed"),
                own("hardtack-credentials.service", "running"),
                own("hardtack-credentials-again.service", "waiting"),
                own("cloud-final.service", "not run"),
            ]
        );
        assert!(parse("").is_empty());
    }
}
