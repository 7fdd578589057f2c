//! Stopping SSH, and starting it again.
//!
//! Sessions go on: the units of Debian, Ubuntu and others have `KillMode=process`, and a session is a unit of its
//! own (pam_systemd). Servers that a socket has started for one connection each are sessions, and stay. Who has not
//! logged in yet does not go on ([`connections`]).

use std::time::{Duration, Instant};

use super::connections;
use crate::facts;
use crate::host::Host;
use crate::journal;

/// Every unit that lets SSH in; sockets first, which would start the service again.
const UNITS: [&str; 7] = [
    "ssh.socket",
    "sshd.socket",
    "sshd-unix-local.socket",
    "sshd-unix-export.socket",
    "sshd-vsock.socket",
    "ssh.service",
    "sshd.service",
];
/// One call of systemctl; PID 1 may be busy reloading.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);
/// How our drop-ins call the gate.
const GATE: &str = "guard --gate";

/// The units that have to be stopped: those that run, or that would start without asking the gate (somebody has
/// emptied `ExecStartPre=`). Others are left alone, so that their start fails and is seen to fail.
pub(super) fn to_stop(host: &Host) -> Vec<String> {
    if !host.is_live() {
        return Vec::new();
    }
    if !has_systemd(host) {
        return vec!["ssh".to_owned(), "sshd".to_owned()];
    }
    let mut arguments = vec!["show", "-p", "Id,LoadState,ActiveState,ExecStartPre"];
    arguments.extend(UNITS);
    match facts::output("systemctl", &arguments, PATIENCE) {
        Some(text) => chosen(&text),
        None => {
            journal::say("systemctl does not say which units of SSH run: all are stopped");
            UNITS.map(str::to_owned).to_vec()
        }
    }
}

/// Out of what `systemctl show` prints: a paragraph for each unit.
fn chosen(text: &str) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n") {
        let value = |key: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
        };
        let idle = matches!(value("ActiveState"), "inactive" | "failed" | "");
        let gated = paragraph.contains(GATE);
        let id = value("Id");
        if value("LoadState") == "loaded" && (!idle || !gated) && !units.iter().any(|unit| unit == id) {
            units.push(id.to_owned());
        }
    }
    units
}

/// Stops units. It is not waited for within the job, which may be the reload of one of them; then it is looked
/// whether they have stopped.
pub(super) fn stop(host: &Host, units: &[String]) {
    if !host.is_live() {
        return;
    }
    journal::say(&format!("stopping {}", units.join(", ")));
    if !has_systemd(host) {
        by_script("stop", units);
        return;
    }
    call("stop", units);
    let started = Instant::now();
    let mut arguments = vec!["is-active", "--quiet"];
    arguments.extend(units.iter().map(String::as_str));
    // It succeeds while one of them is active.
    while facts::output("systemctl", &arguments, PATIENCE).is_some() {
        connections::end(host);
        if started.elapsed() >= PATIENCE {
            journal::say(&format!("{} did not stop within {} s", units.join(", "), PATIENCE.as_secs()));
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Starts units again, past the limit of starts that their refusals have used up.
pub(super) fn start(host: &Host, units: &[String]) {
    if !host.is_live() {
        return;
    }
    journal::say(&format!("starting {} again", units.join(", ")));
    if !has_systemd(host) {
        by_script("start", units);
        return;
    }
    call("reset-failed", units);
    call("start", units);
}

fn call(verb: &str, units: &[String]) {
    let mut arguments = vec!["--no-block", verb];
    arguments.extend(units.iter().map(String::as_str));
    if facts::output("systemctl", &arguments, PATIENCE).is_none() {
        journal::say(&format!("systemctl {verb} {} did not succeed", units.join(" ")));
    }
}

/// One of the names is the machine's; that none is, is told.
fn by_script(verb: &str, units: &[String]) {
    let done: Vec<bool> =
        units.iter().map(|unit| facts::output("service", &[unit, verb], PATIENCE).is_some()).collect();
    if !done.contains(&true) {
        journal::say(&format!("`service NAME {verb}` did not succeed for {}", units.join(" nor ")));
    }
}

pub(super) fn has_systemd(host: &Host) -> bool {
    host.exists("/run/systemd/system")
}

/// The unit whose start asks the gate: the last part of our control group that names one of SSH's.
pub(super) fn own_unit(host: &Host) -> Option<String> {
    let unit = unit_of(&host.read_text("/proc/self/cgroup").ok()??)?;
    // One server for one connection is not started again.
    UNITS.contains(&unit.as_str()).then_some(unit)
}

/// The unit of SSH's in the text of a `cgroup` of /proc, also one for a single connection.
pub(super) fn unit_of(text: &str) -> Option<String> {
    let is_one = |part: &str| {
        let single = part.split_once('@').is_some_and(|(name, rest)| {
            matches!(name, "ssh" | "sshd" | "sshd-unix-local" | "sshd-unix-export" | "sshd-vsock")
                && rest.ends_with(".service")
        });
        single || UNITS.contains(&part)
    };
    text.lines().find_map(|line| line.rsplit('/').find(|part| is_one(part)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    const SHOWN: &str = "\
Id=ssh.socket\nLoadState=loaded\nActiveState=inactive\n\
ExecStartPre={ path=/usr/lib/hardtack/hardtack-agent ; argv[]=/usr/lib/hardtack/hardtack-agent guard --gate ; }\n\n\
Id=ssh.service\nLoadState=loaded\nActiveState=active\nExecStartPre={ argv[]=x guard --gate ; }\n\n\
Id=ssh.service\nLoadState=loaded\nActiveState=active\nExecStartPre={ argv[]=x guard --gate ; }\n\n\
Id=sshd.socket\nLoadState=not-found\nActiveState=inactive\n\n\
Id=sshd-vsock.socket\nLoadState=loaded\nActiveState=inactive\n";

    /// A unit that is queued at boot keeps its place: its start is refused, and seen to fail.
    #[test]
    fn what_runs_or_has_lost_its_gate_is_stopped_once() {
        assert_eq!(chosen(SHOWN), ["ssh.service", "sshd-vsock.socket"]);
        assert!(chosen("").is_empty());
    }

    #[test]
    fn the_gate_knows_whose_start_it_is_asked_about() {
        let unit = |line: &str| own_unit(&Tree::new().file("proc/self/cgroup", line).host());
        assert_eq!(unit("0::/system.slice/ssh.service\n").as_deref(), Some("ssh.service"));
        let old = "2:cpu:/\n1:name=systemd:/system.slice/ssh.socket/control\n";
        assert_eq!(unit(old).as_deref(), Some("ssh.socket"));
        assert_eq!(unit("0::/user.slice/user-0.slice/session-1.scope\n"), None);
        assert_eq!(unit(""), None);
    }

    #[test]
    fn below_another_root_nothing_is_stopped() {
        assert!(to_stop(&Tree::new().host()).is_empty());
    }
}
