//! Public SSH keys as people have them, turned into lines of `authorized_keys`.
//!
//! OpenSSH lines are checked through the `ssh-key` crate and kept as written, options included.
//! `ssh-key` cannot read RFC 4716 (PuTTY's "save public key") and PEM (PKCS#1, SPKI): those are
//! converted here. Private keys of every format are refused loudly: they must not get into an image.

mod der;
mod line;
mod pem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// One line for `authorized_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    /// The line, without its end.
    pub line: String,
    /// The key's algorithm ("ssh-ed25519").
    pub algorithm: String,
    /// Something that people should know about this key.
    pub warning: Option<String>,
}

/// Why a key is not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{origin}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct KeyError {
    /// The file, or the place in the recipe.
    pub origin: String,
    /// The line in it, counted from 1.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

/// Every public key in `bytes`, whatever the format. `origin` names the file in errors;
/// `cert-authority` lines pass only with `allow_ca`.
pub fn parse_keys(origin: &str, bytes: &[u8], allow_ca: bool) -> Result<Vec<AuthorizedKey>, KeyError> {
    let fail = |line: Option<usize>, what: String| KeyError { origin: origin.to_owned(), line, what };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(fail(None, "is UTF-16 text; save the key as plain text (UTF-8)".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| fail(None, "is not text: no public key".to_owned()))?;
    if let Some(what) = private_key(text) {
        return Err(fail(
            None,
            format!(
                "holds a private key ({what}); it must never get into an image: give the public half (.pub)"
            ),
        ));
    }
    if text.contains("---- BEGIN SSH2 PUBLIC KEY") && !text.contains("-----BEGIN SSH2") {
        let blob = rfc4716(text).map_err(|(line, what)| fail(Some(line), what))?;
        let (data, comment) = blob;
        let line = line::from_blob(&data, &comment).map_err(|what| fail(None, what))?;
        return line::check(&line, allow_ca).map(|key| vec![key]).map_err(|what| fail(None, what));
    }
    if text.contains("-----BEGIN ") {
        let mut keys = Vec::new();
        for (number, blob) in pem::public_keys(text).map_err(|(line, what)| fail(Some(line), what))? {
            let line = line::from_blob(&blob, "").map_err(|what| fail(Some(number), what))?;
            keys.push(line::check(&line, allow_ca).map_err(|what| fail(Some(number), what))?);
        }
        return Ok(keys);
    }
    let mut keys = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        keys.push(line::check(text, allow_ca).map_err(|what| fail(Some(index + 1), what))?);
    }
    if keys.is_empty() {
        return Err(fail(None, "holds no key".to_owned()));
    }
    Ok(keys)
}

/// The kind of private key in `text`, if there is one.
fn private_key(text: &str) -> Option<&'static str> {
    if text.trim_start().starts_with("PuTTY-User-Key-File-") {
        return Some("PuTTY .ppk");
    }
    for line in text.lines().map(str::trim) {
        if line.starts_with("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
            return Some("ssh.com");
        }
        if line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY") {
            return Some("PEM or OpenSSH");
        }
    }
    None
}

/// The key data and comment of an RFC 4716 file: headers may be continued with a backslash.
fn rfc4716(text: &str) -> Result<(Vec<u8>, String), (usize, String)> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    lines.find(|(_, line)| line.trim_start().starts_with("---- BEGIN SSH2 PUBLIC KEY"));
    let (mut data, mut comment, mut header) = (String::new(), String::new(), String::new());
    for (number, line) in lines {
        if line.starts_with("---- END") {
            let blob = BASE64
                .decode(data)
                .map_err(|error| (number, format!("the key's base64 is damaged: {error}")))?;
            return Ok((blob, comment));
        }
        if let Some(part) = line.strip_suffix('\\').filter(|_| !header.is_empty() || line.contains(':')) {
            header.push_str(part);
            continue;
        }
        if !header.is_empty() || line.contains(':') {
            header.push_str(line);
            if let Some(value) = header.strip_prefix("Comment:") {
                comment = value.trim().trim_matches('"').to_owned();
            }
            header.clear();
            continue;
        }
        data.push_str(line.trim());
    }
    Err((text.lines().count(), "the line ---- END SSH2 PUBLIC KEY ---- is missing".to_owned()))
}

#[cfg(test)]
mod tests;
