//! One key to seal to.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;

use super::ssh::{self, Unfit};
use super::write::PublicKey;

/// No key is longer: one of RSA with 4096 bits has 716 characters.
const LINE_LIMIT: usize = 16 * 1024;

/// sshd takes base64 with and without padding.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key to seal to: age's own ("age1…"), ssh-ed25519 or ssh-rsa.
#[derive(Clone)]
pub struct Recipient {
    /// Canonical: two keys with equal text are equal.
    text: String,
    key: PublicKey,
}

/// Why a text is no recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// Not a key's form.
    #[error(
        "this is not a recipient: \"age1…\", \"ssh-ed25519 AAAA…\" and \"ssh-rsa AAAA…\" are, on one line"
    )]
    NotOne,
    /// A private key: the worst place for it.
    #[error("this is a private key: write its public half, and replace the key where others can read it")]
    Private,
    /// A form that is right with contents that are not.
    #[error("the {kind} key is damaged: copy its whole line from the .pub file")]
    Damaged {
        /// "age1…", "ssh-ed25519" or "ssh-rsa".
        kind: String,
    },
    /// A key that cannot open what is sealed.
    #[error(
        "a key of type {kind} cannot open sealed credentials: use one of ssh-ed25519, ssh-rsa with 2048 to 4096 \
         bits, or age-keygen"
    )]
    CannotOpen {
        /// Its type, with what is special about it.
        kind: String,
    },
}

impl Recipient {
    /// Parses "age1…", "ssh-ed25519 AAAA…" or "ssh-rsa AAAA…", with or without a comment.
    ///
    /// # Errors
    /// See [`RecipientError`]. Private keys are never quoted.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        let head = text.get(..20).unwrap_or(text).to_ascii_uppercase();
        if head.starts_with("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY-----") {
            return Err(RecipientError::Private);
        }
        if text.contains(['\n', '\r']) || text.len() > LINE_LIMIT {
            return Err(RecipientError::NotOne);
        }
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let first = words.next().ok_or(RecipientError::NotOne)?;
        if head.starts_with("AGE1") {
            let damaged = || RecipientError::Damaged { kind: "age1…".to_owned() };
            // A plugin's recipient ("age1yubikey1…") has another name before the last 1.
            if first.bytes().filter(|byte| *byte == b'1').count() > 1 && first.rfind('1') > Some(3) {
                return Err(RecipientError::CannotOpen { kind: "age's plugins".to_owned() });
            }
            let point = age_point(first).ok_or_else(damaged)?;
            return Ok(Self { text: first.to_ascii_lowercase(), key: PublicKey::X25519(point) });
        }
        if !is_key_type(first) {
            return Err(RecipientError::NotOne);
        }
        let damaged = || RecipientError::Damaged { kind: first.to_owned() };
        let blob = words.next().and_then(|word| LENIENT.decode(word).ok()).ok_or_else(damaged)?;
        Self::from_blob(first, &blob).map_err(|unfit| match unfit {
            Unfit::Damaged => damaged(),
            Unfit::Type => RecipientError::CannotOpen { kind: first.to_owned() },
            Unfit::Special(what) => RecipientError::CannotOpen { kind: format!("{first}, {what}") },
        })
    }

    /// A recipient of a public key's type and blob.
    pub(super) fn from_blob(kind: &str, blob: &[u8]) -> Result<Self, Unfit> {
        let key = ssh::public_key(kind, blob)?;
        Ok(Self { text: format!("{kind} {}", STANDARD.encode(blob)), key })
    }

    /// "ssh-ed25519", "ssh-rsa" or "age".
    #[must_use]
    pub fn kind(&self) -> &str {
        match self.key {
            PublicKey::X25519(_) => "age",
            PublicKey::Ed25519 { .. } => "ssh-ed25519",
            PublicKey::Rsa { .. } => "ssh-rsa",
        }
    }

    /// Bytes of its stanza in the header at most.
    pub(super) fn stanza(&self) -> usize {
        match &self.key {
            PublicKey::X25519(_) => "-> X25519 \n\n".len() + 43 + 43,
            PublicKey::Ed25519 { .. } => "-> ssh-ed25519  \n\n".len() + 6 + 43 + 43,
            // The body is as long as the modulus, in lines of 64.
            PublicKey::Rsa { modulus, .. } => {
                let letters = modulus.len().div_ceil(3) * 4;
                "-> ssh-rsa \n".len() + 6 + letters + letters / 64 + 1
            }
        }
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// The point in "age1…": Bech32 (BIP 173), all of one case.
fn age_point(text: &str) -> Option<[u8; 32]> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    let is_age = checked.hrp().as_str().eq_ignore_ascii_case("age");
    checked.byte_iter().collect::<Vec<u8>>().try_into().ok().filter(|_| is_age)
}

/// The canonical text: type and key without a comment.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Recipient {}

/// A type of SSH's public keys; certificates are none.
pub(super) fn is_key_type(word: &str) -> bool {
    matches!(
        word,
        "ssh-ed25519"
            | "ssh-rsa"
            | "ssh-dss"
            | "ecdsa-sha2-nistp256"
            | "ecdsa-sha2-nistp384"
            | "ecdsa-sha2-nistp521"
            | "sk-ssh-ed25519@openssh.com"
            | "sk-ecdsa-sha2-nistp256@openssh.com"
            | "ssh-xmss@openssh.com"
    )
}
