//! Whose part of the block is sealed, to which keys, and what happens where that cannot be done.
//!
//! `seal: ssh` and `auto` take the keys that sshd takes for that user (`AuthorizedKeysFile` of sshd_config(5)). Host keys
//! are nobody's. What was sealed once stays so for the boot: every print of it shows the same text.

use std::fs::File;
use std::io::Read;

use hardtack_credentials::block::checksum;
use hardtack_credentials::seal::{self, Recipient, Recipients};
use hardtack_credentials::{MfaConfig, SealedCredentials, UserCredentials, UserPart, WithheldCredentials};
use hardtack_login::sshd::{Config, Connection, Version};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::accounts::{Account, replace_unsynced};
use crate::config::{RUNTIME, directory};
use crate::error::AgentError;
use crate::facts;
use crate::host::Host;
use crate::journal;
use crate::login_files::LoginFiles;
use crate::random;

/// A file of keys is a few kilobytes.
const LIMIT: u64 = 1 << 20;

/// What was sealed in this boot, and for what.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The digest of the secrets and the keys.
    of: String,
    part: SealedCredentials,
}

/// Whom a part is for.
enum Readers {
    /// Whoever reads the console.
    Everybody,
    /// The user's own login keys; `or_plain`: without any, everybody.
    Login { or_plain: bool },
    /// These keys.
    Listed(Vec<String>),
    /// Nobody: a rule that this agent does not know.
    Nobody,
}

fn readers(mfa: &MfaConfig, name: &str) -> Readers {
    if let Some(recovery) = &mfa.recovery
        && recovery.user == name
        && !recovery.recipients.is_empty()
    {
        return Readers::Listed(recovery.recipients.clone());
    }
    match mfa.seal.as_str() {
        "none" => Readers::Everybody,
        "auto" => Readers::Login { or_plain: true },
        "ssh" => Readers::Login { or_plain: false },
        "recipients" => Readers::Listed(mfa.recipients.clone()),
        _ => Readers::Nobody,
    }
}

/// The part of the block for `user`, as the recipe wants it sealed; and why it is in plain text, where it should not be.
pub(super) fn part(
    host: &Host,
    mfa: Option<&MfaConfig>,
    account: &Account,
    user: UserCredentials,
) -> (UserPart, Option<String>) {
    let readers = mfa.map_or(Readers::Everybody, |mfa| readers(mfa, &account.name));
    let (recipients, why, or_plain) = match readers {
        Readers::Everybody => return (UserPart::Plain(user), None),
        Readers::Nobody => {
            let why = "the recipe's `seal` is one that this agent does not know; build the image again";
            return withheld(user, why.to_owned());
        }
        Readers::Login { or_plain } => {
            let keys = login_keys(host, account);
            (keys.usable, seal::why_not(&keys.unusable), or_plain)
        }
        Readers::Listed(list) => {
            let parsed: Vec<Recipient> = list.iter().filter_map(|text| Recipient::parse(text).ok()).collect();
            if parsed.len() < list.len() {
                let damaged = list.len() - parsed.len();
                journal::say(&format!(
                    "{damaged} of the recipe's {} recipients are no keys to seal to",
                    list.len()
                ));
            }
            if parsed.is_empty() {
                let why = "the recipe's recipients are no keys to seal to; build the image again with keys of age, \
                           ssh-ed25519 or ssh-rsa";
                return withheld(user, why.to_owned());
            }
            (parsed, String::new(), false)
        }
    };
    let (error, advice) = match recipients.is_empty() {
        true => (why, add_a_key(&user.name)),
        false => match sealed(host, &user, &recipients) {
            Ok(part) => return (UserPart::Sealed(part), None),
            Err(error) => {
                (error.to_string(), "a reboot, or `hardtack-agent print` (root), tries again".to_owned())
            }
        },
    };
    if or_plain {
        return (UserPart::Plain(user), Some(error));
    }
    withheld(user, format!("{error}; {advice}"))
}

/// What to do where nobody has a key that opens anything.
fn add_a_key(name: &str) -> String {
    format!(
        "give the user a login key of type ed25519 or RSA (2048 to 4096 bits, in ~/.ssh/authorized_keys) and reboot, or \
         run `hardtack-agent enroll --user {name}` (root); or name recipients in the recipe (seal: {{recipients: [...]}}), \
         or bring the secret in user-data (hardtack: {{totp: ...}}), and launch a new machine"
    )
}

fn withheld(user: UserCredentials, withheld: String) -> (UserPart, Option<String>) {
    (UserPart::Withheld(WithheldCredentials { name: user.name, withheld }), None)
}

/// The part sealed to `recipients`: the text of an earlier print of this boot where it is for the same.
fn sealed(
    host: &Host,
    user: &UserCredentials,
    recipients: &[Recipient],
) -> Result<SealedCredentials, AgentError> {
    let mut text = serde_json::to_string(user).unwrap_or_default();
    for recipient in recipients {
        text.push('\0');
        text.push_str(&recipient.to_string());
    }
    let of = checksum(&text);
    let path = format!("{RUNTIME}/sealed/{}.json", user.name);
    let kept = host.read(&path).ok().flatten().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    if let Some(kept) = kept.filter(|kept| kept.of == of) {
        return Ok(kept.part);
    }
    let part = seal::fit(user, recipients, &mut random::fill)
        .map_err(|error| AgentError::text(error.to_string()))?;
    let kept = Kept { of, part };
    // Where it cannot be kept the next print has another text, which readers know; this one is sealed all the same.
    if let Err(error) = keep(host, &path, &kept) {
        journal::say(&error.to_string());
    }
    Ok(kept.part)
}

fn keep(host: &Host, path: &str, kept: &Kept) -> Result<(), AgentError> {
    let text = serde_json::to_string(kept).unwrap_or_default();
    directory(host, &format!("{RUNTIME}/sealed"))?;
    replace_unsynced(&host.path(path), text.as_bytes(), 0o600)
}

/// The keys that sshd takes for `account`.
pub(super) fn login_keys(host: &Host, account: &Account) -> Recipients {
    let mut text = String::new();
    for pattern in patterns(host, account) {
        match read(host, &place(&pattern, account), account) {
            Ok(Some(found)) => {
                text.push_str(&found);
                text.push('\n');
            }
            Ok(None) => {}
            Err(error) => journal::say(&error.to_string()),
        }
    }
    let mut keys = seal::recipients(&text);
    let own = seal::recipients(&facts::host_keys(host).join("\n"));
    let own: Vec<String> = own.usable.iter().map(ToString::to_string).collect();
    keys.usable.retain(|key| !own.contains(&key.to_string()));
    keys
}

/// `AuthorizedKeysFile` for this user; where sshd's configuration cannot be read, its default (sshd_config(5)).
fn patterns(host: &Host, account: &Account) -> Vec<String> {
    let files = LoginFiles(host);
    let version = hardtack_login::sshd::installed(&files).ok().flatten().unwrap_or(Version::UNKNOWN);
    let Ok(config) = Config::load(&files, version) else { return default_patterns() };
    let group = |number: u32| {
        let text = host.read_text("/etc/group").ok().flatten().unwrap_or_default();
        let mut names = Vec::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members, ..] = fields.as_slice() else { continue };
            if gid.parse() == Ok(number) || members.split(',').any(|member| member == account.name) {
                names.push((*name).to_owned());
            }
        }
        names
    };
    let connection =
        Connection { user: Some(account.name.clone()), groups: group(account.gid), ..Connection::default() };
    match config.for_connection("AuthorizedKeysFile", &connection).first() {
        None => default_patterns(),
        Some(setting) => setting.words.iter().filter(|word| *word != "none").cloned().collect(),
    }
}

fn default_patterns() -> Vec<String> {
    vec![".ssh/authorized_keys".to_owned(), ".ssh/authorized_keys2".to_owned()]
}

/// The pattern's path: `%h`, `%u`, `%U`, `%%`; relative ones are below the home.
fn place(pattern: &str, account: &Account) -> String {
    let mut path = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '%') {
            (_, true) => match letters.next() {
                Some('h') => path.push_str(&account.home),
                Some('u') => path.push_str(&account.name),
                Some('U') => path.push_str(&account.uid.to_string()),
                Some('%') => path.push('%'),
                _ => {}
            },
            _ => path.push(letter),
        }
    }
    if path.starts_with('/') { path } else { format!("{}/{path}", account.home) }
}

/// A file of keys as sshd would take it: regular, the user's or root's. Links are followed, as sshd does: what is read
/// are public keys, and a user who has laid one seals the own secret to them.
fn read(host: &Host, path: &str, account: &Account) -> Result<Option<String>, AgentError> {
    let full = host.path(path);
    // NONBLOCK: a named pipe laid there must not hold the boot.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(&full, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(error) => return Err(AgentError::io("open", &full, error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(|error| AgentError::io("read", &full, error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || (stat.st_uid != account.uid && stat.st_uid != 0)
    {
        return Ok(None);
    }
    // sshd does not take one either that others can write (`StrictModes`; Debian's lets the user's own group). Whoever
    // has put a key into it is not its owner.
    if stat.st_mode & 0o002 != 0 || (stat.st_mode & 0o020 != 0 && stat.st_gid != account.gid) {
        journal::say(&format!("{path}: others can write it; its keys are nobody's to seal to"));
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|error| AgentError::io("read", &full, error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
