//! One user's secret: made, looked at, remembered as used.

use hardtack_credentials::secret_file::FILE_NAME;
use hardtack_credentials::{MfaConfig, SecretFile};

use super::operator;
use crate::accounts::{self, Account};
use crate::config::{RUNTIME, STATE, directory};
use crate::error::AgentError;
use crate::home::{Found, Home};
use crate::host::Host;
use crate::{journal, random};

/// A secret file is a few hundred bytes; the module itself gives up above 64 KiB.
pub(super) const FILE_LIMIT: u64 = 64 << 10;

/// Gives one account a secret unless it has one.
pub(super) fn make(host: &Host, account: &Account, mfa: &MfaConfig) -> Result<(), AgentError> {
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
    write(host, account, &file)?;
    journal::say(&format!("enrolled {}", account.name));
    Ok(())
}

/// Writes a secret that nobody has used.
pub(super) fn write(host: &Host, account: &Account, file: &SecretFile) -> Result<(), AgentError> {
    let home = Home::open(host, account)?;
    // The marks come first: a crash in between leaves a user who is enrolled again, never a new
    // secret that is taken for one already used.
    unmark(host, &account.name)?;
    home.write_private(FILE_NAME, file.render().as_bytes())?;
    let run = directory(host, &format!("{RUNTIME}/enrolled"))?.join(&account.name);
    std::fs::write(&run, b"").map_err(|error| AgentError::io("write", &run, error))
}

/// What is known about one user's secret.
pub(crate) enum Enrolment {
    /// No usable file, and why; nobody can log in to it with a code.
    Missing(String),
    /// A code was accepted, now or at an earlier boot: the secret is not to be shown again.
    Used,
    /// The operator has brought it and is the one who has it. `used`: a code was accepted.
    Operator { used: bool },
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
    let held = operator::holds(host, &account.name);
    if host.exists(&mark(&account.name)) {
        return Ok(if held { Enrolment::Operator { used: true } } else { Enrolment::Used });
    }
    let file = match SecretFile::parse(&bytes) {
        Ok(file) => file,
        Err(error) => return Ok(Enrolment::Missing(error.to_string())),
    };
    if held {
        // Its file never had scratch codes.
        let used = ["DISALLOW_REUSE", "LAST0"]
            .iter()
            .any(|name| file.option(name).is_some_and(|text| !text.is_empty()));
        if used {
            set_mark(host, &account.name)?;
        }
        return Ok(Enrolment::Operator { used });
    }
    // Without a rate limit and without a reuse check the module writes nothing at all. Then the
    // boot that made the secret is the only one that shows it.
    let mute = file.option("DISALLOW_REUSE").is_none() && file.option("RATE_LIMIT").is_none();
    let shown_before = mute && !host.exists(&format!("{RUNTIME}/enrolled/{}", account.name));
    if file.accepted_once() || shown_before {
        set_mark(host, &account.name)?;
        return Ok(Enrolment::Used);
    }
    Ok(Enrolment::Fresh(file))
}

fn mark(name: &str) -> String {
    format!("{STATE}/used/{name}")
}

/// Remembers that the secret is not to be shown again.
pub(super) fn set_mark(host: &Host, name: &str) -> Result<(), AgentError> {
    directory(host, &format!("{STATE}/used"))?;
    let path = host.path(&mark(name));
    std::fs::write(&path, b"").map_err(|error| AgentError::io("write", &path, error))
}

pub(super) fn unmark(host: &Host, name: &str) -> Result<(), AgentError> {
    remove(host, &mark(name))
}

/// Removes a file of ours that may be missing.
pub(super) fn remove(host: &Host, path: &str) -> Result<(), AgentError> {
    let path = host.path(path);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(AgentError::io("remove", &path, error)),
    }
}
