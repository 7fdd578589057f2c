//! OpenPGP keys for apt (`config/cc_apt_configure.py`: `add_apt_key`; `cloudinit/gpg.py`).
//!
//! cloud-init calls gpg; here the key server is asked directly (HKP, `draft-gallagher-openpgp-hkp`), and gpg only
//! where that fails and the image has it. What the server sends is kept as far as it is the key that was asked
//! for: its fingerprint is computed (RFC 4880, 12.2), so that a server without TLS can give no other one for a
//! whole fingerprint. Unlike gpg, signatures of other people on the key are kept.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;

use hardtack_http::{Limits, Method, Request};
use sha1::{Digest, Sha1};

use super::{Details, program};
use crate::error::AgentError;
use crate::execute::{Execution, files};

/// A key with all its signatures.
const LARGEST: usize = 4 << 20;
/// As often as cloud-init.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// The mode of a key file.
const MODE: u32 = 0o644;

/// `apt-key`.
pub(super) fn apt_key(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let (id, server, file) = (details.need("keyid")?, details.need("keyserver")?, details.need("file")?);
    let key = match fetch(cx, id, server) {
        Ok(key) => key,
        Err(why) if cx.machine.program("gpg").is_some() => {
            cx.log.info(&format!("{why}; gpg is asked to fetch the key"));
            with_gpg(cx, id, server)?
        }
        Err(why) => return Err(AgentError::text(why)),
    };
    files::write(cx, file, &key, Some(MODE), None)
}

fn fetch(cx: &Execution<'_>, id: &str, server: &str) -> Result<Vec<u8>, String> {
    let digits = digits(id).ok_or_else(|| {
        format!("keyid {id:?} is no key's number; write its fingerprint, or the last 16 digits of it")
    })?;
    let url = format!("{}/pks/lookup?op=get&options=mr&search=0x{digits}", base(server));
    let limits = Limits { body: LARGEST, ..Limits::default() };
    let mut why = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let request = Request { method: Method::Get, url: &url, headers: &[], body: &[], limits };
        match cx.web.send(&request) {
            Ok(answer) if answer.status == 200 => {
                let text = String::from_utf8_lossy(&answer.body);
                let bytes = hardtack_modules::apt::dearmored(&text)
                    .ok_or_else(|| format!("{url}: the answer is no PGP public key block"))?;
                return of_fingerprint(&bytes, &digits)
                    .ok_or_else(|| format!("{url}: the answer does not hold the key {digits}"));
            }
            Ok(answer) => why = format!("{url}: status {}", answer.status),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// The hexadecimal digits of a key's number: 8, 16, or a fingerprint of 40 or 64, in capitals.
fn digits(id: &str) -> Option<String> {
    let plain: String = id.chars().filter(|character| !character.is_whitespace()).collect();
    let plain = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")).unwrap_or(&plain);
    (matches!(plain.len(), 8 | 16 | 40) && plain.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| plain.to_uppercase())
}

/// The URL of a key server, without a slash at its end.
fn base(server: &str) -> String {
    let server = server.trim_end_matches('/');
    let (scheme, rest) = server.split_once("://").unwrap_or(("hkp", server));
    let host = rest.split('/').next().unwrap_or_default();
    // An IPv6 address has colons inside its brackets.
    let port = host.rsplit_once(']').map_or(host, |(_, behind)| behind).contains(':');
    match scheme {
        "hkp" if port => format!("http://{rest}"),
        "hkp" => format!("http://{host}:11371{}", rest.strip_prefix(host).unwrap_or_default()),
        "hkps" => format!("https://{rest}"),
        _ => server.to_owned(),
    }
}

/// A packet: its tag, and where its body and the packet end (RFC 4880, 4.2).
struct Packet<'a> {
    tag: u8,
    body: &'a [u8],
    length: usize,
}

fn packet(bytes: &[u8]) -> Option<Packet<'_>> {
    let first = *bytes.first()?;
    let number = |at: usize, count: usize| {
        let part = bytes.get(at..at.checked_add(count)?)?;
        Some(part.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let (tag, header, length) = if first & 0xc0 == 0xc0 {
        let (header, length) = match number(1, 1)? {
            short @ 0..=191 => (2, short),
            long @ 192..=223 => (3, ((long - 192) << 8) + number(2, 1)? + 192),
            255 => (6, number(2, 4)?),
            // In parts: only for data.
            _ => return None,
        };
        (first & 0x3f, header, length)
    } else if first & 0x80 != 0 {
        let (header, length) = match first & 3 {
            0 => (2, number(1, 1)?),
            1 => (3, number(1, 2)?),
            2 => (5, number(1, 4)?),
            _ => return None,
        };
        (first >> 2 & 0xf, header, length)
    } else {
        return None;
    };
    let end = length.checked_add(header)?;
    Some(Packet { tag, body: bytes.get(header..end)?, length: end })
}

const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;

/// Of the keys in `bytes`, the one with that number, with what belongs to it.
fn of_fingerprint(bytes: &[u8], digits: &str) -> Option<Vec<u8>> {
    let mut rest = bytes;
    let mut key: &[u8] = &[];
    let mut start = bytes;
    let mut is_it = false;
    while !rest.is_empty() {
        let next = packet(rest)?;
        if next.tag == PUBLIC_KEY {
            if is_it {
                break;
            }
            start = rest;
        }
        // A subkey's number stands for its key, too.
        is_it |= matches!(next.tag, PUBLIC_KEY | PUBLIC_SUBKEY)
            && fingerprint(next.body).is_some_and(|known| known.ends_with(digits));
        rest = rest.get(next.length..)?;
        key = start.get(..start.len() - rest.len())?;
    }
    (is_it && packet(key)?.tag == PUBLIC_KEY).then(|| key.to_vec())
}

/// The fingerprint of a key of version 4; apt of today knows no others.
fn fingerprint(body: &[u8]) -> Option<String> {
    if body.first() != Some(&4) {
        return None;
    }
    let length = u16::try_from(body.len()).ok()?;
    let mut hash = Sha1::new();
    hash.update([0x99]);
    hash.update(length.to_be_bytes());
    hash.update(body);
    Some(hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect())
}

/// As cloud-init does it: gpg in a directory of its own.
fn with_gpg(cx: &Execution<'_>, id: &str, server: &str) -> Result<Vec<u8>, AgentError> {
    crate::config::directory(cx.host, crate::config::RUNTIME)?;
    let home = cx.host.path("/run/hardtack/gpg");
    let _ = fs::remove_dir_all(&home);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&home)
        .map_err(|error| AgentError::io("create", &home, error))?;
    let path = home.display().to_string();
    let environment = [("GNUPGHOME", path.as_str())];
    let run = |argv: &[&str]| program::ask(argv, &environment, None, program::PATIENCE);
    let keyserver = format!("--keyserver={server}");
    let mut fetched = Err(AgentError::text("gpg was not asked"));
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        fetched = run(&["gpg", "--no-tty", &keyserver, "--recv-keys", "--", id]).and_then(|done| match done
            .code
        {
            Some(0) => Ok(()),
            _ => Err(AgentError::text(format!("gpg has not got the key {id} from {server}: {}", done.why()))),
        });
        if fetched.is_ok() {
            break;
        }
    }
    let key = fetched.and_then(|()| run(&["gpg", "--export", "--armour", "--", id])).and_then(|done| {
        hardtack_modules::apt::dearmored(&done.out)
            .ok_or_else(|| AgentError::text(format!("gpg does not give the key {id} out: {}", done.why())))
    });
    // Its daemons would stay.
    let _ = run(&["gpgconf", "--kill", "all"]);
    let _ = fs::remove_dir_all(&home);
    key
}

#[cfg(test)]
mod tests;
