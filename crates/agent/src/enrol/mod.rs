//! Enrolment: a secret for every user of the recipe, before SSH starts, for this machine and no other.
//!
//! - [`identity`]: which machine this is, and which one the secrets on its disk were made for.
//! - [`foreign`]: what another machine left is taken away.
//! - [`secret`]: a user's secret is made and looked at; [`operator`]: it comes from user-data.
//! - [`password`]: passwords that are made here.
//! - [`renew`]: a new secret on purpose.
//! - [`outcome`]: what `status` tells of it.

mod foreign;
pub(crate) mod identity;
mod operator;
pub(crate) mod outcome;
pub(crate) mod password;
mod renew;
mod secret;

use hardtack_credentials::{AccountConfig, AgentConfig, MfaConfig};

pub(crate) use renew::{Renewal, is_private, renew};
pub(crate) use secret::{Enrolment, look};

use crate::accounts::{self, Account};
use crate::error::AgentError;
use crate::host::Host;
use crate::{facts, journal, overlay};
use identity::{Identity, Known};
use outcome::Outcome;

/// Enrols everybody who is to be. One user's failure does not keep the others from it; the error
/// names all that failed.
pub(crate) fn run(host: &Host, config: &AgentConfig, now: u64) -> Result<(), AgentError> {
    let mut outcome = Outcome::load(host);
    let done = all(host, config, now, &mut outcome);
    outcome.save(host)?;
    done
}

fn all(host: &Host, config: &AgentConfig, now: u64, outcome: &mut Outcome) -> Result<(), AgentError> {
    let machine = Identity::of(host, config);
    // Whatever else fails: nobody logs in with what another machine knows.
    let record = own(host, &machine, outcome)?;
    if let Some(what) = overlay::barred(host, config, &overlay::root(host)) {
        return Err(AgentError::text(format!("{what}; nobody is enrolled")));
    }
    if facts::make_host_keys(host) {
        journal::say("made SSH host keys, since the machine had none");
    }
    identity::write(host, &record)?;
    let mut failed = Vec::new();
    if let Some(mfa) = &config.mfa {
        failed = users(host, config, mfa, &machine, now, outcome)?;
    }
    for account in &config.accounts {
        let Some(known) = accounts::find(host, &account.name)? else { continue };
        let used = config.mfa.is_some() && matches!(look(host, &known)?, Enrolment::Used);
        if let Err(error) = password::make(host, account, used, now) {
            failed.push(format!("the password of {}: {error}", account.name));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(AgentError::text(format!("not enrolled: {}", failed.join("; ")))),
    }
}

/// Makes the machine its own, and returns the record for it.
fn own(host: &Host, machine: &Identity, outcome: &mut Outcome) -> Result<Identity, AgentError> {
    let (mut record, left) = match identity::compare(host, machine) {
        Known::New => (machine.clone(), foreign::Left::default()),
        Known::Same(record) => {
            let left = foreign::drop_left(host, &record.left);
            (record, left)
        }
        Known::Other(why) => {
            journal::say(&format!(
                "the secrets on this disk were made for another machine: {why}; all are dropped, and everybody is enrolled anew"
            ));
            outcome.dropped = Some(why);
            (machine.clone(), foreign::drop_all(host, operator::may_set_passwords(host, machine)))
        }
    };
    outcome.foreign.clone_from(&left.working);
    if !left.working.is_empty() {
        // The record stays as it is, so the next boot tries again, and nothing is printed before.
        return Err(AgentError::text(left.working.join("; ")));
    }
    record.left = left.covered;
    Ok(record)
}

/// Enrols the users, and returns whom it failed for.
fn users(
    host: &Host,
    config: &AgentConfig,
    mfa: &MfaConfig,
    machine: &Identity,
    now: u64,
    outcome: &mut Outcome,
) -> Result<Vec<String>, AgentError> {
    let (mut brought, mut notes) = operator::read(host, machine);
    let mut failed = Vec::new();
    let mut one = |name: &str, account: Result<Account, AgentError>| {
        let at = brought.iter().position(|secret| secret.user == name);
        let secret = at.map(|at| brought.swap_remove(at));
        let done = account.and_then(|account| {
            match &secret {
                Some(secret) => operator::give(host, &account, mfa, &secret.secret)?,
                None => secret::make(host, &account, mfa)?,
            }
            look(host, &account)
        });
        match done {
            Ok(Enrolment::Missing(why)) => outcome.user(name, "failed", Some(why)),
            Ok(Enrolment::Used) => outcome.user(name, "used", None),
            Ok(Enrolment::Operator { .. }) => outcome.user(name, "operator", None),
            Ok(Enrolment::Fresh(_)) => outcome.user(name, "fresh", None),
            Err(error) => {
                outcome.user(name, "failed", Some(error.to_string()));
                failed.push(format!("{name}: {error}"));
            }
        }
    };
    for name in &mfa.users {
        one(name, account(host, &config.accounts, name, now));
    }
    for account in others(host, mfa)? {
        one(&account.name.clone(), Ok(account));
    }
    for secret in brought {
        notes.push(match accounts::find(host, &secret.user)? {
            None => format!("{} does not exist: the operator's secret for it is not used", secret.user),
            Some(_) => {
                format!("{} is not enrolled here: the operator's secret for it is not used", secret.user)
            }
        });
    }
    notes.iter().for_each(|note| journal::say(note));
    outcome.notes = notes;
    Ok(failed)
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

#[cfg(test)]
mod tests;
