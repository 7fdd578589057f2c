//! The image's own package manager.
//!
//! Nothing is asked, and a configuration file that somebody has changed stays as it is. A package manager that
//! another one holds up (apt-daily), or that the network fails, is called again, a few times.

use std::process::Command;
use std::time::Instant;

use hardtack_credentials::{Task, TaskKind};

use super::Patience;
use super::program::{Ended, Output, ended};
use crate::error::AgentError;
use crate::host::Host;
use crate::packages::within;

/// Calls of one task that the network or a lock has failed.
const TRIES: u32 = 4;

/// One package manager.
pub(super) struct Manager {
    program: &'static str,
    /// Must be there, too: the program of another distribution's may be installed.
    database: &'static str,
    /// Words of every call.
    always: &'static [&'static str],
    /// What fetches the lists, where that is a call of its own.
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    uninstall: &'static [&'static str],
    update: &'static [&'static str],
}

const APT: &[&str] = &[
    "-q",
    "-y",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "DPkg::Lock::Timeout=600",
    "-o",
    "APT::Update::Error-Mode=any",
];

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        database: "/var/lib/dpkg/status",
        always: APT,
        refresh: &["update"],
        install: &["install"],
        uninstall: &["remove"],
        update: &["upgrade", "--with-new-pkgs"],
    },
    dnf("dnf"),
    dnf("yum"),
    Manager {
        program: "zypper",
        database: "/etc/zypp",
        always: &["-n"],
        refresh: &["refresh"],
        install: &["install", "-l"],
        uninstall: &["remove"],
        update: &["update", "-l"],
    },
    Manager {
        program: "apk",
        database: "/etc/apk",
        always: &[],
        refresh: &["update"],
        install: &["add"],
        uninstall: &["del"],
        update: &["upgrade"],
    },
    Manager {
        program: "pacman",
        database: "/var/lib/pacman",
        always: &["--noconfirm"],
        // A fresh list with old packages is what Arch calls a partial upgrade: one call does both.
        refresh: &[],
        install: &["-Syu", "--needed"],
        uninstall: &["-R"],
        update: &["-Syu"],
    },
];

const fn dnf(program: &'static str) -> Manager {
    Manager {
        program,
        database: "/etc/yum.repos.d",
        always: &["-y"],
        refresh: &[],
        install: &["install"],
        uninstall: &["remove"],
        update: &["upgrade"],
    }
}

/// What package managers say when it is not the packages that are wrong.
const PASSING: [&str; 14] = [
    "temporary failure",
    "could not resolve",
    "couldn't resolve",
    "failed to fetch",
    "failed to download",
    "failed retrieving",
    "unable to fetch",
    "unreachable",
    "connection",
    "timed out",
    "timeout",
    "could not get lock",
    "unable to lock",
    "is locked",
];

/// The image's.
pub(super) fn find(host: &Host) -> Option<(&'static Manager, String)> {
    MANAGERS.iter().filter(|manager| host.exists(manager.database)).find_map(|manager| {
        let places = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
        let path = places
            .iter()
            .map(|place| format!("{place}/{}", manager.program))
            .find(|path| host.exists(path))?;
        Some((manager, host.path(&path).display().to_string()))
    })
}

/// Does what a task of packages asks for.
pub(super) fn run(
    host: &Host,
    task: &Task,
    patience: Patience,
    output: &mut Output,
) -> Result<Ended, AgentError> {
    let (manager, program) = find(host).ok_or_else(|| {
        AgentError::text(
            "the image has no package manager that is known: apt-get, dnf, yum, zypper, apk, pacman",
        )
    })?;
    let action = match task.kind {
        TaskKind::Install => manager.install,
        TaskKind::Uninstall => manager.uninstall,
        _ => manager.update,
    };
    let call = |words: &[&str], output: &Output| {
        let mut command = Command::new(&program);
        output.give(&mut command)?;
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBCONF_NONINTERACTIVE_SEEN", "true")
            .env("NEEDRESTART_MODE", "a")
            .env("LC_ALL", "C.UTF-8")
            .args(manager.always)
            .args(words);
        within(command, Instant::now() + patience.call).map(ended)
    };
    let good = |ended: &Ended| ended.0 == Some(0);
    let mut pause = patience.pause;
    let mut tries = 1;
    loop {
        let fresh = manager.refresh.is_empty()
            || task.kind == TaskKind::Uninstall
            || good(&call(manager.refresh, output)?);
        let may_pass = !fresh && passes(output);
        // Lists that could not be fetched may still be good enough; a last try finds out.
        if !may_pass || tries == TRIES {
            let words: Vec<&str> =
                action.iter().copied().chain(task.packages.iter().map(String::as_str)).collect();
            let done = call(&words, output)?;
            if tries == TRIES || good(&done) || !passes(output) {
                // What is up to date by old lists is not known to be.
                let stale = task.kind == TaskKind::Update && !fresh;
                return Ok(if stale && good(&done) { (Some(1), None) } else { done });
            }
        }
        output.say(&format!("try {tries} of {TRIES}: again in {} s", pause.as_secs()));
        std::thread::sleep(pause);
        pause *= 2;
        tries += 1;
    }
}

/// Whether the end of what it printed tells of the network, or of a lock.
fn passes(output: &Output) -> bool {
    let text = output.tail().to_lowercase();
    PASSING.iter().any(|words| text.contains(words))
}
