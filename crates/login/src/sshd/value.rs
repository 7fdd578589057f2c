//! Whether a value is one that a directive takes.

use super::{Keyword, Kind, Version, words};

const FLAG: &[&str] = &["yes", "no"];
const ROOT_LOGIN: &[&str] = &["yes", "no", "without-password", "prohibit-password", "forced-commands-only"];
const LOG_LEVELS: &[&str] =
    &["quiet", "fatal", "error", "info", "verbose", "debug", "debug1", "debug2", "debug3"];
const FACILITIES: &[&str] = &[
    "daemon", "user", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
];
/// What `AuthenticationMethods` can list; a submethod (`keyboard-interactive:pam`) may follow.
const METHODS: &[&str] = &[
    "publickey",
    "password",
    "keyboard-interactive",
    "hostbased",
    "gssapi-with-mic",
    "none",
    "gssapi-keyex",
];

/// Says what is wrong with `value` for `keyword`; `None`: nothing that can be told from here.
#[must_use]
pub fn fault(keyword: &Keyword, value: &str, version: Version) -> Option<String> {
    if value.contains(['\n', '\r', '\0']) {
        return Some("the value must be one line".to_owned());
    }
    let Some(words) = words::words(value) else { return Some("a quote is not closed".to_owned()) };
    let Some(first) = words.first() else { return Some("the value is empty".to_owned()) };
    let one_of = |choices: &[&str]| {
        (words.len() > 1 || !choices.iter().any(|choice| choice.eq_ignore_ascii_case(first)))
            .then(|| format!("{value:?} is none of {}", choices.join(", ")))
    };
    let one =
        |good: bool, wanted: &str| (words.len() > 1 || !good).then(|| format!("{value:?} is not {wanted}"));
    match keyword.kind {
        Kind::Flag => one_of(FLAG),
        Kind::RootLogin if first == "prohibit-password" && version < Version::new(7, 0) => {
            Some(format!("OpenSSH {version} calls it without-password"))
        }
        Kind::RootLogin => one_of(ROOT_LOGIN),
        Kind::IgnoreRhosts => one_of(&["yes", "no", "shosts-only"]),
        Kind::AddressFamily => one_of(&["any", "inet", "inet6"]),
        Kind::Compression => one_of(&["yes", "no", "delayed"]),
        Kind::GatewayPorts => one_of(&["yes", "no", "clientspecified"]),
        Kind::Forwarding => one_of(&["yes", "no", "all", "local", "remote"]),
        Kind::Tunnel => one_of(&["yes", "no", "point-to-point", "ethernet"]),
        Kind::LogLevel => one_of(LOG_LEVELS),
        Kind::Facility => one_of(FACILITIES),
        Kind::FingerprintHash => one_of(&["md5", "sha256"]),
        Kind::Privsep => one_of(&["yes", "no", "sandbox"]),
        Kind::Integer => one(first.parse::<u32>().is_ok_and(|n| n <= i32::MAX as u32), "a number, 0 or more"),
        Kind::IntegerOrNone => one(first == "none" || first.parse::<u32>().is_ok(), "a number or none"),
        Kind::Octal => one(u32::from_str_radix(first, 8).is_ok_and(|n| n <= 0o777), "an octal mode"),
        Kind::Port => one(first.parse::<u16>().is_ok_and(|port| port > 0), "a port (1 to 65535)"),
        Kind::Time => one(seconds(first).is_some(), "a time (\"90\", \"2m\", \"1h30m\")"),
        Kind::MaxStartups => one(max_startups(first), "N or START:RATE:FULL (\"10:30:60\")"),
        Kind::Methods => methods_fault(&words),
        Kind::Subsystem => (words.len() < 2).then(|| "a name and a command are needed".to_owned()),
        Kind::Repeat | Kind::Text => (words.len() > 1).then(|| format!("{value:?} is more than one word")),
        Kind::Patterns | Kind::Words | Kind::Rest => None,
        Kind::Block => Some(format!("{} is no directive with a value", keyword.name)),
    }
}

fn methods_fault(words: &[String]) -> Option<String> {
    if words.iter().any(|word| word == "any") {
        return (words.len() > 1).then(|| "\"any\" must stand alone".to_owned());
    }
    words.iter().flat_map(|list| list.split(',')).find_map(|method| {
        let name = method.split(':').next().unwrap_or_default();
        (!METHODS.contains(&name)).then(|| format!("{method:?} is no authentication method"))
    })
}

/// `convtime`: numbers with s, m, h, d, w; none of them is seconds.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut number = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let factor = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        number.clear();
    }
    if !number.is_empty() {
        total = total.checked_add(number.parse().ok()?)?;
    }
    (!text.is_empty() && total <= i32::MAX as u64).then_some(total)
}

fn max_startups(text: &str) -> bool {
    let numbers: Option<Vec<u32>> = text.split(':').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([all]) => *all > 0,
        Some([start, rate, full]) => start <= full && (1..=100).contains(rate) && *start > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sshd::find;

    #[test]
    fn values_are_checked_by_kind() {
        let version = Version::new(9, 2);
        for (keyword, value, good) in [
            ("PermitRootLogin", "no", true),
            ("PermitRootLogin", "Prohibit-Password", true),
            ("PermitRootLogin", "false", false),
            ("UsePAM", "1", false),
            ("MaxAuthTries", "4", true),
            ("MaxAuthTries", "-1", false),
            ("MaxAuthTries", "four", false),
            ("LoginGraceTime", "1h30m", true),
            ("LoginGraceTime", "soon", false),
            ("MaxStartups", "10:30:60", true),
            ("MaxStartups", "10:30", false),
            ("Port", "0", false),
            ("AuthenticationMethods", "publickey,keyboard-interactive:pam publickey", true),
            ("AuthenticationMethods", "publickey,totp", false),
            ("AuthenticationMethods", "any publickey", false),
            ("Banner", "/etc/issue.net", true),
            ("Banner", "", false),
            ("Banner", "a\nb", false),
            ("Subsystem", "sftp", false),
            ("Include", "/etc/x", false),
        ] {
            let fault = fault(find(keyword).unwrap(), value, version);
            assert_eq!(fault.is_none(), good, "{keyword} {value:?}: {fault:?}");
        }
        assert!(fault(find("PermitRootLogin").unwrap(), "prohibit-password", Version::new(6, 6)).is_some());
    }
}
