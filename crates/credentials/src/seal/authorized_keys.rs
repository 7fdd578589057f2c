//! Recipients of an `authorized_keys` file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").
//!
//! A line is `[options] type base64 [comment]`; blanks inside double quotes belong to an option.
//! A key that signs others' certificates (`cert-authority`) is nobody's login key.

use std::collections::HashSet;

use base64::Engine as _;

use super::recipient::{LENIENT, Recipient, is_key_type};
use super::ssh::Unfit;

/// sshd reads no longer line (SSH_MAX_PUBKEY_BYTES).
const LINE_LIMIT: usize = 16 * 1024;
/// No more of a file is read; real ones have a few kilobytes.
const FILE_LIMIT: usize = 1024 * 1024;
/// No more keys are kept or told of.
const KEYS_LIMIT: usize = 512;
/// Characters of a comment that are told.
const COMMENT_LIMIT: usize = 40;

/// The keys of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Those that can open what is sealed, in the file's order, each once.
    pub usable: Vec<Recipient>,
    /// Login keys that cannot, for people: "ecdsa-sha2-nistp256 (carol@laptop)", each once.
    pub unusable: Vec<String>,
}

/// Reads the text of an `authorized_keys` file. Lines that sshd would not take are passed over.
#[must_use]
pub fn recipients(authorized_keys: &str) -> Recipients {
    let mut found = Recipients::default();
    let mut seen = HashSet::new();
    let end =
        (0..=FILE_LIMIT.min(authorized_keys.len())).rev().find(|at| authorized_keys.is_char_boundary(*at));
    let text = authorized_keys.get(..end.unwrap_or_default()).unwrap_or_default();
    for line in text.lines() {
        if line.len() > LINE_LIMIT {
            continue;
        }
        let Some((kind, blob, comment)) = key(line) else { continue };
        match Recipient::from_blob(kind, &blob) {
            Ok(recipient) => {
                if found.usable.len() < KEYS_LIMIT && seen.insert(blob) {
                    found.usable.push(recipient);
                }
            }
            Err(Unfit::Damaged) => {}
            Err(unfit) => {
                let what = if let Unfit::Special(what) = unfit { what } else { String::new() };
                if found.unusable.len() < KEYS_LIMIT && seen.insert(blob) {
                    let parts: Vec<&str> = [what.as_str(), comment.as_str()]
                        .into_iter()
                        .filter(|part| !part.is_empty())
                        .collect();
                    let detail =
                        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
                    found.unusable.push(format!("{kind}{detail}"));
                }
            }
        }
    }
    found
}

/// Type, blob and cleaned comment of a line's login key.
fn key(line: &str) -> Option<(&str, Vec<u8>, String)> {
    let line = line.trim_start_matches([' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let first = line.split([' ', '\t']).next().unwrap_or_default();
    let rest = if is_key_type(first) {
        line
    } else {
        let (options, rest) = split_options(line)?;
        if is_authority(options) {
            return None;
        }
        rest.trim_start_matches([' ', '\t'])
    };
    let mut words = rest.splitn(2, [' ', '\t']);
    let kind = words.next().filter(|kind| is_key_type(kind))?;
    let rest = words.next()?.trim_start_matches([' ', '\t']);
    let (encoded, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let blob = LENIENT.decode(encoded.trim_end_matches('\r')).ok()?;
    // The blob begins with its type, whatever the type.
    super::ssh::Fields(&blob).string().filter(|inner| *inner == kind.as_bytes())?;
    let comment: String =
        comment.trim().chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    Some((kind, blob, comment.replace("-----", "- - -").chars().take(COMMENT_LIMIT).collect()))
}

/// Options and what follows them; `None` when a quote is not closed.
fn split_options(line: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b' ' | b'\t' if !quoted => return line.split_at_checked(at),
            _ => {}
        }
        // sshd knows `\"` and no other escape.
        escaped = byte == b'\\' && !escaped;
    }
    None
}

/// Whether `cert-authority` is among the options; quoted text is not looked at.
fn is_authority(options: &str) -> bool {
    let mut bare = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for character in options.chars() {
        if character == '"' && !escaped {
            quoted = !quoted;
        } else if !quoted {
            bare.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    bare.split(',').any(|option| option.trim().eq_ignore_ascii_case("cert-authority"))
}
