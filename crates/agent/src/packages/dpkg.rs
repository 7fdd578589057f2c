//! Calls of the image's dpkg, and what /var/lib/dpkg/status says afterwards.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Pid, Signal, kill_process_group};

use hardtack_credentials::PackagesConfig;

use crate::error::AgentError;
use crate::host::Host;
use crate::journal;

const STATUS: &str = "/var/lib/dpkg/status";
/// Taken by apt and, since 1.19.1, by dpkg itself.
const FRONTEND_LOCK: &str = "/var/lib/dpkg/lock-frontend";
const LOCK: &str = "/var/lib/dpkg/lock";
const PAUSE: Duration = Duration::from_millis(200);
/// Between asking a process group to end and ending it.
const GRACE: Duration = Duration::from_secs(5);
/// A package may need another one configured before it can be unpacked (Pre-Depends).
const ROUNDS: u32 = 3;

/// dpkg, with the frontend's lock held.
pub(super) struct Dpkg<'a> {
    host: &'a Host,
    deadline: Instant,
    _lock: Option<File>,
}

impl<'a> Dpkg<'a> {
    /// Waits until nobody else (apt-daily) works on the database.
    pub(super) fn new(host: &'a Host, deadline: Instant) -> Result<Self, AgentError> {
        let lock = acquire(host, FRONTEND_LOCK, deadline)?;
        // dpkg itself takes this one; it only must be free.
        drop(acquire(host, LOCK, deadline)?);
        Ok(Self { host, deadline, _lock: lock })
    }

    /// The names and versions of the packages in `.deb` files.
    pub(super) fn versions(&self, files: &[String]) -> Result<Vec<Wanted>, AgentError> {
        files
            .iter()
            .map(|file| {
                let output = self
                    .command("dpkg-deb")
                    .args(["--field", file, "Package", "Version"])
                    .stdin(Stdio::null())
                    .output()
                    .map_err(|error| AgentError::text(format!("cannot run dpkg-deb: {error}")))?;
                let text = String::from_utf8_lossy(&output.stdout);
                let field =
                    |name| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
                match (output.status.success(), field("Package:"), field("Version:")) {
                    (true, Some(name), version) => Ok((name, version)),
                    _ => Err(AgentError::text(format!("{file}: dpkg-deb cannot read it"))),
                }
            })
            .collect()
    }

    /// Removes what is still there, all at once: they may need each other.
    pub(super) fn remove(&self, packages: &PackagesConfig) -> Result<(), AgentError> {
        let left = not_removed(self.host, packages)?;
        let mut last = Ok(());
        for (action, names) in [("--remove", &packages.remove), ("--purge", &packages.purge)] {
            let names: Vec<String> = names.iter().filter(|name| left.contains(name)).cloned().collect();
            if !names.is_empty() {
                last = last.and(self.dpkg(&[action], &names));
            }
        }
        last
    }

    /// Unpacks the files and configures everything that is not configured yet, those that the
    /// build unpacked too. Configuration files that somebody has changed stay as they are.
    pub(super) fn install(&self, files: &[String]) -> Result<(), AgentError> {
        let mut last = Ok(());
        for _ in 0..ROUNDS {
            let unpacked = if files.is_empty() { Ok(()) } else { self.dpkg(&["--unpack"], files) };
            let configured = self.dpkg(&["--configure", "--pending"], &[]);
            last = unpacked.and(configured);
            if last.is_ok() || Instant::now() >= self.deadline {
                break;
            }
        }
        last
    }

    /// Marks packages as `apt-mark hold` does. Only those that are configured: dpkg finishes none that is held.
    pub(super) fn hold(&self, names: &[String]) -> Result<(), AgentError> {
        if names.is_empty() {
            return Ok(());
        }
        let wrong = |what: String| AgentError::text(format!("dpkg --set-selections: {what}"));
        let mut command = self.command("dpkg");
        if !self.host.is_live() {
            command.arg(format!("--root={}", self.host.path("/").display()));
        }
        let mut child = command
            .arg("--set-selections")
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| wrong(error.to_string()))?;
        let text: String = names.iter().map(|name| format!("{name} hold\n")).collect();
        // Dropped right away: dpkg reads to the end.
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
        let status = child.wait().map_err(|error| wrong(error.to_string()))?;
        written.map_err(|error| wrong(error.to_string()))?;
        if status.success() { Ok(()) } else { Err(wrong(status.to_string())) }
    }

    fn dpkg(&self, action: &[&str], files: &[String]) -> Result<(), AgentError> {
        let mut command = self.command("dpkg");
        if !self.host.is_live() {
            command.arg(format!("--root={}", self.host.path("/").display()));
        }
        command.arg("--force-confold").args(action).args(files);
        let status = within(command, self.deadline)?;
        match status.success() {
            true => Ok(()),
            false => Err(AgentError::text(format!("dpkg {}: {status}", action.join(" ")))),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBCONF_NONINTERACTIVE_SEEN", "true");
        if self._lock.is_some() {
            command.env("DPKG_FRONTEND_LOCKED", "true");
        }
        command
    }
}

/// A write lock as dpkg takes it; `None` where the file is not there.
fn acquire(host: &Host, path: &str, deadline: Instant) -> Result<Option<File>, AgentError> {
    let full = host.path(path);
    let Ok(file) = OpenOptions::new().write(true).open(&full) else {
        return Ok(None);
    };
    let mut told = false;
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(_) if Instant::now() < deadline => {
                if !told {
                    journal::say(&format!("waiting for {path}"));
                    told = true;
                }
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(AgentError::io("lock", &full, error)),
        }
    }
}

/// Runs a command in a process group of its own and ends the group at the deadline: a maintainer
/// script that hangs has children. What it prints goes where the command says, else where the agent's own words
/// go, which for a unit is the journal.
pub(crate) fn within(mut command: Command, deadline: Instant) -> Result<ExitStatus, AgentError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| AgentError::text(format!("cannot run {name}: {error}")))?;
    let mut ended = |until: Instant| loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < until => thread::sleep(PAUSE),
            Ok(status) => return Ok(status),
            Err(error) => return Err(AgentError::text(format!("cannot wait for {name}: {error}"))),
        }
    };
    if let Some(status) = ended(deadline)? {
        return Ok(status);
    }
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for (signal, grace) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
        let until = Instant::now() + grace;
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
    }
    Err(AgentError::text(format!("{name} did not end in time and was stopped")))
}

/// A package, and its version where that is known.
pub(super) type Wanted = (String, Option<String>);

/// A paragraph of the database.
#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    /// `install ok installed`
    state: &'a str,
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut entry = Entry::default();
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            entries.push(std::mem::take(&mut entry));
        } else if let Some(name) = line.strip_prefix("Package: ") {
            entry.name = name.trim();
        } else if let Some(version) = line.strip_prefix("Version: ") {
            entry.version = version.trim();
        } else if let Some(state) = line.strip_prefix("Status: ") {
            entry.state = state.trim();
        }
    }
    entries
}

/// `name:arch` counts as `name`.
fn bare(name: &str) -> &str {
    name.split(':').next().unwrap_or_default()
}

/// Those that are not "install ok installed", or not in the version that was to come.
pub(super) fn not_installed(host: &Host, wanted: &[Wanted]) -> Result<Vec<String>, AgentError> {
    let text = status(host)?;
    let entries = entries(&text);
    let missing = |(name, version): &&Wanted| {
        !entries.iter().any(|entry| {
            entry.name == bare(name)
                && entry.state.ends_with(" ok installed")
                && version.as_ref().is_none_or(|version| entry.version == version)
        })
    };
    Ok(wanted.iter().filter(missing).map(|(name, _)| name.clone()).collect())
}

/// Those that should have gone and have not.
pub(super) fn not_removed(host: &Host, packages: &PackagesConfig) -> Result<Vec<String>, AgentError> {
    if packages.remove.is_empty() && packages.purge.is_empty() {
        return Ok(Vec::new());
    }
    let text = status(host)?;
    let entries = entries(&text);
    let is_there = |name: &str, gone: &[&str]| {
        // Of one architecture, where the name says which; the others of the name are none of ours.
        entries.iter().any(|entry| {
            let state = entry.state.rsplit(' ').next().unwrap_or_default();
            entry.name == bare(name) && !gone.contains(&state)
        })
    };
    let removed = packages.remove.iter().filter(|name| is_there(name, &["not-installed", "config-files"]));
    let purged = packages.purge.iter().filter(|name| is_there(name, &["not-installed"]));
    Ok(removed.chain(purged).cloned().collect())
}

/// The database of a large system has 10 MB, more than other files that the agent reads.
fn status(host: &Host) -> Result<String, AgentError> {
    let path = host.path(STATUS);
    std::fs::read(&path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| AgentError::io("read", &path, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_that_hangs_is_stopped_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & wait"]);
        let started = Instant::now();
        let error = within(command, Instant::now() + Duration::from_millis(300)).unwrap_err();
        assert!(error.to_string().contains("did not end in time"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
        let mut good = Command::new("sh");
        good.args(["-c", "exit 3"]);
        assert_eq!(within(good, Instant::now() + Duration::from_secs(30)).unwrap().code(), Some(3));
    }

    #[test]
    fn the_database_says_what_is_installed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("var/lib/dpkg");
        std::fs::create_dir_all(&path).unwrap();
        let text = "Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\nStatus: install ok unpacked\n\n\
                    Package: c\nStatus: hold ok installed\nDescription: x\n Status: install ok installed\nVersion: 1\n\n\
                    Package: e\nStatus: deinstall ok config-files\n\nPackage: f\nStatus: purge ok not-installed\n";
        std::fs::write(path.join("status"), text).unwrap();
        let host = Host::new(directory.path());
        let names = ["a", "a:amd64", "b", "c", "d"].map(|name| (name.to_owned(), None));
        assert_eq!(not_installed(&host, &names).unwrap(), ["b", "d"]);
        let old = [("c".to_owned(), Some("2".to_owned())), ("a".to_owned(), Some("1".to_owned()))];
        assert_eq!(not_installed(&host, &old).unwrap(), ["c"], "an upgrade that did not come about");
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let packages = PackagesConfig {
            remove: list(&["a", "d", "e"]),
            purge: list(&["b", "e", "f"]),
            ..PackagesConfig::default()
        };
        assert_eq!(
            not_removed(&host, &packages).unwrap(),
            ["a", "b", "e"],
            "only purging takes what is left of e"
        );
    }
}
