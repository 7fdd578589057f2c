//! Printing: the credentials block, or the loud line instead.
//!
//! - [`users`]: whom the block tells something.
//! - [`sealing`]: who can read it.

mod sealing;
pub(crate) mod users;

use std::time::Duration;

use hardtack_credentials::block::{VERSION, refusal, wrap};
use hardtack_credentials::{AgentConfig, Block, HostKey, PackagesOutcome, Root, Surroundings, time};

use crate::error::AgentError;
use crate::host::Host;
use crate::{again, console, facts, guard, journal, overlay, packages, ready, tasks};

/// The unit starts after SSH's, so this is time for a slow machine, not for a boot.
const SSH_PATIENCE: Duration = Duration::from_secs(120);

/// Columns of a sentence: 80 without the `HARDTACK: ` before it.
const SENTENCE: usize = 69;

/// Waits for SSH, then prints the block on the serial consoles. `clock` tells seconds since 1970;
/// it is asked after the wait.
pub(crate) fn run(host: &Host, config: &AgentConfig, clock: fn() -> u64) -> Result<(), AgentError> {
    let found = overlay::root(host);
    if let Some(what) = overlay::barred(host, config, &found) {
        console::print(host, &refusal(&format!("{what}.")))?;
        return Err(AgentError::text(format!("{what}; no credentials were printed")));
    }
    let ports = ready::ports(host);
    // Where the guard holds it, SSH does not answer however long one waits.
    let held = guard::current(host).is_some_and(|state| state.ssh_held);
    let patience = if held { Duration::ZERO } else { SSH_PATIENCE };
    let answered = ready::wait(host, &ports, patience);
    let now = clock();
    let state = guard::look(host, config, now);
    let drift = state.drift();
    let text = text(host, config, &found, answered.is_some(), &state, now)?;
    again::print(host, &text, &drift)
}

/// What is printed: sentences about what went wrong, if anything did, then the block.
fn text(
    host: &Host,
    config: &AgentConfig,
    found: &overlay::Root,
    ssh: bool,
    state: &guard::State,
    now: u64,
) -> Result<String, AgentError> {
    let hostname = facts::hostname(host);
    let mut users = users::look(host, config, &hostname)?;
    let mut lines = std::mem::take(&mut users.lines);
    if state.ssh_held {
        lines.push(
            "SSH is stopped: logins would ask for less than promised (see below); hardtack-agent status"
                .to_owned(),
        );
    } else if !ssh {
        lines.push(format!("SSH does not answer after {} s", SSH_PATIENCE.as_secs()));
    }
    // Those that have come to their end by now; the others tell themselves.
    let tasks = tasks::look(host, config);
    lines.extend(tasks.iter().filter(|task| task.is_wrong()).map(|task| format!("task {}", task.text())));
    for line in &lines {
        journal::say(line);
    }
    let block = Block {
        hardtack: VERSION,
        boot_id: facts::boot_id(host),
        instance_id: users.instance,
        hostname,
        time: time::format_utc(now),
        seal: config.mfa.as_ref().map_or_else(|| "none".to_owned(), |mfa| mfa.seal.clone()),
        users: users.parts,
        host_keys: facts::host_keys(host).iter().filter_map(|line| HostKey::from_public_file(line)).collect(),
        root: root(host, config, found),
        doors: config.doors.clone(),
        drift: state.drift(),
    };
    let surroundings = Surroundings {
        factors: config.mfa.as_ref().map(|mfa| mfa.factors.clone()).unwrap_or_default(),
        address: facts::public_address(host),
        synchronised: facts::clock_synchronised(host),
        packages: outcome(host, config),
        accepted: users.accepted,
        operator: users.operator,
        passwords: users.passwords,
        unsealed: users.unsealed,
        recovery: config.mfa.as_ref().and_then(|mfa| mfa.recovery.as_ref()).map(|known| known.user.clone()),
        random_key: config.overlay.as_ref().is_some_and(|overlay| overlay.random_key),
    };
    let mut text = String::new();
    for line in lines {
        for line in wrap(&line, SENTENCE) {
            text.push_str(&format!("HARDTACK: {line}\n"));
        }
    }
    text.push_str(&block.render(&surroundings));
    Ok(text)
}

/// What `/` is, and why not what was promised.
fn root(host: &Host, config: &AgentConfig, found: &overlay::Root) -> Root {
    let wrong = overlay::wrong(host, config, found);
    let on_failure = wrong.as_ref().and(config.overlay.as_ref()).map(|promised| promised.on_failure.clone());
    Root { overlay: found.overlay.map(str::to_owned), device: found.device.clone(), wrong, on_failure }
}

/// How the packages fared; nothing once they have been told about.
fn outcome(host: &Host, config: &AgentConfig) -> Option<PackagesOutcome> {
    config.packages.as_ref()?;
    Some(
        packages::recorded(host).unwrap_or_else(|| PackagesOutcome {
            ok: false,
            detail: "the installation did not end".to_owned(),
        }),
    )
}

#[cfg(test)]
mod tests;
