//! The credentials block: what it says, and the text that says it.
//!
//! The format is described in `docs/console.md`. Between [`BEGIN`] and [`END`] stand a part for
//! people, at most 80 columns and 7-bit outside the QR codes, one line of JSON and a line with
//! its SHA-256. Every secret of the human part is in the JSON too, so that a reader which has
//! verified the JSON can tell whether the human part arrived whole.

mod host_key;
mod human;
mod login;
mod part;
mod room;
mod text;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base32;

pub use host_key::HostKey;
pub(crate) use human::{Repeated, repeated};
pub use text::wrap;

/// The first line.
pub const BEGIN: &str = "-----BEGIN HARDTACK CREDENTIALS-----";
/// The last line.
pub const END: &str = "-----END HARDTACK CREDENTIALS-----";
/// How the line of JSON begins.
pub const JSON_START: &str = "{\"hardtack\":";
/// How the checksum line begins; 64 lower-case hexadecimal digits follow.
pub const CHECKSUM_START: &str = "sha256: ";
/// The version that this code writes and reads.
pub const VERSION: u32 = 1;

/// The machine-readable part. Field names and order are the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The version, [`VERSION`].
    pub hardtack: u32,
    /// The kernel's boot id: one boot prints one block.
    pub boot_id: String,
    /// The cloud's name of the machine.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// The host name.
    pub hostname: String,
    /// The guest's clock in UTC when this was made, see [`crate::time`].
    pub time: String,
    /// How the users' parts are sealed: "none", "ssh", "auto" or "recipients".
    pub seal: String,
    /// The users whose codes have not been accepted yet; empty: fingerprints only.
    pub users: Vec<UserPart>,
    /// The SSH host keys.
    pub host_keys: Vec<HostKey>,
    /// What `/` is.
    pub root: Root,
    /// Every way in that asks for less than all factors, in words.
    #[serde(default)]
    pub doors: Vec<String>,
    /// Where sshd or PAM asks for less than the recipe promised, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
}

/// One user's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserPart {
    /// Encrypted: who has the key opens it.
    Sealed(SealedCredentials),
    /// Not printed, and why.
    Withheld(WithheldCredentials),
    /// In plain text.
    Plain(UserCredentials),
}

impl UserPart {
    /// The login name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sealed(part) => &part.name,
            Self::Withheld(part) => &part.name,
            Self::Plain(part) => &part.name,
        }
    }

    /// The part in plain text, if it is.
    #[must_use]
    pub fn plain(&self) -> Option<&UserCredentials> {
        if let Self::Plain(part) = self { Some(part) } else { None }
    }
}

/// [`UserCredentials`] for the owner of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCredentials {
    /// The login name.
    pub name: String,
    /// An age file in ASCII armor (<https://age-encryption.org/v1>), lines ended by `\n`.
    pub sealed: String,
    /// How many of the user's keys cannot open it, because the part would not fit the block.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// Whether a text may be a login name: nothing that moves a terminal's cursor.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control)
}

/// For serde.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What is not printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldCredentials {
    /// The login name.
    pub name: String,
    /// Why, and what to do: one sentence.
    pub withheld: String,
}

/// One user's secrets. `Debug` masks them. What a user does not have is empty and left out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserCredentials {
    /// The login name.
    pub name: String,
    /// The secret in base32.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret: String,
    /// The URL for authenticator apps, see [`crate::otpauth`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub otpauth: String,
    /// One-time codes for a lost phone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scratch_codes: Vec<String>,
    /// The password, where it was made on the instance.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
}

impl UserCredentials {
    /// Whether a reader may use it: it may come from a hostile log, sealed or not.
    ///
    /// # Errors
    /// What is wrong, in words, without a secret.
    pub fn check(&self) -> Result<(), String> {
        let name = self.name.escape_debug();
        let printable = |text: &str, length: usize| {
            text.len() <= length && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        let plain = |text: &str, length: usize| printable(text, length) && !text.contains(' ');
        if !is_name(&self.name) {
            return Err("a user's name is empty, too long or has control characters".to_owned());
        }
        if self.secret.is_empty() && self.password.is_empty() {
            return Err(format!("user \"{name}\" has neither a secret nor a password"));
        }
        if !printable(&self.password, 512) {
            return Err(format!("the password of user \"{name}\" is not plain ASCII"));
        }
        if self.secret.is_empty() {
            return if self.otpauth.is_empty() && self.scratch_codes.is_empty() {
                Ok(())
            } else {
                Err(format!("user \"{name}\" has a URL or scratch codes without a secret"))
            };
        }
        let long_enough = base32::decode(&self.secret).is_some_and(|key| key.len() >= 10);
        if !long_enough || !plain(&self.secret, 1024) {
            return Err(format!("the secret of user \"{name}\" is not base32 of at least 80 bits"));
        }
        if !self.otpauth.starts_with("otpauth://") || !plain(&self.otpauth, 2953) {
            return Err(format!("the otpauth URL of user \"{name}\" is none"));
        }
        let number = |code: &String| code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_digit());
        if self.scratch_codes.len() > 100 || !self.scratch_codes.iter().all(number) {
            return Err(format!("a scratch code of user \"{name}\" is not a number"));
        }
        Ok(())
    }
}

impl fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserCredentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What `/` is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// "crypt", "tmpfs" or "device"; `None` without an overlay.
    pub overlay: Option<String>,
    /// The disk that holds what is written.
    pub device: Option<String>,
    /// Why it is not what the recipe promised, in words, where the machine is let go on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// What the recipe says about that: "plain" or "login-only".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
}

/// What only the human part says.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The factors in the order in which sshd asks: "publickey", "password", "totp".
    pub factors: Vec<String>,
    /// The address to log in to, where the guest knows one that others can reach.
    pub address: Option<String>,
    /// Whether the clock is synchronised; `None`: nothing tells.
    pub synchronised: Option<bool>,
    /// How packages that were left for the first boot fared; `None`: there were none.
    pub packages: Option<PackagesOutcome>,
    /// Users who have logged in with a code: their secrets are not printed again.
    pub accepted: Vec<String>,
    /// The overlay's key is new at each boot.
    pub random_key: bool,
    /// Users whose code comes from the operator's enrolment: nothing of it is printed.
    pub operator: Vec<String>,
    /// Users whose password was made on the instance.
    pub passwords: Vec<String>,
    /// Name and reason ([`crate::seal::why_not`]) of users whose part is in plain text although the
    /// recipe asks to seal it.
    pub unsealed: Vec<(String, String)>,
    /// The break-glass account.
    pub recovery: Option<String>,
}

/// How packages that were left for the first boot fared; also `/var/lib/hardtack/packages.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagesOutcome {
    /// All are installed and configured.
    pub ok: bool,
    /// One sentence.
    #[serde(default)]
    pub detail: String,
}

impl Block {
    /// The line of JSON, 7-bit, without a line end.
    #[must_use]
    pub fn json(&self) -> String {
        // Strings, numbers and lists only: serialising cannot fail.
        text::escape_json(&serde_json::to_string(self).unwrap_or_default())
    }

    /// The whole block, lines ended by `\n` alone: the terminal adds the carriage return.
    #[must_use]
    pub fn render(&self, surroundings: &Surroundings) -> String {
        let json = self.json();
        let room = room::share(self, surroundings, json.len());
        let mut lines = vec![BEGIN.to_owned()];
        human::write(self, surroundings, &room, &mut lines);
        lines.push(json);
        if let Some(json) = lines.last() {
            lines.push(format!("{CHECKSUM_START}{}", checksum(json)));
        }
        lines.push(END.to_owned());
        lines.push(String::new());
        lines.join("\n")
    }
}

/// The SHA-256 of the line of JSON without its line end, in lower-case hexadecimal.
#[must_use]
pub fn checksum(json: &str) -> String {
    Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is printed instead of a block when the guest is not what the recipe promises, for
/// example when `/` is not the encrypted overlay. It holds no secret and no markers.
#[must_use]
pub fn refusal(reason: &str) -> String {
    let bar = "!".repeat(60);
    let mut lines = vec![bar.clone(), "!!! HARDTACK PRINTS NO CREDENTIALS".to_owned()];
    lines.extend(text::wrap(reason, 76).into_iter().map(|line| format!("!!! {line}")));
    lines.extend(
        text::wrap("What to do: docs/lost-and-found.md, \"The overlay failed\".", 76)
            .into_iter()
            .map(|line| format!("!!! {line}")),
    );
    lines.push(bar);
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
pub(crate) mod tests;
