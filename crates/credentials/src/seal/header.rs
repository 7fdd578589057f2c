//! The head of an age file, as far as it is told to people: to which keys it is sealed.
//!
//! ```text
//! age-encryption.org/v1
//! -> ssh-ed25519 BjH7FA RO+wV4kbbl4NtSmp56lQcfRdRp3dEFpdQmWkaoiw6lY
//! 51eEu5Oo2JYAG7OU4oamH03FDRP18/GnzeCrY7Z+sa8
//! --- fgMiVLJHMlg9fW7CVG/hPS5EAU4Zeg19LyCP7SoH5nA
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ARMOR_LIMIT, BEGIN_ARMOR, END_ARMOR};

/// Characters of a line of armor.
const COLUMNS: usize = 64;

/// To whom: "X25519", "ssh-ed25519", "ssh-rsa", or something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The first word.
    pub kind: String,
    /// The second: for SSH's keys four bytes of the key's SHA-256 in base64, and so the fingerprint
    /// of `ssh-keygen -l` begins with its first five letters.
    pub tag: String,
}

/// Whether the text has the form of an armored age file, lines ended by `\n`: what the block's
/// verification needs. Nothing is decrypted.
#[must_use]
pub fn is_armored(text: &str) -> bool {
    stanzas(text).is_ok()
}

/// The stanzas of an armored file whose form is strict: full lines, one short one, nothing around.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn stanzas(armored: &str) -> Result<Vec<Stanza>, &'static str> {
    if armored.len() > ARMOR_LIMIT {
        return Err("it is longer than any that fits a console");
    }
    let body = armored
        .strip_prefix(BEGIN_ARMOR)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or("its first line is missing")?;
    let body = body.trim_end_matches('\n').strip_suffix(END_ARMOR).ok_or("its last line is missing")?;
    let lines: Vec<&str> = body.lines().collect();
    let full = lines.iter().rev().skip(1).all(|line| line.len() == COLUMNS);
    if !full || lines.last().is_none_or(|line| line.is_empty() || line.len() > COLUMNS) {
        return Err("its lines have not the length of armor");
    }
    let bytes = STANDARD.decode(lines.concat()).map_err(|_| "its armor is not base64")?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if lines.next() != Some(b"age-encryption.org/v1") {
        return Err("it is not of version 1 of age");
    }
    let mut stanzas = Vec::new();
    for line in lines {
        if line.starts_with(b"---") {
            return if stanzas.is_empty() { Err("it is sealed to nobody") } else { Ok(stanzas) };
        }
        if let Some(stanza) = line.strip_prefix(b"-> ") {
            let stanza = String::from_utf8_lossy(stanza);
            let mut words = stanza.split(' ').map(str::to_owned);
            let (kind, tag) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            stanzas.push(Stanza { kind, tag });
        }
    }
    Err("its header has no end")
}

/// What a file is sealed to, in words.
pub(super) fn describe(stanzas: &[Stanza]) -> String {
    let parts: Vec<String> =
        [("X25519", "of age-keygen"), ("ssh-ed25519", "of ssh-ed25519"), ("ssh-rsa", "of ssh-rsa")]
            .into_iter()
            .filter_map(|(kind, words)| {
                let count = stanzas.iter().filter(|stanza| stanza.kind == kind).count();
                (count > 0).then(|| format!("{count} key{} {words}", if count == 1 { "" } else { "s" }))
            })
            .collect();
    if parts.is_empty() { "keys of an unknown type".to_owned() } else { parts.join(" and ") }
}

/// The longest armor of a file with stanzas of so many bytes and so much text, each line end
/// counted as two: as `\r\n` on the console and as `\n` in letters in the JSON.
pub(super) fn armored_limit(stanzas: usize, text: usize) -> usize {
    // First line, MAC, nonce and the tag of the only chunk.
    let raw = 22 + stanzas + 48 + 16 + text + 16;
    let letters = raw.div_ceil(3) * 4;
    BEGIN_ARMOR.len() + 2 + letters + 2 * letters.div_ceil(COLUMNS) + END_ARMOR.len() + 2
}
