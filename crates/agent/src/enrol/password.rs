//! Passwords that are made on the instance: `user: {password: random}`.
//!
//! Set as chpasswd(8) would, without the image's own: a hash of crypt(5)'s `$6$` in /etc/shadow, and the day of the change
//! (shadow(5): 0 makes the first login change it). What was made is kept until its owner has logged in with a
//! code, for the block; the digest of the hash is kept longer, and tells whether the password is still the one made here.

use hardtack_credentials::block::checksum;
use hardtack_credentials::{AccountConfig, RandomPassword};
use serde::{Deserialize, Serialize};
use sha_crypt::password_hash::CustomizedPasswordHasher;
use sha_crypt::{Params, ShaCrypt};

use super::secret::remove;
use crate::accounts::{self, Shadow, replace};
use crate::config::{RUNTIME, STATE, directory};
use crate::error::AgentError;
use crate::host::Host;
use crate::{journal, random};

/// The rounds that `$6$` without `rounds=` stands for (SHA-crypt specification).
const ROUNDS: u32 = 5000;
/// What the build lets through, and what is made whatever the file says.
const LENGTHS: std::ops::RangeInclusive<u32> = 8..=128;

/// In the note of this boot: the user's secret was in use before the password was made.
const USED: &str = "used";

/// One password that was made here; 0600 in /var/lib/hardtack/passwords.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Made {
    /// Until it has served.
    password: Option<String>,
    /// The digest of the field in shadow(5).
    hash: String,
}

/// Gives `account` a password unless it has one. What user-data or the user has set stays. `used`: a code of the user's
/// was accepted already.
pub(super) fn make(host: &Host, account: &AccountConfig, used: bool, now: u64) -> Result<(), AgentError> {
    let Some(wanted) = &account.random_password else { return Ok(()) };
    let name = &account.name;
    let field = Shadow::field(host, name)?.unwrap_or_default();
    match load(host, name) {
        // Also where somebody has locked the account since.
        Some(made) if is_ours(&field, &made) => Ok(()),
        Some(_) if !is_unset(&field) => forget(host, name),
        None if !field.is_empty() && !field.starts_with(['!', '*']) => {
            journal::say(&format!("{name} has a password, from the image or from user-data: none is made"));
            Ok(())
        }
        _ => set(host, name, wanted, used, now),
    }
}

/// Gives the account another password, whatever it has.
pub(super) fn set(
    host: &Host,
    name: &str,
    wanted: &RandomPassword,
    used: bool,
    now: u64,
) -> Result<(), AgentError> {
    let password = generate(wanted)?;
    let hash = hash(&password)?;
    // What is shown first, then what counts: the other way round nobody would know it after a crash.
    save(host, name, &Made { password: Some(password), hash: checksum(&hash) })?;
    let run = directory(host, &format!("{RUNTIME}/passwords"))?.join(name);
    std::fs::write(&run, if used { USED } else { "" })
        .map_err(|error| AgentError::io("write", &run, error))?;
    let changed = if wanted.expire { "0".to_owned() } else { accounts::day(now) };
    Shadow::set(host, name, &hash, Some(&changed))?;
    journal::say(&format!("made a password for {name}"));
    Ok(())
}

/// The password to show: made here, still in force, and not served yet. `used` is `None` for who has no code.
pub(crate) fn shown(host: &Host, name: &str, used: Option<bool>) -> Option<String> {
    let made = load(host, name)?;
    let this_boot = host.read_text(&format!("{RUNTIME}/passwords/{name}")).ok().flatten();
    let field = match Shadow::field(host, name) {
        Ok(field) => field.unwrap_or_default(),
        // What cannot be read is no reason to forget what nobody else knows.
        Err(error) => {
            journal::say(&format!("the password of {name} is not shown: {error}"));
            return None;
        }
    };
    let is_over = match used {
        // A code that was accepted says that the password has arrived, unless it is the younger one.
        Some(used) => used && this_boot.as_deref() != Some(USED),
        None => this_boot.is_none(),
    };
    if is_over || checksum(&field) != made.hash {
        if let Err(error) = forget(host, name) {
            journal::say(&error.to_string());
        }
        return None;
    }
    made.password
}

/// Locks every account whose password was made here, and forgets the passwords. One that the user has chosen instead
/// goes with it, unless `user_data` may have set it for this machine.
pub(super) fn lock_all(host: &Host, user_data: bool) -> Result<(), AgentError> {
    for name in host.names(&format!("{STATE}/passwords")) {
        // A record that cannot be read says nothing of the hash: then the account is locked, too.
        let made = load(host, &name);
        let field = Shadow::field(host, &name)?;
        let is_ours = |field: &String| made.as_ref().is_none_or(|made| is_ours(field, made));
        if field.is_some_and(|field| !user_data || is_ours(&field)) {
            Shadow::set(host, &name, "!", None)?;
            journal::say(&format!("locked the password of {name}: it was made for another machine"));
        }
        remove(host, &path(&name))?;
    }
    Ok(())
}

/// Whether the password in force is the one made here, or was locked by somebody since.
fn is_ours(field: &str, made: &Made) -> bool {
    checksum(field.trim_start_matches('!')) == made.hash
}

/// A field without any hash.
fn is_unset(field: &str) -> bool {
    field.trim_start_matches(['!', '*']).is_empty()
}

/// Characters of the alphabet, each as likely as the others.
fn generate(wanted: &RandomPassword) -> Result<String, AgentError> {
    let mut alphabet: Vec<char> = wanted.chars.chars().filter(char::is_ascii_graphic).collect();
    if alphabet.len() < 2 {
        alphabet = RandomPassword::UNAMBIGUOUS.chars().collect();
    }
    let length = wanted.length.clamp(*LENGTHS.start(), *LENGTHS.end()) as usize;
    // The largest multiple of the alphabet's size below 256: above it some characters would be likelier.
    let bound = 256 - 256 % alphabet.len().min(256);
    let mut password = String::with_capacity(length);
    let mut bytes = [0; 64];
    while password.len() < length {
        random::fill(&mut bytes)
            .map_err(|error| AgentError::text(format!("no random bytes for a password: {error}")))?;
        let good = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < bound);
        password.extend(
            good.filter_map(|byte| alphabet.get(byte % alphabet.len())).take(length - password.len()),
        );
    }
    Ok(password)
}

fn hash(password: &str) -> Result<String, AgentError> {
    let failed = || AgentError::text("the password cannot be hashed");
    // 12 bytes are the 16 characters that SHA-crypt takes at most.
    let mut salt = [0; 12];
    random::fill(&mut salt)
        .map_err(|error| AgentError::text(format!("no random bytes for a password's salt: {error}")))?;
    let parameters = Params::new(ROUNDS).map_err(|_| failed())?;
    let hash = ShaCrypt::SHA512
        .hash_password_customized(password.as_bytes(), &salt, None, None, parameters)
        .map_err(|_| failed())?
        .to_string();
    Ok(hash.replacen(&format!("$rounds={ROUNDS}$"), "$", 1))
}

fn path(name: &str) -> String {
    format!("{STATE}/passwords/{name}")
}

fn load(host: &Host, name: &str) -> Option<Made> {
    serde_json::from_slice(&host.read(&path(name)).ok()??).ok()
}

fn save(host: &Host, name: &str, made: &Made) -> Result<(), AgentError> {
    directory(host, &format!("{STATE}/passwords"))?;
    let text = serde_json::to_string(made).map_err(|_| {
        AgentError::text(format!("what is known of the password of {name} cannot be written"))
    })?;
    replace(&host.path(&path(name)), text.as_bytes(), 0o600, None)
}

/// Lets go of the text; that it was made here stays known.
fn forget(host: &Host, name: &str) -> Result<(), AgentError> {
    match load(host, name) {
        Some(made @ Made { password: Some(_), .. }) => save(host, name, &Made { password: None, ..made }),
        _ => Ok(()),
    }
}
