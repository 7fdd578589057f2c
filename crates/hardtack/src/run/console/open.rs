//! Opening sealed parts with the keys of `--identity`.

use std::io::Write;
use std::path::{Path, PathBuf};

use hardtack_credentials::console::Reading;
use hardtack_credentials::seal::{OpenError, Stanza, stanzas};
use hardtack_credentials::{Block, HostKey, SealedCredentials, UserCredentials, UserPart};

use super::identity::{Half, Identity, Key, Lock, Opener};
use super::{NO, TRUST_NEITHER};
use crate::error::CliError;
use crate::keys::passphrase::Source;

/// The user of a part, and the key file that has opened it and logs in there.
pub(crate) type LoginKey = (String, PathBuf);

/// The newest block with what the keys open in place of the sealed parts, those of `wanted` alone; and the login keys
/// among them.
///
/// # Errors
/// Nothing opened although something is sealed: why, for each key. Another block of its boot has other
/// contents sealed for a user whose part was opened.
pub(super) fn open(
    reading: &Reading,
    wanted: Option<&str>,
    identities: &mut [Identity],
    source: &mut Source<'_>,
    err: &mut dyn Write,
) -> Result<(Block, Vec<LoginKey>), CliError> {
    let mut block = reading.newest.block.clone();
    // A recipe's recipients need not be keys that log in.
    let to_login_keys = block.seal != "recipients";
    let mut logins = Vec::new();
    let mut opening = Opening { source, problems: Vec::new() };
    for identity in identities.iter() {
        if let Err(unusable) = &identity.keys {
            opening.problem(&identity.path, unusable, &unusable.advice);
        }
    }
    let (mut opened, mut closed) = (0, Vec::new());
    for part in &mut block.users {
        let UserPart::Sealed(sealed) = part else { continue };
        if wanted.is_some_and(|name| name != sealed.name) {
            continue;
        }
        match opening.part(sealed, identities)? {
            Some((user, file)) => {
                logins.extend(file.filter(|_| to_login_keys).map(|file| (user.name.clone(), file)));
                *part = UserPart::Plain(user);
                opened += 1;
            }
            None => closed.push(sealed.clone()),
        }
    }
    for part in &reading.resealed {
        opening.compare(part, &block, identities)?;
    }
    let problems = opening.problems;
    if opened > 0 || closed.is_empty() {
        for problem in &problems {
            writeln!(err, "hardtack: warning: {}", problem.message).map_err(CliError::stream)?;
        }
        if opened == 0 {
            let of = wanted.map_or(String::new(), |name| format!(" of user \"{}\"", name.escape_debug()));
            writeln!(err, "hardtack: nothing{of} is sealed in the newest block: --identity was not needed")
                .map_err(CliError::stream)?;
        }
        return Ok((block, logins));
    }
    if let [problem] = problems.as_slice()
        && identities.len() == 1
    {
        return Err(CliError::new(NO, problem.message.clone()).hint(problem.advice.clone()));
    }
    for problem in &problems {
        writeln!(err, "hardtack: {}\nhint: {}", problem.message, problem.advice).map_err(CliError::stream)?;
    }
    let parts: Vec<String> = closed
        .iter()
        .map(|sealed| format!("{}'s part ({})", sealed.name.escape_debug(), sealed_to(sealed)))
        .collect();
    let text = format!("none of the keys given opens {}", parts.join(" or "));
    Err(CliError::new(NO, text).hint(given(identities)))
}

/// "it is sealed to 2 recipients: ssh-ed25519 SHA256:AbCdE…, ssh-rsa SHA256:FgHiJ…".
pub(super) fn sealed_to(sealed: &SealedCredentials) -> String {
    let named = recipients(sealed);
    match named.len() {
        0 => "its header names no recipient".to_owned(),
        1 => format!("it is sealed to {}", named.join("")),
        count => format!("it is sealed to {count} recipients: {}", named.join(", ")),
    }
}

/// The recipients as far as the header names them.
pub(super) fn recipients(sealed: &SealedCredentials) -> Vec<String> {
    let known = |stanza: Stanza| match stanza.kind.as_str() {
        "X25519" => Some("an age key (age1…)".to_owned()),
        kind @ ("ssh-ed25519" | "ssh-rsa") => Some(named(kind, &stanza.tag)),
        // The age crate adds one that means nothing.
        _ => None,
    };
    stanzas(&sealed.sealed).unwrap_or_default().into_iter().filter_map(known).take(20).collect()
}

/// A key as `ssh-keygen -l` begins to name it: five letters of base64 are 30 of the tag's 32 bits.
fn named(kind: &str, tag: &str) -> String {
    let start: String = tag.chars().filter(|letter| matches!(letter, '!'..='~')).take(5).collect();
    format!("{kind} SHA256:{start}…")
}

/// What was given instead.
fn given(identities: &[Identity]) -> String {
    let halves = identities.iter().filter_map(|identity| {
        let keys = identity.keys.as_ref().ok()?;
        let named: Vec<String> = keys
            .iter()
            .take(3)
            .filter_map(|key| match &key.half {
                Half::Ssh(kind, tag) => Some(named(kind, tag)),
                Half::Age => Some("an age key".to_owned()),
                Half::Unknown(_) => None,
            })
            .collect();
        (!named.is_empty()).then(|| format!("{} is {}", identity.path.display(), named.join(", ")))
    });
    let halves: Vec<String> = halves.collect();
    let compare = "ssh-keygen -lf KEY.pub tells the fingerprint of a key";
    if halves.is_empty() { compare.to_owned() } else { format!("{}; {compare}", halves.join("; ")) }
}

/// Of the public halves in `directory`, one that the part is sealed to: the private file's name.
pub(super) fn likely_key(sealed: &SealedCredentials, directory: &Path) -> Option<PathBuf> {
    let stanzas = stanzas(&sealed.sealed).ok()?;
    let mut names: Vec<PathBuf> = std::fs::read_dir(directory)
        .ok()?
        .take(1000)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "pub"))
        .collect();
    names.sort();
    names.into_iter().find_map(|path| {
        if !path.metadata().ok()?.is_file() || path.metadata().ok()?.len() > 64 * 1024 {
            return None;
        }
        let key = HostKey::from_public_file(&std::fs::read_to_string(&path).ok()?)?;
        let start = key.fingerprint.strip_prefix("SHA256:")?.get(..5)?.to_owned();
        let matches = |stanza: &Stanza| stanza.kind == key.kind && stanza.tag.starts_with(&start);
        let private = path.with_extension("");
        (stanzas.iter().any(matches) && private.exists()).then_some(private)
    })
}

struct Problem {
    message: String,
    advice: String,
}

struct Opening<'a, 'b> {
    source: &'a mut Source<'b>,
    problems: Vec<Problem>,
}

impl Opening<'_, '_> {
    fn problem(&mut self, path: &Path, what: &dyn std::fmt::Display, advice: &str) {
        let key = path.display().to_string();
        self.problems.push(Problem {
            message: format!("{key}: {what}"),
            // The advice is a command line to copy.
            advice: advice
                .replace("KEY.openssh", &format!("{key}.openssh"))
                .replace("KEY ", &format!("{key} ")),
        });
    }

    /// Tries the keys that the header names, those without a passphrase first. The file is that of the key which opened it,
    /// where it is one of SSH's.
    fn part(
        &mut self,
        sealed: &SealedCredentials,
        identities: &mut [Identity],
    ) -> Result<Option<(UserCredentials, Option<PathBuf>)>, CliError> {
        let refuse = |error: OpenError| {
            let text = format!("the part of user \"{}\": {error}", sealed.name.escape_debug());
            CliError::refused(text)
                .hint("read the console again, or reboot the machine: it prints the block again")
        };
        let stanzas = stanzas(&sealed.sealed).map_err(|what| refuse(OpenError::NotSealed(what)))?;
        let may_open = |key: &Key| stanzas.iter().any(|stanza| key.half.may_be(&stanza.kind, &stanza.tag));
        for locked in [false, true] {
            for identity in identities.iter_mut() {
                let path = identity.path.clone();
                for key in identity.keys.iter_mut().flatten().filter(|key| may_open(key)) {
                    if matches!(key.lock, Lock::Locked(_)) != locked {
                        continue;
                    }
                    self.unlock(key, &path)?;
                    let Lock::Open(opener) = &key.lock else { continue };
                    match sealed.open(&[opener.as_age()]) {
                        Ok(user) => {
                            let is_ssh = matches!(opener, Opener::Ssh(_));
                            return Ok(Some((user, is_ssh.then_some(path))));
                        }
                        Err(OpenError::NoKey(_)) => {}
                        Err(error) => return Err(refuse(error)),
                    }
                }
            }
        }
        Ok(None)
    }

    /// Compares what another block of the same boot has sealed for a user with what was opened.
    fn compare(
        &mut self,
        sealed: &SealedCredentials,
        block: &Block,
        identities: &mut [Identity],
    ) -> Result<(), CliError> {
        let of_user = |user: &&UserCredentials| user.name == sealed.name;
        let Some(user) = block.users.iter().filter_map(UserPart::plain).find(of_user) else {
            return Ok(());
        };
        let name = user.name.escape_debug();
        match self.part(sealed, identities)? {
            Some((other, _)) if other == *user => {}
            Some(_) => {
                let text = format!(
                    "two blocks claim the boot {} and have different credentials sealed for user \"{name}\": one of \
                     them was not printed by the machine's agent",
                    block.boot_id.escape_debug()
                );
                return Err(CliError::refused(text).hint(TRUST_NEITHER));
            }
            None => self.problems.push(Problem {
                message: format!(
                    "an earlier block of this boot has another part of user \"{name}\", which the keys given do not \
                     open ({}): whether it says the same is not known",
                    sealed_to(sealed)
                ),
                advice: TRUST_NEITHER.to_owned(),
            }),
        }
        Ok(())
    }

    /// Takes the passphrase off a key, or gives it up.
    fn unlock(&mut self, key: &mut Key, path: &Path) -> Result<(), CliError> {
        let Lock::Locked(locked) = &key.lock else { return Ok(()) };
        key.lock = match self.source.unlock(path, |passphrase| locked.unlock(passphrase))? {
            Ok(opener) => Lock::Open(opener),
            Err(unusable) => {
                self.problem(path, &unusable, &unusable.advice);
                Lock::GivenUp
            }
        };
        Ok(())
    }
}
