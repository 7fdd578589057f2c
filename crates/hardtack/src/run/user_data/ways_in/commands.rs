//! Commands and scripts that name what the way in depends on: nobody can tell what they do to it.

use hardtack_userdata::{Finding, Kind, Map, Part, PartKind, Place, Value};
use hardtack_yaml::Span;

use super::users::get;

/// Words, and what they are about.
const WORDS: &[(&str, &str)] = &[
    ("/etc/ssh/", "sshd's configuration"),
    ("sshd_config", "sshd's configuration"),
    ("authorized_keys", "SSH keys"),
    ("pam.d", "PAM"),
    ("pam-auth-update", "PAM"),
    ("google_authenticator", "one-time codes"),
    ("google-authenticator", "one-time codes"),
    ("overlayroot", "the overlay"),
    ("/media/root-ro", "the overlay"),
    ("/media/root-rw", "the overlay"),
    ("cloud.cfg", "cloud-init's configuration"),
    ("cloud-init.disabled", "cloud-init's configuration"),
    ("/etc/hardtack", "what the recipe put in"),
    ("hardtack-agent", "what the recipe put in"),
    ("hardtack-enrol", "what the recipe put in"),
    ("hardtack-guard", "what the recipe put in"),
    ("hardtack-watch", "what the recipe put in"),
    ("hardtack-credentials", "what the recipe put in"),
    ("/usr/lib/hardtack", "what the recipe put in"),
    ("/var/lib/hardtack", "what the recipe put in"),
    ("/etc/shadow", "passwords"),
    ("chpasswd", "passwords"),
    ("passwd", "passwords"),
    ("/etc/nologin", "who may log in"),
    ("/etc/sudoers", "sudo"),
    ("chage", "accounts"),
    ("usermod", "accounts"),
    ("userdel", "accounts"),
    ("deluser", "accounts"),
    ("openssh-server", "sshd"),
    ("/etc/default/ssh", "how sshd is started"),
    ("systemd/system/ssh", "how sshd is started"),
    ("edit ssh", "how sshd is started"),
    ("sbin/sshd", "how sshd is started"),
    ("stop ssh", "sshd"),
    ("disable ssh", "sshd"),
    ("mask ssh", "sshd"),
];

/// Commands of the configuration and lines of the scripts that name one of them; one finding for each
/// thing and command.
pub(super) fn look(config: &Map, parts: &[Part]) -> Vec<Finding> {
    let mut found = Vec::new();
    for key in ["bootcmd", "runcmd"] {
        let items = get(config, key).and_then(Value::as_list).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let mut words = Vec::new();
            texts(item, &mut words);
            let command = words.join(" ");
            for (word, what) in mentions(&command) {
                let message = told(&format!("a command of `{key}`"), word, what);
                found.push(finding(item.place, message).at(format!("{key}.{index}")));
            }
        }
    }
    for (index, part) in parts.iter().enumerate() {
        if !is_script(part.kind) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(&part.payload) else { continue };
        let mut seen: Vec<&str> = Vec::new();
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            for (word, what) in mentions(line).into_iter().filter(|_| !line.trim_start().starts_with('#')) {
                if seen.contains(&what) {
                    continue;
                }
                seen.push(what);
                let at = line.find(word).unwrap_or_default();
                let column = line.get(..at).unwrap_or_default().chars().count();
                let span = Span {
                    start: start + at,
                    end: start + at + word.len(),
                    line: number + 1,
                    column: column + 1,
                };
                found.push(finding(Place { part: index, span }, told("this script", word, what)));
            }
            start += line.len();
        }
    }
    found
}

fn is_script(kind: PartKind) -> bool {
    matches!(
        kind,
        PartKind::Script
            | PartKind::ScriptPerBoot
            | PartKind::ScriptPerInstance
            | PartKind::ScriptPerOnce
            | PartKind::Boothook
    )
}

fn finding(place: Place, message: String) -> Finding {
    Finding::warning("image-unknowable", place, message).with_hint(
        "what a command does to the way in cannot be told from here: try it on a copy of the image",
    )
}

fn told(who: &str, word: &str, what: &str) -> String {
    format!("{who} names `{}`, which is about {what}", word.trim())
}

/// The first word about each thing.
fn mentions(command: &str) -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for (word, what) in WORDS {
        if names(command, word) && !found.iter().any(|(_, known)| known == what) {
            found.push((word, what));
        }
    }
    found
}

/// Whether `command` names `word` in a way that matters.
fn names(command: &str, word: &str) -> bool {
    match word {
        // The client's files decide nothing.
        "/etc/ssh/" => command.match_indices(word).any(|(at, _)| {
            let rest = command.get(at + word.len()..).unwrap_or_default();
            !["ssh_known_hosts", "ssh_config", "moduli"].iter().any(|name| rest.starts_with(name))
        }),
        // Another server; `-t` and `-T` only look at the configuration.
        "sbin/sshd" => command.match_indices(word).any(|(at, _)| {
            let rest = command.get(at + word.len()..).unwrap_or_default();
            rest.starts_with(char::is_whitespace) && !rest.trim_start().to_ascii_lowercase().starts_with("-t")
        }),
        // The program, not the file nor openssl's part of that name.
        "passwd" | "chage" => runs(command, word).is_some(),
        // More groups take nothing away.
        "usermod" => runs(command, word).is_some_and(|rest| {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let adds = words.first().is_some_and(|word| matches!(*word, "-aG" | "-a" | "--append"));
            let other = |word: &&str| matches!(*word, "-L" | "-e" | "-s" | "-p" | "-l" | "-d" | "-u" | "-f");
            !adds || words.iter().any(other)
        }),
        _ => command.contains(word),
    }
}

/// What stands behind the program `name`, where a command begins with it.
fn runs<'c>(command: &'c str, name: &str) -> Option<&'c str> {
    command.match_indices(name).find_map(|(at, _)| {
        let (before, rest) = (command.get(..at)?, command.get(at + name.len()..)?);
        let begins = match before.chars().next_back() {
            Some('/') => before.rsplit(char::is_whitespace).next()?.contains("bin/"),
            Some(c) => c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | '`' | '"' | '\''),
            None => true,
        };
        let openssl = before.trim_end().ends_with("openssl");
        (begins && !openssl && rest.chars().next().is_none_or(char::is_whitespace)).then_some(rest)
    })
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match &value.kind {
        Kind::Text(text) => found.push(text.clone()),
        Kind::List(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}
