//! Second factors that the operator brings: `hardtack: {totp: {USER: SECRET}}` in cloud-config.
//!
//! The key is ours and none of cloud-init's: the guest agent reads it, whoever else applies the
//! user-data. A secret is what `pam_google_authenticator` takes (`base32.c` and FILEFORMAT of
//! google-authenticator-libpam): letters of either case and the digits 2 to 7, blanks and hyphens
//! between them, 0, 1 and 8 for the letters that they are mistaken for. RFC 4226 (section 4, R6) wants 128
//! bits; the module takes 80.
//!
//! No finding quotes a secret.

mod redaction;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use hardtack_yaml::did_you_mean;

use crate::finding::{Finding, Place};
use crate::value::{Key, Kind, Map, Value};
use crate::wording::shown;

pub(crate) use redaction::{masks, places, values};

/// The key of the top level.
pub const KEY: &str = "hardtack";
/// The key below it.
pub const TOTP: &str = "totp";

/// Users that are read: more are no instance's.
const USERS: usize = 1000;
/// Bits that `google-authenticator` and `hardtack` make, and RFC 4226 wants.
const BITS: usize = 128;
/// Bits that are the least.
const LEAST_BITS: usize = 80;
/// Characters of a secret, normalised: the file holds 1 KiB by its description, and options, scratch
/// codes and the codes that were used have to fit, too.
const LONGEST: usize = 512;
/// The kernel's and glibc's limit of a user's name (`LOGIN_NAME_MAX`).
const LONGEST_NAME: usize = 32;
/// Letters that nobody calls a user by.
const LOOKS_LIKE_SECRET: usize = 16;
/// Users that a sentence names.
const NAMED: usize = 3;

/// The secret of one user, given by the operator.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorSecret {
    /// The user.
    pub user: String,
    /// Base32 in capitals, without blanks, hyphens and padding.
    pub secret: String,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Debug for OperatorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorSecret")
            .field("user", &self.user)
            .field("secret", &"<redacted>")
            .field("place", &self.place)
            .finish()
    }
}

/// The secrets in a configuration, and what is wrong with them. What has an error is left out.
#[must_use]
pub fn totp(config: &Map) -> (Vec<OperatorSecret>, Vec<Finding>) {
    let mut reading = Reading::default();
    if let Some((key, value)) = config.get_key_value(&Key::text(KEY)) {
        reading.top(key, value);
    }
    (reading.secrets, reading.findings)
}

/// Who can read secrets that stand in user-data, as one warning about all of them.
#[must_use]
pub fn in_the_clear(secrets: &[OperatorSecret]) -> Option<Finding> {
    let first = secrets.iter().min_by_key(|secret| secret.place)?;
    let names: Vec<String> = secrets.iter().take(NAMED).map(|secret| format!("`{}`", secret.user)).collect();
    let more = match secrets.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (noun, verb) = if secrets.len() == 1 { ("secret", "stands") } else { ("secrets", "stand") };
    let message = format!(
        "the TOTP {noun} of {}{more} {verb} in user-data in the clear: whoever may call \
         DescribeInstanceAttribute or DescribeLaunchTemplateVersions (EC2, Eucalyptus) or read the \
         server's user_data or config drive (OpenStack), every process of the instance that reaches \
         the metadata service, and who keeps the launch template can make the codes",
        names.join(", ")
    );
    let hint = "leave it out where a secret per instance will do: the agent makes one and seals it \
                (`mfa: {seal: ssh}`); else demand IMDSv2 with a hop limit of 1, keep other users and \
                containers from the metadata service, give each fleet its own secret, and take it out of \
                user-data and templates that are no longer launched";
    let path = format!("{KEY}.{TOTP}.{}", first.user);
    Some(Finding::warning("totp-in-the-clear", first.place, message).at(path).with_hint(hint))
}

/// `text` as the module reads a secret: capitals, without blanks, hyphens and padding. `None` when a
/// character is none of base32.
#[must_use]
pub fn normalise(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('=');
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        out.push(match character.to_ascii_uppercase() {
            ' ' | '\t' | '-' | '\r' | '\n' => continue,
            '0' => 'O',
            '1' => 'L',
            '8' => 'B',
            letter @ ('A'..='Z' | '2'..='7') => letter,
            _ => return None,
        });
    }
    Some(out)
}

#[derive(Default)]
struct Reading {
    secrets: Vec<OperatorSecret>,
    findings: Vec<Finding>,
}

impl Reading {
    fn error(&mut self, code: &'static str, place: Place, path: &str, message: String, hint: &str) {
        self.findings.push(Finding::error(code, place, message).at(path).with_hint(hint));
    }

    fn top(&mut self, key: &Key, value: &Value) {
        let Some(members) = self.mapping(KEY, key, value, "write `hardtack: {totp: {USER: SECRET}}`") else {
            return;
        };
        for (key, value) in members {
            if key.as_text() == Some(TOTP) {
                self.users(key, value);
                continue;
            }
            let near = key.as_text().and_then(|name| did_you_mean(name, [TOTP]));
            let hint = if near.is_some() { "did you mean `totp`?" } else { "keys here: `totp`" };
            let message = match name(key) {
                Some(name) => format!("unknown key {} in `{KEY}`: nothing reads it", shown(name)),
                None => format!("unknown key in `{KEY}`: nothing reads it"),
            };
            let path = name(key).map_or_else(|| KEY.to_owned(), |name| format!("{KEY}.{}", short(name)));
            self.error("unknown-key", key.place, &path, message, hint);
        }
    }

    fn users(&mut self, key: &Key, value: &Value) {
        let path = format!("{KEY}.{TOTP}");
        let hint = "write a user and the secret in each line below it: `debian: SECRET`";
        let Some(members) = self.mapping(&path, key, value, hint) else { return };
        let mut owners: HashMap<String, String> = HashMap::new();
        for (key, value) in members.iter().take(USERS) {
            let Some(user) = self.user(key, &path) else { continue };
            let path = format!("{path}.{user}");
            let Some(secret) = self.secret(user, value, &path) else { continue };
            if let Some(other) = owners.get(&secret) {
                let message = format!(
                    "`{user}` has the same secret as `{other}`: each of them makes the codes of the other"
                );
                let hint = "give every user a secret of its own: `hardtack user-data totp` makes them";
                self.findings
                    .push(Finding::warning("totp-shared", value.place, message).at(&path).with_hint(hint));
            }
            owners.entry(secret.clone()).or_insert_with(|| user.to_owned());
            self.secrets.push(OperatorSecret { user: user.to_owned(), secret, place: value.place });
        }
        if let Some((key, _)) = members.get_index(USERS) {
            let message = format!("`{path}` has more than {USERS} users: the others are not read");
            self.error(
                "totp-user",
                key.place,
                &path,
                message,
                "leave out those that the image does not have",
            );
        }
    }

    fn mapping<'v>(&mut self, path: &str, key: &Key, value: &'v Value, hint: &str) -> Option<&'v Map> {
        let found = match &value.kind {
            Kind::Map(members) if !members.is_empty() => return Some(members),
            Kind::Map(_) => "is empty",
            Kind::Null => "has no value",
            Kind::List(_) => "is a list, and a mapping is wanted",
            _ => "is no mapping",
        };
        self.error(
            "wrong-type",
            key.place,
            path,
            format!("`{path}` {found}: no secret is taken from it"),
            hint,
        );
        None
    }

    fn user<'v>(&mut self, key: &'v Key, path: &str) -> Option<&'v str> {
        let (message, hint) = match key.as_text() {
            None => (
                "a user's name here is no text to YAML: the secret behind it is not taken".to_owned(),
                "put the name in quotes",
            ),
            Some(name) if looks_like_secret(name) => (
                "a secret stands here in the place of a user's name: it is not taken".to_owned(),
                "write the user first: `USER: SECRET`",
            ),
            Some(name) if !is_user_name(name) => (
                format!("{} cannot be a user's name: the secret behind it is not taken", shown(name)),
                "a name has at most 32 characters, without blanks, `:` and `/`, and does not begin with `-`",
            ),
            Some(name) => return Some(name),
        };
        self.error("totp-user", key.place, path, message, hint);
        None
    }

    fn secret(&mut self, user: &str, value: &Value, path: &str) -> Option<String> {
        let refused = match &value.kind {
            Kind::Text(text) => match read(text) {
                Ok(secret) => {
                    for doubt in doubts(text) {
                        let message = format!("the secret of `{user}` {}", doubt.what);
                        let finding = Finding::warning(doubt.code, value.place, message);
                        self.findings.push(finding.at(path).with_hint(doubt.hint));
                    }
                    return Some(secret);
                }
                Err(refused) => (refused.what, refused.hint),
            },
            Kind::Null => ("is missing".to_owned(), MAKE),
            Kind::List(_) | Kind::Map(_) | Kind::Set(_) => {
                ("is no text".to_owned(), "write the secret itself, on the line of the user")
            }
            // Leading zeros are lost by then, and a number with one in front was octal.
            _ => ("is not text to YAML, which makes something else of it".to_owned(), "put it in quotes"),
        };
        let message = format!("the secret of `{user}` {}: it is not taken", refused.0);
        self.error("totp-secret", value.place, path, message, refused.1);
        None
    }
}

const MAKE: &str = "`hardtack user-data totp --user USER` makes one, with the QR code for the phone";

/// What is wrong with a secret, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The code of a finding.
    pub code: &'static str,
    /// The rest of a sentence that begins with "the secret".
    pub what: String,
    /// What to do.
    pub hint: &'static str,
}

/// The secret in a text, normalised.
///
/// # Errors
/// What is wrong with it, without a letter of it.
pub fn read(text: &str) -> Result<String, Remark> {
    let refused = |what: String, hint| Err(Remark { code: "totp-secret", what, hint });
    let Some(secret) = normalise(text) else {
        let what = if text.contains("://") { "is a URL" } else { "is not base32" };
        let hint = "write the letters A to Z and digits 2 to 7 of the secret alone, as `secret=` in an otpauth URL has them";
        return refused(what.to_owned(), hint);
    };
    let bits = bits(&secret);
    if bits < LEAST_BITS {
        return refused(format!("has {bits} bits, and {LEAST_BITS} are the least"), MAKE);
    }
    if secret.len() > LONGEST {
        let length = secret.len();
        return refused(
            format!("has {length} characters, and {LONGEST} are the most that fit into its file"),
            MAKE,
        );
    }
    Ok(secret)
}

/// What of a secret that is taken may not be meant.
#[must_use]
pub fn doubts(text: &str) -> Vec<Remark> {
    let mut doubts = Vec::new();
    let bits = bits(&normalise(text).unwrap_or_default());
    if bits < BITS {
        let what = format!("has {bits} bits; {BITS} are the least that RFC 4226 wants");
        doubts.push(Remark { code: "totp-short", what, hint: MAKE });
    }
    if normalise(text).is_some_and(|secret| secret.contains("EXAMPLE")) {
        let what = "is that of an example: everybody knows it".to_owned();
        doubts.push(Remark { code: "totp-example", what, hint: MAKE });
    }
    if text.contains(['0', '1', '8']) {
        let what = "has a digit that base32 does not: 0, 1 and 8 are read as O, L and B here, and a phone may refuse them".to_owned();
        let hint = "write the letters, after a look at where the secret comes from";
        doubts.push(Remark { code: "totp-digits", what, hint });
    }
    doubts
}

/// Whole bytes only, as the module counts.
fn bits(secret: &str) -> usize {
    secret.len().saturating_mul(5) / 8 * 8
}

/// A text key's name, unless it may be a secret.
fn name(key: &Key) -> Option<&str> {
    key.as_text().filter(|name| !looks_like_secret(name))
}

fn short(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// Whether an account can have this name, as far as that can be told without the machine. What looks like a
/// secret is none.
#[must_use]
pub fn is_user_name(name: &str) -> bool {
    let odd = |character: char| {
        character.is_whitespace() || character.is_control() || ":/,\"'`\\".contains(character)
    };
    !looks_like_secret(name)
        && !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('-')
        && !matches!(name, "." | "..")
        && !name.chars().any(odd)
        && !name.chars().all(|character| character.is_ascii_digit())
}

/// Long, of the letters of base32, and no word: all capitals, or with a digit in it.
fn looks_like_secret(word: &str) -> bool {
    let is_base32 = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7');
    word.len() >= LOOKS_LIKE_SECRET
        && word.bytes().all(is_base32)
        && (word.bytes().any(|byte| byte.is_ascii_digit())
            || word.bytes().all(|byte| byte.is_ascii_uppercase()))
}
