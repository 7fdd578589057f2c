//! A new secret on purpose: `hardtack-agent enroll --user U`, by root on the machine.
//!
//! The old secret, its scratch codes and its marks end at once. On a terminal the new one is shown as google-authenticator
//! shows it, and never printed on a console afterwards: that is what one renews for after the first login. Anywhere
//! else, and on a serial console, whose log others read, the block is printed, sealed as the recipe says.

use std::io::Write;
use std::path::Path;

use hardtack_credentials::qr::QrCode;
use hardtack_credentials::{AgentConfig, RandomPassword, SecretFile, UserCredentials};

use super::identity::{self, Identity, Known};
use super::outcome::Outcome;
use super::secret::{self, remove};
use super::{everybody, operator, password};
use crate::accounts;
use crate::config::RUNTIME;
use crate::error::AgentError;
use crate::host::Host;
use crate::{facts, journal, overlay, random, report};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Renewal {
    /// Whose secret.
    pub(crate) user: String,
    /// A new password, too, where it was made here.
    pub(crate) password: bool,
    /// On the console, whoever asks.
    pub(crate) console: bool,
}

/// Renews, and shows it on `terminal`; without one, prints the block. `clock` tells seconds since 1970.
pub(crate) fn renew(
    host: &Host,
    config: &AgentConfig,
    renewal: &Renewal,
    clock: fn() -> u64,
    terminal: Option<&mut dyn Write>,
) -> Result<(), AgentError> {
    let name = &renewal.user;
    let Some(mfa) = &config.mfa else {
        return Err(AgentError::text("the recipe has no `mfa` step: there are no secrets here"));
    };
    if let Some(what) = overlay::barred(host, config, &overlay::root(host)) {
        return Err(AgentError::text(format!("{what}; nobody is enrolled")));
    }
    let account = everybody(host, config)?.into_iter().find(|account| account.name == *name);
    let Some(account) = account else {
        let why = match accounts::find(host, name)? {
            Some(_) => {
                format!("{name} is not enrolled here: the recipe's `mfa` step names {}", mfa.users.join(", "))
            }
            None => format!("{name} does not exist"),
        };
        return Err(AgentError::text(why));
    };
    let wanted = renewal.password.then(|| made_here(config, name)).transpose()?;
    let machine = Identity::of(host, config);
    let record = match identity::compare(host, &machine) {
        Known::Same(record) => record,
        Known::New => machine,
        Known::Other(why) => {
            return Err(AgentError::text(format!(
                "the secrets on this disk were made for another machine ({why}): restart hardtack-enrol.service first"
            )));
        }
    };
    identity::write(host, &record)?;

    let file = SecretFile::generate(&mfa.totp, &mut random::fill)
        .map_err(|error| AgentError::text(format!("no random bytes for a secret: {error}")))?;
    operator::renewed(host, name)?;
    remove(host, &format!("{RUNTIME}/sealed/{name}.json"))?;
    secret::write(host, &account, &file)?;
    journal::say(&format!("renewed the secret of {name}: the old one and its scratch codes have ended"));
    if let Some(wanted) = wanted {
        password::set(host, name, wanted, false, clock())?;
    }
    note(host, name, "fresh");
    let Some(terminal) = terminal.filter(|_| !renewal.console) else {
        return report::run(host, config, clock);
    };
    let password = password::shown(host, name, Some(false)).unwrap_or_default();
    let hostname = facts::hostname(host);
    let user = report::users::credentials(
        config,
        &account,
        &hostname,
        record.instance_id.as_deref(),
        Some(file),
        password,
    );
    show(&user, terminal).map_err(|error| {
        AgentError::text(format!("the new secret cannot be shown here ({error}): run it again"))
    })?;
    // It has its reader: no console needs it.
    secret::set_mark(host, name)?;
    note(host, name, "used");
    Ok(())
}

/// Whether what is written to the terminal `tty` stays there: a serial console is kept by the cloud as a log.
pub(crate) fn is_private(host: &Host, tty: &Path) -> bool {
    let active = host.first_line("/sys/class/tty/console/active").unwrap_or_default();
    let Some(name) = tty.strip_prefix("/dev").ok().and_then(Path::to_str) else { return false };
    let is_virtual = |name: &str| {
        let number = name.strip_prefix("tty").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_kept = ["console", "ttyS", "ttyAMA", "ttymxc", "ttyO", "hvc", "hvsi", "xvc", "sclp", "3270"]
        .iter()
        .any(|kept| name.starts_with(kept));
    !is_kept && (is_virtual(name) || !active.split_whitespace().any(|console| console == name))
}

/// How the password of `name` is made, if it is.
fn made_here<'a>(config: &'a AgentConfig, name: &str) -> Result<&'a RandomPassword, AgentError> {
    let account = config.accounts.iter().find(|account| account.name == name);
    account.and_then(|account| account.random_password.as_ref()).ok_or_else(|| {
        AgentError::text(format!(
            "the password of {name} is not made here (`user: {{password: random}}` in the recipe): set it with passwd"
        ))
    })
}

fn note(host: &Host, name: &str, state: &str) {
    let mut outcome = Outcome::load(host);
    outcome.user(name, state, None);
    if let Err(error) = outcome.save(host) {
        journal::say(&error.to_string());
    }
}

/// As google-authenticator shows it.
fn show(user: &UserCredentials, terminal: &mut dyn Write) -> std::io::Result<()> {
    writeln!(terminal, "{}", user.otpauth)?;
    if let Some(code) = QrCode::new(&user.otpauth) {
        for line in code.coloured_half_blocks() {
            writeln!(terminal, "{line}")?;
        }
    }
    writeln!(terminal, "Your new secret key is: {}", user.secret)?;
    writeln!(terminal, "Your emergency scratch codes are:")?;
    for code in &user.scratch_codes {
        writeln!(terminal, "  {code}")?;
    }
    if !user.password.is_empty() {
        writeln!(terminal, "Your password is: {}", user.password)?;
    }
    writeln!(terminal, "Nobody is shown this again. The old secret has ended.")?;
    terminal.flush()
}
