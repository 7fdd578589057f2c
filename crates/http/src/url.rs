//! URLs with the schemes `http` and `https` (RFC 3986, zones of RFC 6874).
//!
//! A user and password in front of the host are sent as `Authorization: Basic`, as cloud-init's requests
//! library does, and never shown. A fragment is cut off. What cannot stand on a request line is
//! percent-encoded, so no URL can smuggle a second line in.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

/// Bytes of a URL. Servers take 8 KiB.
const LENGTH: usize = 8 << 10;
/// Bytes of a network interface's name, IFNAMSIZ without its zero.
const INTERFACE: usize = 15;

/// A URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// True for `https`.
    pub tls: bool,
    /// Name in lower case, IPv4 address, or IPv6 address without its brackets (with its zone: `fe80::1%eth0`).
    pub host: String,
    /// The port, also when it is the scheme's own.
    pub port: u16,
    /// Path and query, beginning with `/`, as they are sent.
    pub path: String,
    /// `user:password`, decoded.
    user: Option<Vec<u8>>,
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`Error::Url`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|why| Error::Url { url: shown(text), why })
    }

    fn read(text: &str) -> Result<Self, String> {
        let text = trim(text);
        if text.len() > LENGTH {
            return Err(format!("the URL has {} bytes; at most {LENGTH} are taken", text.len()));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or("this is no URL: it has to begin with http:// or https://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            other => return Err(format!("the scheme {other:?} is not known: only http and https are")),
        };
        Self::after_scheme(tls, rest)
    }

    /// From `user@host:port/path` on.
    fn after_scheme(tls: bool, rest: &str) -> Result<Self, String> {
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(decode(user)), authority),
            None => (None, authority),
        };
        let (host, port) = split_port(authority)?;
        let port = match port {
            "" => scheme_port(tls),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse::<u16>()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("the port {digits} does not exist: there are 1 to 65535"))?,
            other => return Err(format!("the port {other:?} is no number")),
        };
        let user = user.filter(|user| !user.is_empty());
        Ok(Self { tls, host: read_host(host)?, port, path: read_target(target), user })
    }

    /// The URL that `reference`, a `Location` header or a link in this one's content, means.
    ///
    /// # Errors
    /// [`Error::Url`] when it is none that can be fetched.
    pub fn join(&self, reference: &str) -> Result<Self, Error> {
        let reference = trim(reference);
        let fail = |why: String| Error::Url { url: shown(reference), why };
        if reference.len() > LENGTH {
            return Err(fail(format!("the URL has {} bytes; at most {LENGTH} are taken", reference.len())));
        }
        if has_scheme(reference) {
            return Self::parse(reference).map(|url| self.lend_user(url));
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::after_scheme(self.tls, rest).map(|url| self.lend_user(url)).map_err(fail);
        }
        let without = reference.split('#').next().unwrap_or_default();
        let path = self.path.split('?').next().unwrap_or("/");
        let target = if without.is_empty() {
            self.path.clone()
        } else if without.starts_with('?') {
            format!("{path}{without}")
        } else if without.starts_with('/') {
            without.to_owned()
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{without}")
        };
        Ok(Self { path: read_target(&target), ..self.clone() })
    }

    /// The same server keeps the user and password, unless it names others.
    fn lend_user(&self, mut url: Self) -> Self {
        if url.user.is_none() && self.trusts(&url) {
            url.user.clone_from(&self.user);
        }
        url
    }

    /// Whether what is secret may go to `other` when this one redirects there: the same server, or the same
    /// one's encrypted port.
    #[must_use]
    pub fn trusts(&self, other: &Self) -> bool {
        let upgrade = !self.tls && other.tls && self.port == 80 && other.port == 443;
        let same = self.tls == other.tls && self.port == other.port;
        self.host == other.host && (same || upgrade)
    }

    /// Host and port for messages: `example.com:80`, `[fe80::1%eth0]:80`.
    #[must_use]
    pub fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// What the `Host` line says: no zone, which is nobody else's business (RFC 6874), and no port that is
    /// the scheme's own.
    #[must_use]
    pub fn host_line(&self) -> String {
        let host = self.host.split('%').next().unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        if self.port == scheme_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }

    /// The value of `Authorization`, when there is a user in the URL.
    pub(crate) fn authorization(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        let colon: &[u8] = if user.contains(&b':') { b"" } else { b":" };
        Some(format!("Basic {}", STANDARD.encode([user, colon].concat())))
    }

    /// The URL as a program gets it: everything but user and password.
    pub(crate) fn without_user(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = match self.host.split_once('%') {
            Some((address, zone)) => format!("[{address}%25{zone}]"),
            None if self.host.contains(':') => format!("[{}]", self.host),
            None => self.host.clone(),
        };
        format!("{scheme}://{host}:{}{}", self.port, self.path)
    }
}

impl fmt::Display for Url {
    /// Without user and password; the query, which may be a signature, is only hinted at.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let server = if self.port == scheme_port(self.tls) {
            let server = self.server();
            server.rsplit_once(':').map_or(server.clone(), |(host, _)| host.to_owned())
        } else {
            self.server()
        };
        match self.path.split_once('?') {
            Some((path, _)) => write!(formatter, "{scheme}://{server}{path}?…"),
            None => write!(formatter, "{scheme}://{server}{}", self.path),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Url({self})")
    }
}

/// A URL that may be none, as a message can show it: nothing in front of an `@`, nothing behind a `?`, and
/// not more than 200 characters.
#[must_use]
pub fn shown(text: &str) -> String {
    let text = trim(text);
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let start = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let whole: String = start.chars().chain(rest.chars()).flat_map(char::escape_debug).take(200).collect();
    if whole.is_empty() { "an empty URL".to_owned() } else { whole }
}

fn trim(text: &str) -> &str {
    text.trim_matches(|letter: char| letter <= ' ')
}

fn scheme_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// `host:port`; the port may be missing.
fn split_port(authority: &str) -> Result<(&str, &str), String> {
    if authority.starts_with('[') {
        let (host, port) =
            authority.split_once(']').ok_or("the bracket around the IPv6 address is not closed")?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if port.is_empty() => Ok((host, "")),
            None => Err(format!("{port:?} follows the bracket; only a port may")),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address has to stand in brackets".to_owned()),
        Some((host, port)) => Ok((host, port)),
        None => Ok((authority, "")),
    }
}

/// A host; IPv6 addresses still have their opening bracket.
fn read_host(text: &str) -> Result<String, String> {
    if let Some(inside) = text.strip_prefix('[') {
        let (address, zone) = match inside.split_once('%') {
            Some((address, "25")) => (address, Some("25")),
            Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
            None => (inside, None),
        };
        let parsed: Ipv6Addr = address.parse().map_err(|_| format!("{address:?} is no IPv6 address"))?;
        return match zone {
            None => Ok(parsed.to_string()),
            Some(zone) if is_interface(zone) => Ok(format!("{parsed}%{zone}")),
            Some(zone) => Err(format!("{zone:?} is no network interface")),
        };
    }
    if text.is_empty() {
        return Err("the URL names no host".to_owned());
    }
    if let Some(letter) = text.chars().find(|letter| !letter.is_ascii()) {
        return Err(format!("{letter:?} stands in the host: write the name as DNS has it, with xn--"));
    }
    let known = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if let Some(letter) = text.chars().find(|letter| !known(*letter)) {
        return Err(format!("{letter:?} cannot stand in a host"));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(format!("{text:?} is no host: labels have 1 to 63 characters, all together 253"));
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        let address: Ipv4Addr = name.parse().map_err(|_| format!("{name:?} is no IPv4 address"))?;
        return Ok(address.to_string());
    }
    Ok(text.to_ascii_lowercase())
}

/// Whether it can be the name of a network interface; it becomes part of a path.
pub(crate) fn is_interface(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@:".contains(&byte);
    !name.is_empty() && name.len() <= INTERFACE && name != "." && name != ".." && name.bytes().all(known)
}

/// Path and query as they are sent.
fn read_target(target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut wire = without_dots(&encode(path));
    if let Some(query) = query {
        wire.push('?');
        wire.push_str(&encode(query));
    }
    wire
}

/// Percent-encodes what a request line cannot carry; what is encoded already stays so.
fn encode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut wire = String::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        let escape = *byte == b'%'
            && bytes.get(index + 1..index + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if escape || byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?[]".contains(byte) {
            wire.push(char::from(*byte));
        } else {
            wire.push_str(&format!("%{byte:02X}"));
        }
    }
    wire
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let value = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(|_| *first == b'%');
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    bytes
}

/// Removes `.` and `..` (RFC 3986, 5.2.4). The path begins with `/` afterwards.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
