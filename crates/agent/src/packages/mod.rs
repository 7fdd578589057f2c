//! Packages that the build could not finish offline: their maintainer scripts run here, before SSH.
//!
//! The work is dpkg's; here is what has to be around it: the lock, a policy-rc.d under which no
//! script starts a service, a deadline, the start of what became enabled, and a record. A failure
//! keeps the spool, and the next boot tries again. SSH starts in any case.

mod dpkg;
mod policy;
#[cfg(test)]
mod tests;
mod units;

use std::time::{Duration, Instant};

use hardtack_credentials::{AgentConfig, PackagesConfig, PackagesOutcome};

use crate::accounts::replace;
use crate::config::STATE;
use crate::console;
use crate::error::AgentError;
use crate::host::Host;
use crate::journal;
use dpkg::Dpkg;
pub(crate) use dpkg::within;

/// Whole files, as the build laid them down.
const SPOOL: &str = "/var/lib/hardtack/packages";
/// All of it together, on a machine without KVM, too, for the many packages of a hardening profile. SSH waits for this
/// unit, whose `TimeoutStartSec=` is a minute more.
const DEADLINE: Duration = Duration::from_secs(900);

/// Installs what the build has left, once.
pub(crate) fn run(host: &Host, config: &AgentConfig) -> Result<(), AgentError> {
    let Some(packages) = &config.packages else {
        return Ok(());
    };
    policy::recover(host);
    if recorded(host).is_some_and(|outcome| outcome.ok) {
        return Ok(());
    }
    announce(host, packages);
    let outcome = install(host, packages, Instant::now() + DEADLINE);
    let record = match &outcome {
        Ok(count) => PackagesOutcome { ok: true, detail: format!("{count} packages") },
        Err(error) => PackagesOutcome { ok: false, detail: error.to_string() },
    };
    journal::say(&format!("packages: {}", record.detail));
    let text = serde_json::to_string(&record).unwrap_or_default();
    replace(&host.path(&record_path()), format!("{text}\n").as_bytes(), 0o600, None)?;
    outcome?;
    let spool = host.path(SPOOL);
    match std::fs::remove_dir_all(&spool) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(AgentError::io("remove", &spool, error))
        }
        _ => Ok(()),
    }
}

/// Says on the console what takes so long: whoever waits for the credentials reads its last line.
fn announce(host: &Host, packages: &PackagesConfig) {
    let all = [&packages.install, &packages.configure, &packages.remove, &packages.purge]
        .map(Vec::len)
        .iter()
        .sum::<usize>();
    let minutes = DEADLINE.as_secs() / 60;
    let text = format!(
        "hardtack: {all} packages are being finished before SSH starts; this takes minutes, {minutes} at most"
    );
    if let Err(error) = console::print(host, &text) {
        journal::say(&error.to_string());
    }
}

/// What the last run left; `None`: none has ended yet.
pub(crate) fn recorded(host: &Host) -> Option<PackagesOutcome> {
    serde_json::from_slice(&host.read(&record_path()).ok()??).ok()
}

fn record_path() -> String {
    format!("{STATE}/packages.json")
}

fn install(host: &Host, packages: &PackagesConfig, deadline: Instant) -> Result<usize, AgentError> {
    let spooled = |name: &String| host.path(&format!("{SPOOL}/{name}"));
    if let Some(missing) = packages.install.iter().find(|name| !spooled(name).exists()) {
        return Err(AgentError::text(format!("{SPOOL}/{missing} is missing")));
    }
    let files: Vec<String> =
        packages.install.iter().map(|name| spooled(name).display().to_string()).collect();
    let dpkg = Dpkg::new(host, deadline)?;
    let mut wanted = dpkg.versions(&files)?;
    wanted.extend(packages.configure.iter().map(|name| (name.clone(), None)));
    // What is to come may conflict with what is to go, and what is to go may be needed until the other has come.
    let _ = dpkg.remove(packages);
    let before = units::enabled(host);
    let held = policy::Held::new(host)?;
    let tried = dpkg.install(&files);
    drop(held);
    // Even after a failure: what did get installed works better when it runs.
    units::start_new(host, &before);
    let tried = tried.and(dpkg.remove(packages));
    let missing = dpkg::not_installed(host, &wanted)?;
    let left = dpkg::not_removed(host, packages)?;
    let mut wrong = Vec::new();
    for (what, names) in [("not installed", &missing), ("not removed", &left)] {
        if !names.is_empty() {
            wrong.push(format!("{what}: {}", names.join(", ")));
        }
    }
    match (wrong.is_empty(), tried) {
        (true, _) => {
            dpkg.hold(&packages.hold)?;
            Ok(wanted.len() + packages.remove.len() + packages.purge.len())
        }
        (false, Ok(())) => Err(AgentError::text(wrong.join("; "))),
        (false, Err(error)) => Err(AgentError::text(format!("{} ({error})", wrong.join("; ")))),
    }
}
