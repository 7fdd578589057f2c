//! Enrolment: a secret for every user of the recipe, before SSH starts.

use hardtack_credentials::secret_file::FILE_NAME;
use hardtack_credentials::{AccountConfig, AgentConfig, MfaConfig, SecretFile};

use crate::accounts::{self, Account};
use crate::config::{RUNTIME, STATE, directory};
use crate::error::AgentError;
use crate::home::{Found, Home};
use crate::host::Host;
use crate::{facts, journal, overlay, random};

/// A secret file is a few hundred bytes; the module itself gives up above 64 KiB.
const FILE_LIMIT: u64 = 64 << 10;

/// Enrols everybody who is to be. One user's failure does not keep the others from it; the error
/// names all that failed.
pub(crate) fn run(host: &Host, config: &AgentConfig, now: u64) -> Result<(), AgentError> {
    let Some(mfa) = &config.mfa else {
        return Ok(());
    };
    if let Some(promised) = &config.overlay {
        overlay::check(host, promised, &overlay::root(host))
            .map_err(|what| AgentError::text(format!("{what}; nobody is enrolled")))?;
    }
    if facts::make_host_keys(host) {
        journal::say("made SSH host keys, since the machine had none");
    }
    let mut failed = Vec::new();
    for name in &mfa.users {
        let done = account(host, &config.accounts, name, now).and_then(|account| one(host, &account, mfa));
        if let Err(error) = done {
            failed.push(format!("{name}: {error}"));
        }
    }
    for account in others(host, mfa)? {
        if let Err(error) = one(host, &account, mfa) {
            failed.push(format!("{}: {error}", account.name));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(AgentError::text(format!("not enrolled: {}", failed.join("; ")))),
    }
}

/// Everybody whose secret the agent looks after: the users of the recipe, then, with `others: enrol`,
/// everybody else who can log in.
pub(crate) fn everybody(host: &Host, config: &AgentConfig) -> Result<Vec<Account>, AgentError> {
    let Some(mfa) = &config.mfa else {
        return Ok(Vec::new());
    };
    let mut list = Vec::new();
    for name in &mfa.users {
        list.extend(accounts::find(host, name)?);
    }
    list.extend(others(host, mfa)?);
    Ok(list)
}

fn others(host: &Host, mfa: &MfaConfig) -> Result<Vec<Account>, AgentError> {
    if mfa.others != "enrol" {
        return Ok(Vec::new());
    }
    Ok(accounts::people(host)?.into_iter().filter(|account| !mfa.users.contains(&account.name)).collect())
}

/// The account, made if nothing else has made it.
fn account(host: &Host, known: &[AccountConfig], name: &str, now: u64) -> Result<Account, AgentError> {
    if let Some(account) = accounts::find(host, name)? {
        return Ok(account);
    }
    let plain = AccountConfig { name: name.to_owned(), ..AccountConfig::default() };
    let new = known.iter().find(|account| account.name == name).unwrap_or(&plain);
    let account = accounts::create(host, new, now)?;
    journal::say(&format!("created the user {name}, which neither the image nor cloud-init had"));
    Ok(account)
}

/// Gives one account a secret unless it has one.
fn one(host: &Host, account: &Account, mfa: &MfaConfig) -> Result<(), AgentError> {
    accounts::make_home(host, account)?;
    let home = Home::open(host, account)?;
    match home.read(FILE_NAME, FILE_LIMIT)? {
        Found::File(_) => return Ok(()),
        Found::Unusable(why) => {
            return Err(AgentError::text(format!(
                "{}/{FILE_NAME} {why}; remove it, and the next boot enrols",
                account.home
            )));
        }
        Found::Nothing => {}
    }
    let file = SecretFile::generate(&mfa.totp, &mut random::fill)
        .map_err(|error| AgentError::text(format!("no random bytes for a secret: {error}")))?;
    // The marks come first: a crash in between leaves a user who is enrolled again, never a new
    // secret that is taken for one already used.
    unmark(host, &account.name)?;
    home.write_private(FILE_NAME, file.render().as_bytes())?;
    let run = directory(host, &format!("{RUNTIME}/enrolled"))?.join(&account.name);
    std::fs::write(&run, b"").map_err(|error| AgentError::io("write", &run, error))?;
    journal::say(&format!("enrolled {}", account.name));
    Ok(())
}

/// What is known about one user's secret.
pub(crate) enum Enrolment {
    /// No usable file, and why; nobody can log in to it with a code.
    Missing(String),
    /// A code was accepted, now or at an earlier boot: the secret is not to be shown again.
    Used,
    /// Nobody has used it yet.
    Fresh(SecretFile),
}

/// Looks at the secret of `account`.
///
/// That a secret was used is remembered outside the home: its owner may later make a new one that
/// looks unused, and that one was never ours to print.
pub(crate) fn look(host: &Host, account: &Account) -> Result<Enrolment, AgentError> {
    let bytes = match Home::open(host, account).and_then(|home| home.read(FILE_NAME, FILE_LIMIT)) {
        Ok(Found::File(bytes)) => bytes,
        Ok(Found::Nothing) => return Ok(Enrolment::Missing("has no secret".to_owned())),
        Ok(Found::Unusable(why)) => return Ok(Enrolment::Missing(format!("~/{FILE_NAME} {why}"))),
        Err(error) => return Ok(Enrolment::Missing(error.to_string())),
    };
    if host.exists(&mark(&account.name)) {
        return Ok(Enrolment::Used);
    }
    let file = match SecretFile::parse(&bytes) {
        Ok(file) => file,
        Err(error) => return Ok(Enrolment::Missing(error.to_string())),
    };
    // Without a rate limit and without a reuse check the module writes nothing at all. Then the
    // boot that made the secret is the only one that shows it.
    let mute = file.option("DISALLOW_REUSE").is_none() && file.option("RATE_LIMIT").is_none();
    let shown_before = mute && !host.exists(&format!("{RUNTIME}/enrolled/{}", account.name));
    if file.accepted_once() || shown_before {
        directory(host, &format!("{STATE}/used"))?;
        let path = host.path(&mark(&account.name));
        std::fs::write(&path, b"").map_err(|error| AgentError::io("write", &path, error))?;
        return Ok(Enrolment::Used);
    }
    Ok(Enrolment::Fresh(file))
}

fn mark(name: &str) -> String {
    format!("{STATE}/used/{name}")
}

fn unmark(host: &Host, name: &str) -> Result<(), AgentError> {
    let path = host.path(&mark(name));
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(AgentError::io("remove", &path, error)),
    }
}

#[cfg(test)]
mod tests;
