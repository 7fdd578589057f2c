//! Printing: the credentials block, or the loud line instead.

use std::time::Duration;

use hardtack_credentials::block::{VERSION, refusal};
use hardtack_credentials::{
    AgentConfig, Block, HostKey, PackagesOutcome, Root, Surroundings, UserCredentials, UserPart, otpauth,
    time,
};

use crate::accounts;
use crate::enrol::{self, Enrolment};
use crate::error::AgentError;
use crate::host::Host;
use crate::{console, facts, journal, overlay, packages, ready};

/// The unit starts after SSH's, so this is time for a slow machine, not for a boot.
const SSH_PATIENCE: Duration = Duration::from_secs(120);

/// Waits for SSH, then prints the block on the serial consoles. `clock` tells seconds since 1970;
/// it is asked after the wait.
pub(crate) fn run(host: &Host, config: &AgentConfig, clock: fn() -> u64) -> Result<(), AgentError> {
    let found = overlay::root(host);
    if let Some(promised) = &config.overlay
        && let Err(what) = overlay::check(host, promised, &found)
    {
        console::print(host, &refusal(&format!("{what}.")))?;
        return Err(AgentError::text(format!("{what}; no credentials were printed")));
    }
    let ports = ready::ports(host);
    let answered = ready::wait(host, &ports, SSH_PATIENCE);
    let text = text(host, config, &found, answered.is_some(), clock())?;
    console::print(host, &text)
}

/// What is printed: sentences about what went wrong, if anything did, then the block.
fn text(
    host: &Host,
    config: &AgentConfig,
    found: &overlay::Root,
    ssh: bool,
    now: u64,
) -> Result<String, AgentError> {
    let instance = facts::instance_id(host);
    let hostname = facts::hostname(host);
    let mut users = Vec::new();
    let mut accepted = Vec::new();
    let mut lines = Vec::new();
    for account in enrol::everybody(host, config)? {
        match enrol::look(host, &account)? {
            Enrolment::Used => accepted.push(account.name),
            Enrolment::Missing(why) => lines.push(format!("{} {why}: no login with a code", account.name)),
            Enrolment::Fresh(file) => users.push(UserPart::Plain(UserCredentials {
                otpauth: otpauth::url(
                    &config.recipe,
                    &account.name,
                    &hostname,
                    instance.as_deref(),
                    file.secret(),
                ),
                name: account.name,
                secret: file.secret().to_owned(),
                scratch_codes: file.scratch_codes().to_vec(),
                password: String::new(),
            })),
        }
    }
    if let Some(mfa) = &config.mfa {
        for name in &mfa.users {
            if accounts::find(host, name)?.is_none() {
                lines.push(format!("{name} does not exist: nobody can log in as {name}"));
            }
        }
    }
    if !ssh {
        lines.push(format!("SSH does not answer after {} s", SSH_PATIENCE.as_secs()));
    }
    for line in &lines {
        journal::say(line);
    }
    let block = Block {
        hardtack: VERSION,
        boot_id: facts::boot_id(host),
        instance_id: instance,
        hostname,
        time: time::format_utc(now),
        seal: config.mfa.as_ref().map_or_else(|| "none".to_owned(), |mfa| mfa.seal.clone()),
        users,
        host_keys: facts::host_keys(host).iter().filter_map(|line| HostKey::from_public_file(line)).collect(),
        root: Root { overlay: found.overlay.map(str::to_owned), device: found.device.clone() },
        doors: config.doors.clone(),
        drift: Vec::new(),
    };
    let surroundings = Surroundings {
        factors: config.mfa.as_ref().map(|mfa| mfa.factors.clone()).unwrap_or_default(),
        address: facts::public_address(host),
        synchronised: facts::clock_synchronised(host),
        packages: outcome(host, config),
        accepted,
        random_key: config.overlay.as_ref().is_some_and(|overlay| overlay.random_key),
    };
    let mut text = String::new();
    for line in lines {
        for line in sentence(&line) {
            text.push_str(&format!("HARDTACK: {line}\n"));
        }
    }
    text.push_str(&block.render(&surroundings));
    Ok(text)
}

/// A sentence in lines that leave room for their beginning in 80 columns.
fn sentence(text: &str) -> Vec<String> {
    const WIDTH: usize = 69;
    let plain: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
    let mut lines = vec![String::new()];
    for word in plain.split_whitespace() {
        // Names and reasons are short; a path may be longer than a line.
        let word: String = word.chars().take(WIDTH).collect();
        match lines.last_mut() {
            Some(last) if last.is_empty() => *last = word,
            Some(last) if last.len() + 1 + word.len() <= WIDTH => *last = format!("{last} {word}"),
            _ => lines.push(word),
        }
    }
    lines
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
