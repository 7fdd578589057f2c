//! Secrets that the operator brings: `hardtack: {totp: {USER: SECRET}}` in the instance's user-data.
//!
//! Both cloud-init and the agent lay the merged configuration of the user-data down as
//! `/var/lib/cloud/instance/cloud-config.txt`. It counts only where a data source has said in this boot that the
//! machine is that instance: what a captured image carries of its own user-data is another machine's.
//!
//! The module keeps its state in the file, so it is not written again while the operator's secret stays the same; what
//! was written last is remembered as a digest. A renewal on the machine holds until the operator brings another one.

use hardtack_credentials::block::checksum;
use hardtack_credentials::secret_file::FILE_NAME;
use hardtack_credentials::{MfaConfig, SecretFile};
use hardtack_userdata::Severity;
use hardtack_userdata::merge::merge_parts;
use hardtack_userdata::operator::{OperatorSecret, totp};
use hardtack_userdata::split::{SplitOptions, split};

use super::identity::Identity;
use super::secret::{self, FILE_LIMIT};
use crate::accounts::{self, Account, replace};
use crate::config::{STATE, directory};
use crate::error::AgentError;
use crate::home::{Found, Home};
use crate::host::Host;
use crate::instance::LINK;
use crate::journal;

/// Behind the digest in the note: the user has another secret since.
const RENEWED: &str = " renewed";

/// What the operator has brought, and what is wrong with it.
pub(super) fn read(host: &Host, now: &Identity) -> (Vec<OperatorSecret>, Vec<String>) {
    // What is no cloud-config has no section of ours.
    let Some(bytes) = of_this_boot(host, now, "cloud-config.txt") else { return (Vec::new(), Vec::new()) };
    let data = split("user-data", &bytes, &SplitOptions::default());
    let (secrets, findings) = totp(&merge_parts(&data.parts).config);
    let errors = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("the user-data: {}", finding.message))
        .collect();
    (secrets, errors)
}

/// Whether this boot's user-data or vendor-data may have set a password: they have a word for one.
pub(super) fn may_set_passwords(host: &Host, now: &Identity) -> bool {
    ["cloud-config.txt", "vendor-cloud-config.txt", "vendor2-cloud-config.txt"].iter().any(|name| {
        of_this_boot(host, now, name).is_some_and(|bytes| bytes.windows(5).any(|word| word == b"passw"))
    })
}

/// A file of the instance that a data source has said the machine to be in this boot.
fn of_this_boot(host: &Host, now: &Identity, name: &str) -> Option<Vec<u8>> {
    let id = now.instance_id.as_ref()?.replace('/', "_");
    let target = std::fs::read_link(host.path(LINK)).ok()?;
    if target.file_name()?.to_str()? != id {
        return None;
    }
    host.read(&format!("{LINK}/{name}")).ok()?
}

/// Whether the secret of the user `name` is one that the operator has.
pub(super) fn holds(host: &Host, name: &str) -> bool {
    noted(host, name).is_some_and(|note| !note.ends_with(RENEWED))
}

/// Gives `account` the operator's secret, unless it has got it already.
pub(super) fn give(host: &Host, account: &Account, mfa: &MfaConfig, secret: &str) -> Result<(), AgentError> {
    accounts::make_home(host, account)?;
    let home = Home::open(host, account)?;
    let digest = checksum(&format!("{}\0{secret}", account.name));
    let is_noted =
        noted(host, &account.name).is_some_and(|note| note.strip_suffix(RENEWED).unwrap_or(&note) == digest);
    match home.read(FILE_NAME, FILE_LIMIT)? {
        // It may have a newer one of its own.
        Found::File(_) if is_noted => return Ok(()),
        Found::File(bytes) if SecretFile::parse(&bytes).is_ok_and(|file| file.secret() == secret) => {
            return note(host, &account.name, &digest);
        }
        Found::Unusable(why) => {
            return Err(AgentError::text(format!(
                "{}/{FILE_NAME} {why}; remove it, and the next boot writes the operator's secret",
                account.home
            )));
        }
        Found::File(_) | Found::Nothing => {}
    }
    let file = SecretFile::with_secret(&mfa.totp, secret)
        .map_err(|error| AgentError::text(format!("the operator's secret for {}: {error}", account.name)))?;
    // Nothing of the operator's is ever printed: the note stands before the file does.
    note(host, &account.name, &digest)?;
    secret::write(host, account, &file)?;
    journal::say(&format!("{}: wrote the secret that the operator holds", account.name));
    Ok(())
}

/// Remembers that the user has another secret than the operator's.
pub(super) fn renewed(host: &Host, name: &str) -> Result<(), AgentError> {
    match noted(host, name) {
        Some(text) if !text.ends_with(RENEWED) => note(host, name, &format!("{text}{RENEWED}")),
        _ => Ok(()),
    }
}

fn path(name: &str) -> String {
    format!("{STATE}/operator/{name}")
}

fn noted(host: &Host, name: &str) -> Option<String> {
    host.first_line(&path(name))
}

fn note(host: &Host, name: &str, text: &str) -> Result<(), AgentError> {
    directory(host, &format!("{STATE}/operator"))?;
    replace(&host.path(&path(name)), format!("{text}\n").as_bytes(), 0o600, None)
}
