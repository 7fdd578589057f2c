//! One line of `authorized_keys` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ssh_key::PublicKey;

use super::AuthorizedKey;

/// sshd refuses smaller RSA keys since 9.1 (`RequiredRSASize`).
const SMALLEST_RSA: usize = 1024;
/// Below this, a warning.
const COMFORTABLE_RSA: usize = 2048;

/// The line of a key in SSH wire format (RFC 4253, section 6.6).
pub(super) fn from_blob(blob: &[u8], comment: &str) -> Result<String, String> {
    let length = blob.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes) as usize);
    let name = length
        .and_then(|length| blob.get(4..length.checked_add(4)?))
        .and_then(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or("the key data does not begin with the name of a key type")?;
    let comment: String = comment.chars().filter(|character| !character.is_control()).collect();
    Ok(format!("{name} {} {comment}", BASE64.encode(blob)).trim_end().to_owned())
}

/// Checks a line and keeps it as written.
pub(super) fn check(line: &str, allow_ca: bool) -> Result<AuthorizedKey, String> {
    if line.chars().any(char::is_control) {
        return Err("the line holds a control character".to_owned());
    }
    let (options, key) = split_options(line)?;
    if options.iter().any(|option| option.eq_ignore_ascii_case("cert-authority")) && !allow_ca {
        return Err(
            "cert-authority lets in everybody who has a certificate of that key; say `allow_ca: true` \
                    in the user step if that is meant"
                .to_owned(),
        );
    }
    let algorithm = key.split_whitespace().next().unwrap_or_default().to_owned();
    if algorithm.contains("-cert-v0") {
        return Err(format!(
            "{algorithm} is a certificate, not a public key: give the key that it was made for"
        ));
    }
    let parsed =
        PublicKey::from_openssh(key).map_err(|error| format!("not a public key ({algorithm}): {error}"))?;
    let warning = match parsed.key_data() {
        ssh_key::public::KeyData::Dsa(_) => {
            return Err("DSA keys are refused by every sshd since 7.0".to_owned());
        }
        ssh_key::public::KeyData::Rsa(rsa) => {
            let bits = rsa.n.as_positive_bytes().map_or(0, bit_length);
            if bits < SMALLEST_RSA {
                return Err(format!("an RSA key of {bits} bits; sshd takes {SMALLEST_RSA} and more"));
            }
            (bits < COMFORTABLE_RSA)
                .then(|| format!("an RSA key of {bits} bits; {COMFORTABLE_RSA} or ed25519 is usual"))
        }
        _ => None,
    };
    Ok(AuthorizedKey { line: line.to_owned(), algorithm, warning })
}

fn bit_length(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(first) => bytes.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

/// The names of the options in front of a key, and the key itself. Options are separated by commas;
/// a blank ends them unless it stands inside quotes, where `\"` is a quote.
fn split_options(line: &str) -> Result<(Vec<&str>, &str), String> {
    let first = line.split_whitespace().next().unwrap_or_default();
    if is_algorithm(first) {
        return Ok((Vec::new(), line));
    }
    let (mut names, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    let name = |text: &'_ str| text.split('=').next().map_or(0, str::len);
    for (index, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                names.push(&line[start..start + name(&line[start..index])]);
                start = index + 1;
            }
            ' ' | '\t' if !quoted => {
                names.push(&line[start..start + name(&line[start..index])]);
                let key = line[index..].trim_start();
                let algorithm = key.split_whitespace().next().unwrap_or_default();
                if !is_algorithm(algorithm) {
                    return Err(format!(
                        "neither a key type nor options and a key type: `{}`",
                        shorten(first)
                    ));
                }
                return Ok((names, key));
            }
            _ => {}
        }
    }
    Err(match quoted {
        true => "a quote in the options is not closed".to_owned(),
        false => format!("not a public key: `{}`", shorten(first)),
    })
}

fn is_algorithm(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix)) && !word.contains(['=', ','])
}

fn shorten(word: &str) -> String {
    match word.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}
