//! The users' parts of the block: who has something to be told, and how.

use hardtack_credentials::{
    AgentConfig, SecretFile, UserCredentials, UserPart, WithheldCredentials, otpauth,
};

use super::sealing;
use crate::accounts::{self, Account};
use crate::enrol::identity::{self, Identity, Known};
use crate::enrol::outcome::{Outcome, PATH};
use crate::enrol::{self, Enrolment, password};
use crate::error::AgentError;
use crate::host::Host;
use crate::journal;

/// What the block says of users.
#[derive(Default)]
pub(super) struct Users {
    pub(super) parts: Vec<UserPart>,
    /// A code was accepted.
    pub(super) accepted: Vec<String>,
    /// The operator has the secret.
    pub(super) operator: Vec<String>,
    /// The password was made here.
    pub(super) passwords: Vec<String>,
    /// In plain text although the recipe asks to seal, and why.
    pub(super) unsealed: Vec<(String, String)>,
    /// Sentences about what went wrong.
    pub(super) lines: Vec<String>,
    /// As this machine's record has it.
    pub(super) instance: Option<String>,
}

/// Looks at everybody. `hostname` stands in the URLs for apps.
pub(super) fn look(host: &Host, config: &AgentConfig, hostname: &str) -> Result<Users, AgentError> {
    let mut users = Users::default();
    let mut outcome = Outcome::load(host);
    let machine = Identity::of(host, config);
    let all = enrol::everybody(host, config)?;
    // Between enrolment and now nobody becomes another machine: then enrolment has not run, or has failed.
    let foreign = match identity::compare(host, &machine) {
        Known::Same(record) => {
            users.instance.clone_from(&record.instance_id);
            None
        }
        Known::New => Some("enrolment did not run".to_owned()),
        Known::Other(why) => Some(format!("it may be another machine's: {why}")),
    };
    if let Some(why) = foreign {
        users.instance.clone_from(&machine.instance_id);
        for account in all {
            let withheld = format!(
                "the secret is not shown, since {why}; `systemctl status hardtack-enrol` says what failed"
            );
            outcome.printed(&account.name, "withheld", Some(withheld.clone()));
            users.parts.push(UserPart::Withheld(WithheldCredentials { name: account.name, withheld }));
        }
        save(host, &mut outcome);
        return Ok(users);
    }
    for account in &all {
        let (used, file) = match enrol::look(host, account)? {
            Enrolment::Used => {
                outcome.user(&account.name, "used", None);
                users.accepted.push(account.name.clone());
                (true, None)
            }
            Enrolment::Operator { used } => {
                outcome.user(&account.name, "operator", None);
                users.operator.push(account.name.clone());
                (used, None)
            }
            Enrolment::Missing(why) => {
                users.lines.push(format!("{} {why}: no login with a code", account.name));
                outcome.user(&account.name, "failed", Some(why));
                (false, None)
            }
            Enrolment::Fresh(file) => {
                outcome.user(&account.name, "fresh", None);
                (false, Some(file))
            }
        };
        let password = password::shown(host, &account.name, Some(used)).unwrap_or_default();
        add(
            host,
            config,
            account,
            credentials(config, account, hostname, users.instance.as_deref(), file, password),
            &mut users,
            &mut outcome,
        );
    }
    for known in &config.accounts {
        if all.iter().any(|account| account.name == known.name) {
            continue;
        }
        let Some(account) = accounts::find(host, &known.name)? else { continue };
        let password = password::shown(host, &known.name, None).unwrap_or_default();
        add(
            host,
            config,
            &account,
            credentials(config, &account, hostname, None, None, password),
            &mut users,
            &mut outcome,
        );
    }
    if let Some(mfa) = &config.mfa {
        for name in &mfa.users {
            if !all.iter().any(|account| account.name == *name) {
                users.lines.push(format!("{name} does not exist: nobody can log in as {name}"));
            }
        }
    }
    users.lines.extend(outcome.notes.iter().cloned());
    save(host, &mut outcome);
    Ok(users)
}

/// Adds the user's part, if there is anything in it.
fn add(
    host: &Host,
    config: &AgentConfig,
    account: &Account,
    user: UserCredentials,
    users: &mut Users,
    outcome: &mut Outcome,
) {
    if user.secret.is_empty() && user.password.is_empty() {
        return;
    }
    if !user.password.is_empty() {
        users.passwords.push(user.name.clone());
    }
    let (part, unsealed) = sealing::part(host, config.mfa.as_ref(), account, user);
    match &part {
        UserPart::Sealed(_) => outcome.printed(&account.name, "sealed", None),
        UserPart::Withheld(part) => outcome.printed(&account.name, "withheld", Some(part.withheld.clone())),
        UserPart::Plain(_) => outcome.printed(&account.name, "plain", unsealed.clone()),
    }
    users.unsealed.extend(unsealed.map(|why| (account.name.clone(), why)));
    users.parts.push(part);
}

/// What there is to hand over.
pub(crate) fn credentials(
    config: &AgentConfig,
    account: &Account,
    hostname: &str,
    instance: Option<&str>,
    file: Option<SecretFile>,
    password: String,
) -> UserCredentials {
    let mut user = UserCredentials { name: account.name.clone(), password, ..UserCredentials::default() };
    if let Some(file) = file {
        user.otpauth = otpauth::url(&config.recipe, &account.name, hostname, instance, file.secret());
        user.secret = file.secret().to_owned();
        user.scratch_codes = file.scratch_codes().to_vec();
    }
    user
}

/// Adds to what enrolment has noted. Where it has not come so far, nobody is to believe that it has.
fn save(host: &Host, outcome: &mut Outcome) {
    if host.exists(PATH)
        && let Err(error) = outcome.save(host)
    {
        journal::say(&error.to_string());
    }
}
