//! Sealing a user's part of the block: age(1) files in ASCII armor for SSH keys.
//!
//! The format is <https://age-encryption.org/v1> with the recipients X25519, ssh-ed25519 and
//! ssh-rsa, read by the `age` crate, and written by [`write`]. [`recipients`] takes the keys from
//! `authorized_keys`, [`fit`] seals in the guest, [`open`] opens on the host. What is inside is for
//! people first, so that `age -d` alone is enough:
//!
//! ```text
//! Your new secret key is: 5EENRV74MYRS6G4UYZMKTKSGKM
//! Your emergency scratch codes are:
//!   30116782
//! URL for authenticator apps:
//!   otpauth://totp/…
//! {"name":"debian","secret":"5EENRV74MYRS6G4UYZMKTKSGKM",…}
//! ```
//!
//! Anybody can seal for a public key: what was opened is checked as what stands there in the clear.

mod authorized_keys;
mod header;
mod recipient;
mod ssh;
mod write;

use std::io::Read as _;

use age::armor::ArmoredReader;

pub use authorized_keys::{Recipients, recipients};
pub use header::{Stanza, is_armored, stanzas};
pub use recipient::{Recipient, RecipientError};

use crate::block::{SealedCredentials, UserCredentials};
use crate::secret_file::Random;

/// The first line of a sealed part.
pub const BEGIN_ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// The last line of a sealed part.
pub const END_ARMOR: &str = "-----END AGE ENCRYPTED FILE-----";
/// What a sealed part may take in a block, line ends counted as two bytes. The block of a machine
/// with one user has to stay below 8 KiB, and what is not the user's takes up to 3.5 KiB of them.
pub const SEALED_LIMIT: usize = 3840;
/// No sealed part that is read is longer: the header is parsed again for each of its lines.
pub const ARMOR_LIMIT: usize = 64 * 1024;
/// Nothing that was opened is longer.
const PLAIN_LIMIT: u64 = 64 * 1024;

/// Why nothing was sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No recipients.
    #[error("there is no key to seal to")]
    NoRecipients,
    /// Not even one recipient fits.
    #[error("the part sealed to the smallest of {0} key(s) is longer than a block may hold")]
    TooLong(usize),
    /// A key that leads nowhere, or a text of more than 64 KiB.
    #[error("the keys cannot be sealed to")]
    Refused,
    /// The operating system gave no random bytes.
    #[error("no random bytes to seal with: {0}")]
    Random(String),
}

/// Why a sealed part was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The text is no age file in armor.
    #[error("the sealed part is not an age file: {0}")]
    NotSealed(&'static str),
    /// Sealed to other keys.
    #[error("none of the given keys opens it: it is sealed to {0}")]
    NoKey(String),
    /// The key fits and the contents were changed, or are cut.
    #[error("the sealed part is damaged: its contents do not fit its header")]
    Damaged,
    /// Opened, and no credentials inside.
    #[error("what was sealed is not a user's credentials: {0}")]
    NotCredentials(String),
}

/// Seals to all recipients; the armor's lines are ended by `\n`. For the block see [`fit`].
///
/// # Errors
/// No recipients, a key that cannot be sealed to, no random bytes.
pub fn seal(
    user: &UserCredentials,
    recipients: &[Recipient],
    random: Random<'_>,
) -> Result<String, SealError> {
    let all: Vec<&Recipient> = recipients.iter().collect();
    encrypt(&plaintext(user), &all, random)
}

/// Seals to as many recipients as [`SEALED_LIMIT`] allows, those that take least first.
///
/// # Errors
/// As [`seal`]; also when not even one fits.
pub fn fit(
    user: &UserCredentials,
    recipients: &[Recipient],
    random: Random<'_>,
) -> Result<SealedCredentials, SealError> {
    if recipients.is_empty() {
        return Err(SealError::NoRecipients);
    }
    let text = plaintext(user);
    let mut chosen: Vec<&Recipient> = recipients.iter().collect();
    // Stable: of keys of one size the first in the file count.
    chosen.sort_by_key(|recipient| recipient.stanza());
    let fitting = (1..=chosen.len())
        .take_while(|count| {
            let stanzas: usize = chosen.iter().take(*count).map(|recipient| recipient.stanza()).sum();
            header::armored_limit(stanzas, text.len()) <= SEALED_LIMIT
        })
        .count();
    if fitting == 0 {
        return Err(SealError::TooLong(recipients.len()));
    }
    chosen.truncate(fitting);
    Ok(SealedCredentials {
        name: user.name.clone(),
        sealed: encrypt(&text, &chosen, random)?,
        left_out: recipients.len() - fitting,
    })
}

/// Why nothing can be sealed to a user's keys, for people; `unusable` as in [`Recipients`].
#[must_use]
pub fn why_not(unusable: &[String]) -> String {
    match unusable {
        [] => "it has no login key in this machine".to_owned(),
        [key] => format!("its only login key cannot open what is sealed: {key}"),
        keys => {
            let shown = keys.get(..3).unwrap_or(keys).join(", ");
            let more = if keys.len() > 3 { " and others" } else { "" };
            format!("none of its {} login keys can open what is sealed: {shown}{more}", keys.len())
        }
    }
}

/// Opens a sealed part; an error of an identity counts as [`OpenError::Damaged`]. The credentials inside are
/// checked as those of a block in plain text.
///
/// # Errors
/// See [`OpenError`].
pub fn open(armored: &str, identities: &[&dyn age::Identity]) -> Result<UserCredentials, OpenError> {
    let stanzas = header::stanzas(armored).map_err(OpenError::NotSealed)?;
    // The age crate parses the header again for every line of it.
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(armored.as_bytes()))
        .map_err(|_| OpenError::NotSealed("its header is damaged"))?;
    if decryptor.is_scrypt() {
        return Err(OpenError::NotSealed("it is locked with a passphrase, not sealed to keys"));
    }
    let mut reader = decryptor.decrypt(identities.iter().copied()).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys => OpenError::NoKey(header::describe(&stanzas)),
        _ => OpenError::Damaged,
    })?;
    let mut text = String::new();
    match reader.by_ref().take(PLAIN_LIMIT).read_to_string(&mut text) {
        Ok(_) if (text.len() as u64) < PLAIN_LIMIT => {}
        Ok(_) => return Err(OpenError::NotCredentials("it is too long".to_owned())),
        Err(_) => return Err(OpenError::Damaged),
    }
    let json = text.trim_end().rsplit('\n').next().unwrap_or_default();
    let user: UserCredentials = serde_json::from_str(json)
        .map_err(|_| OpenError::NotCredentials("its last line is not their JSON".to_owned()))?;
    user.check().map_err(OpenError::NotCredentials)?;
    Ok(user)
}

impl SealedCredentials {
    /// Opens this user's part.
    ///
    /// # Errors
    /// As [`open`]; also when what is inside belongs to another user.
    pub fn open(&self, identities: &[&dyn age::Identity]) -> Result<UserCredentials, OpenError> {
        let user = open(&self.sealed, identities)?;
        if user.name != self.name {
            return Err(OpenError::NotCredentials("it belongs to another user".to_owned()));
        }
        Ok(user)
    }
}

/// What is sealed: lines for people, then one of JSON.
fn plaintext(user: &UserCredentials) -> String {
    let mut text = String::new();
    if !user.secret.is_empty() {
        text.push_str(&format!("Your new secret key is: {}\n", user.secret));
    }
    if !user.scratch_codes.is_empty() {
        text.push_str("Your emergency scratch codes are:\n");
        user.scratch_codes.iter().for_each(|code| text.push_str(&format!("  {code}\n")));
    }
    if !user.otpauth.is_empty() {
        text.push_str(&format!("URL for authenticator apps:\n  {}\n", user.otpauth));
    }
    if !user.password.is_empty() {
        text.push_str(&format!("Password: {}\n", user.password));
    }
    // Strings and lists only: serialising cannot fail.
    text.push_str(&serde_json::to_string(user).unwrap_or_default());
    text.push('\n');
    text
}

fn encrypt(text: &str, recipients: &[&Recipient], random: Random<'_>) -> Result<String, SealError> {
    let keys: Vec<_> = recipients.iter().map(|recipient| recipient.key()).collect();
    write::file(text.as_bytes(), &keys, random)
}

#[cfg(test)]
pub(crate) mod tests;
