//! Keys on the console: the table of login keys (`cloudinit/config/cc_ssh_authkey_fingerprints.py`,
//! `cloudinit/simpletable.py`) and the block of host keys (`cc_keys_to_console.py`,
//! `tools/write-ssh-key-fingerprints`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hardtack_userdata::options::{get_list, get_str};
use hardtack_userdata::truth::{is_false, is_true, truthy};
use hardtack_userdata::{Finding, Kind, Value, lenient_base64};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::authorized_keys::KeyLine;
use crate::action::Action;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::pytext::center;
use crate::reading::{UNUSABLE, described, get};
use crate::users;

/// `ssh_authkey_fingerprints`.
pub const AUTHORIZED_KEYS: Module = Module {
    name: "ssh_authkey_fingerprints",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["authkey_hash", "no_ssh_fingerprints"],
    run: authorized_keys,
};

/// `keys_to_console`.
pub const HOST_KEYS: Module = Module {
    name: "keys_to_console",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["ssh", "ssh_fp_console_blacklist", "ssh_key_console_blacklist"],
    run: host_keys_module,
};

/// The module `ssh_authkey_fingerprints`: a table for every user with a home. What the tables hold is
/// known when they are printed ([`table`]).
#[must_use]
pub fn authorized_keys(request: &Request<'_>) -> Outcome {
    let config = request.config;
    if get(config, "no_ssh_fingerprints").is_some_and(is_true) {
        return Outcome::default();
    }
    let hash = get_str(config, "authkey_hash").unwrap_or_else(|| "sha256".to_owned());
    let accounts = match users::accounts(request) {
        Ok(accounts) => accounts,
        Err(finding) => return Outcome::failed(finding),
    };
    let mut outcome = Outcome::default();
    for (name, settings) in &accounts.users {
        if ["no_create_home", "system"].iter().any(|key| get(settings, key).is_some_and(truthy)) {
            continue;
        }
        let details = vec![("user".to_owned(), name.to_python_str()), ("hash".to_owned(), hash.clone())];
        outcome.actions.push(Action::Live { what: "authorized-keys-table", details });
    }
    outcome
}

/// The module `keys_to_console`. The block is [`host_keys`].
#[must_use]
pub fn host_keys_module(request: &Request<'_>) -> Outcome {
    let config = request.config;
    if let Some(value) = get(config, "ssh") {
        let Kind::Map(settings) = &value.kind else {
            let message = format!("`ssh` is {}, not a mapping: no host keys are printed", described(value));
            return Outcome::failed(
                Finding::error(UNUSABLE, value.place, message)
                    .at("ssh")
                    .with_hint("write `ssh: {emit_keys_to_console: false}`"),
            );
        };
        if get(settings, "emit_keys_to_console").is_some_and(is_false) {
            return Outcome::default();
        }
    }
    let mut details = Vec::new();
    for (word, key) in
        [("no-fingerprint", "ssh_fp_console_blacklist"), ("no-key", "ssh_key_console_blacklist")]
    {
        let kinds = get_list(config, key).unwrap_or_default();
        details.extend(kinds.iter().map(Value::to_python_str).map(|kind| (word.to_owned(), kind)));
    }
    Outcome { actions: vec![Action::Live { what: "host-keys-on-console", details }], ..Outcome::default() }
}

const PREFIX: &str = "ci-info: ";

/// What is printed for a user's keys, `path` being their file.
#[must_use]
pub fn table(user: &str, path: &str, keys: &[KeyLine], hash: &str) -> String {
    if keys.is_empty() {
        return format!("{PREFIX}no authorized SSH keys fingerprints found for user {user}.\n");
    }
    let mut rows = vec![vec![
        "Keytype".to_owned(),
        format!("Fingerprint ({hash})"),
        "Options".to_owned(),
        "Comment".to_owned(),
    ]];
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    for key in keys.iter().filter_map(|line| line.key.as_ref()) {
        rows.push(vec![
            or_dash(&key.kind),
            or_dash(&fingerprint(&key.base64, hash)),
            or_dash(key.options.as_deref().unwrap_or_default()),
            or_dash(&key.comment),
        ]);
    }
    let lines = simple_table(&rows);
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let title = format!("Authorized keys from {path} for user {user}");
    let rest = width.saturating_sub(title.chars().count());
    let left = rest / 2;
    let mut out = format!("{PREFIX}{}{title}{}\n", "+".repeat(left), "+".repeat(rest - left));
    for line in lines {
        // Comments may hold line breaks of other kinds, at which Python cuts.
        for line in crate::pytext::lines(&line) {
            let _ = writeln!(out, "{PREFIX}{line}");
        }
    }
    out
}

/// A table with lines around it; the first row is its head.
fn simple_table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let rule =
        format!("+{}+", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+"));
    let mut lines = vec![rule.clone()];
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| center(cell, width + 2)).collect();
        lines.push(format!("|{}|", cells.join("|")));
        if index == 0 {
            lines.push(rule.clone());
        }
    }
    lines.push(rule);
    lines
}

/// The hash of a key, in pairs of digits; `?` where the key or the hash's name is none.
#[must_use]
pub fn fingerprint(base64: &str, hash: &str) -> String {
    if base64.is_empty() {
        return String::new();
    }
    let unknown = || "?".to_owned();
    if !base64.is_ascii() {
        return unknown();
    }
    let Ok(key) = lenient_base64::decode(base64.as_bytes()) else { return unknown() };
    let digest = match hash.to_ascii_lowercase().as_str() {
        "sha256" => Sha256::digest(&key).to_vec(),
        "md5" => Md5::digest(&key).to_vec(),
        "sha1" => Sha1::digest(&key).to_vec(),
        "sha224" => Sha224::digest(&key).to_vec(),
        "sha384" => Sha384::digest(&key).to_vec(),
        "sha512" => Sha512::digest(&key).to_vec(),
        _ => return unknown(),
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// The host keys of the machine on the console: fingerprints as `ssh-keygen -l` prints them, each line
/// behind `log_prefix` as `logger -s` writes it (`<14>Jan  1 00:00:00 cloud-init: `), then the keys.
/// `files` are the texts of `/etc/ssh/ssh_host_*key.pub`, in the order of their names.
#[must_use]
pub fn host_keys(files: &[String], no_fingerprint: &[String], no_key: &[String], log_prefix: &str) -> String {
    const RULE: &str = "#############################################################";
    let kind = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let mut out = String::new();
    let printed: Vec<&String> = files.iter().filter(|text| !no_fingerprint.contains(&kind(text))).collect();
    if !printed.is_empty() {
        let _ = writeln!(out, "{log_prefix}{RULE}");
        let _ = writeln!(out, "{log_prefix}-----BEGIN SSH HOST KEY FINGERPRINTS-----");
        for text in printed {
            let line = keygen_line(text).unwrap_or_else(|| "a host key that cannot be read".to_owned());
            let _ = writeln!(out, "{log_prefix}{line}");
        }
        let _ = writeln!(out, "{log_prefix}-----END SSH HOST KEY FINGERPRINTS-----");
        let _ = writeln!(out, "{log_prefix}{RULE}");
    }
    let printed: Vec<&String> = files.iter().filter(|text| !no_key.contains(&kind(text))).collect();
    if !printed.is_empty() {
        out.push_str("-----BEGIN SSH HOST KEY KEYS-----\n");
        for text in printed {
            out.push_str(text.trim_end_matches('\n'));
            out.push('\n');
        }
        out.push_str("-----END SSH HOST KEY KEYS-----\n");
    }
    out
}

/// `256 SHA256:… root@host (ED25519)`.
#[must_use]
pub fn keygen_line(public: &str) -> Option<String> {
    let mut words = public.trim_end().splitn(3, ' ');
    let (kind, base64) = (words.next()?, words.next()?);
    let comment = words.next().map(str::trim).filter(|comment| !comment.is_empty()).unwrap_or("no comment");
    let blob = lenient_base64::decode(base64.as_bytes()).ok()?;
    let (bits, name) = match kind {
        "ssh-ed25519" => (256, "ED25519"),
        "ecdsa-sha2-nistp256" => (256, "ECDSA"),
        "ecdsa-sha2-nistp384" => (384, "ECDSA"),
        "ecdsa-sha2-nistp521" => (521, "ECDSA"),
        "ssh-rsa" => (rsa_bits(&blob)?, "RSA"),
        _ => return None,
    };
    let print = STANDARD_NO_PAD.encode(Sha256::digest(&blob));
    Some(format!("{bits} SHA256:{print} {comment} ({name})"))
}

/// Bits of the modulus: the third string of the key.
fn rsa_bits(blob: &[u8]) -> Option<usize> {
    let mut rest = blob;
    let mut field = &[][..];
    for _ in 0..3 {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        field = behind.get(..length)?;
        rest = behind.get(length..)?;
    }
    let zeros = field.iter().take_while(|byte| **byte == 0).count();
    let digits = field.get(zeros..)?;
    let first = digits.first()?;
    let whole = digits.len().checked_sub(1)?.checked_mul(8)?;
    whole.checked_add(8 - usize::try_from(first.leading_zeros()).ok()?)
}
