//! Passwords: hashes where text is wanted and the other way round, and what becomes of them
//! (`cloudinit/config/cc_set_passwords.py`, `cloudinit/distros/__init__.py`, `create_user`). No message
//! shows one.

use super::accounts::{Account, Users};
use super::{Report, shown, top, trap};
use crate::finding::Place;
use crate::truth::truthy;
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    for account in &users.accounts {
        of_account(account, users, report);
    }
    if let Some(chpasswd) = top(config, "chpasswd") {
        of_chpasswd(chpasswd, report);
    }
    if let Some(password) = top(config, "password")
        && let Some(text) = password.as_text()
        && is_hash(text)
        && !is_list_hash(text)
    {
        hash_as_text(password.place, "password", None, report);
    }
    expiry(config, users, report);
    ssh_pwauth(config, users, report);
}

fn of_account(account: &Account<'_>, users: &Users<'_>, report: &mut Report<'_>) {
    for name in ["passwd", "hashed_passwd"] {
        let Some(value) = account.get(name) else { continue };
        if value.as_text().is_some_and(|text| !text.is_empty() && !is_shadow_field(text)) {
            text_as_hash(
                value.place,
                account.at(name),
                &format!("`{name}`"),
                "write `plain_text_passwd`",
                report,
            );
        }
    }
    if let Some(value) = account.get("plain_text_passwd").filter(|value| value.as_text().is_some_and(is_hash))
    {
        report.tell(trap(
            "hash-as-plain-text",
            value.place,
            account.at("plain_text_passwd"),
            "this is a hash, and would be the password itself, letter by letter",
            "write `hashed_passwd`",
        ));
    }
    let chpasswd = account.name.is_some_and(|name| users.chpasswd.contains(name));
    let locks = account.get("lock_passwd");
    if let Some((name, value)) = account.password()
        && locks.is_none()
        && !chpasswd
    {
        report.tell(trap(
            "password-is-locked",
            value.place,
            account.at(name),
            format!(
                "the password of {} is locked at once: `lock_passwd` is true unless it is said",
                account.title()
            ),
            "add `lock_passwd: false`, or leave out the password",
        ));
    }
    if let Some(value) = locks
        && !truthy(value)
        && !chpasswd
        && ["plain_text_passwd", "hashed_passwd", "passwd"].iter().all(|name| account.get(name).is_none())
    {
        report.tell(trap(
            "nothing-to-unlock",
            value.place,
            account.at("lock_passwd"),
            format!("{} has no password that could be unlocked: the account stays locked", account.title()),
            "give `hashed_passwd`, or leave out `lock_passwd: false`",
        ));
    }
}

fn of_chpasswd(chpasswd: &Value, report: &mut Report<'_>) {
    for (index, user) in chpasswd.get("users").and_then(Value::as_list).unwrap_or_default().iter().enumerate()
    {
        let Some(password) = user.get("password") else { continue };
        let Some(text) = password.as_text().filter(|text| !text.is_empty()) else { continue };
        let path = format!("chpasswd.users.{index}.password");
        match user.get("type").map_or(Some("hash"), Value::as_text) {
            Some("hash") if !is_shadow_field(text) => {
                text_as_hash(password.place, path, "without `type` it", "add `type: text`", report);
            }
            Some("text") if is_hash(text) => report.tell(trap(
                "hash-as-plain-text",
                password.place,
                path,
                "this is a hash, and would be the password itself, letter by letter",
                "write `type: hash`",
            )),
            _ => {}
        }
    }
    let Some(list) = chpasswd.get("list") else { return };
    match &list.kind {
        Kind::Text(text) => lines(text.lines(), list.place, "chpasswd.list", report),
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(line) = item.as_text() {
                    lines(std::iter::once(line), item.place, &format!("chpasswd.list.{index}"), report);
                }
            }
        }
        _ => {}
    }
}

/// `name:password`, a user each.
fn lines<'l>(lines: impl Iterator<Item = &'l str>, place: Place, path: &str, report: &mut Report<'_>) {
    for line in lines {
        match line.split_once(':') {
            None => report.tell(trap(
                "line-without-colon",
                report.within("line-without-colon", place, line),
                path,
                "a line without `:` is no `name:password`: the module stops, and no password is set",
                "write `name:password` in each line, and no empty lines",
            )),
            Some((user, password)) if is_hash(password) && !is_list_hash(password) => {
                let place = report.within("hash-taken-as-text", place, line);
                hash_as_text(place, path, Some(user), report);
            }
            Some(_) => {}
        }
    }
}

fn hash_as_text(place: Place, path: &str, user: Option<&str>, report: &mut Report<'_>) {
    let whose = user.map_or_else(|| "this hash".to_owned(), |user| format!("the hash of {}", shown(user)));
    report.tell(trap(
        "hash-taken-as-text",
        place,
        path,
        format!("{whose} is of a kind that is not known here: it would be the password itself, letter by letter"),
        "use `chpasswd.users` with `type: hash`, which takes any hash; here $1$, $2a$, $2y$, $5$ and $6$ are known",
    ));
}

fn text_as_hash(place: Place, path: String, who: &str, hint: &str, report: &mut Report<'_>) {
    report.tell(trap(
        "plain-text-as-hash",
        place,
        path,
        format!("{who} takes a hash, and this is none: nobody can log in with it, and it stands readable in /etc/shadow"),
        format!("{hint}, or make a hash with `mkpasswd -m sha-512`"),
    ));
}

/// A crypt(5) hash that starts with `$`.
fn is_hash(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else { return false };
    let Some((mark, rest)) = rest.split_once('$') else { return false };
    ["1", "2a", "2b", "2x", "2y", "5", "6", "7", "gy", "sha1", "y"].contains(&mark)
        && rest.len() > 2
        && !rest.contains(char::is_whitespace)
}

/// The hashes that `chpasswd.list` and `password` know: `\$(1|2a|2y|5|6)(\$.+){2}` from the begin, and
/// no colon.
fn is_list_hash(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else { return false };
    let Some((mark, rest)) = rest.split_once('$') else { return false };
    let line = rest.lines().next().unwrap_or_default();
    // Two more texts with a dollar between them, each of one character at least.
    let inner = line
        .char_indices()
        .skip(1)
        .any(|(at, character)| character == '$' && line.get(at..).is_some_and(|tail| tail.len() > 1));
    ["1", "2a", "2y", "5", "6"].contains(&mark) && inner && !text.contains(':')
}

/// What the second field of /etc/shadow holds: a hash, 13 letters of DES, or a lock.
fn is_shadow_field(text: &str) -> bool {
    let des = |text: &str| {
        text.len() == 13
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/')
    };
    let hash = text.trim_start_matches('!');
    text.starts_with(['!', '*']) || is_hash(hash) || des(hash) || (hash.starts_with('_') && hash.len() == 20)
}

/// Each password is expired unless `expire: false`.
fn expiry(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let chpasswd = top(config, "chpasswd");
    if chpasswd.and_then(|value| value.get("expire")).is_some() {
        return;
    }
    let (place, path) = match (chpasswd, top(config, "password")) {
        (Some(value), _) if !users.chpasswd.is_empty() => (value.place, "chpasswd"),
        (_, Some(value)) if truthy(value) && users.has_default => (value.place, "password"),
        _ => return,
    };
    report.tell(trap(
        "password-expires",
        place,
        path,
        "the password has to be changed at the first login, which also stops logins with a key that run a command: `expire` is true unless it is said",
        "add `chpasswd: {expire: false}`, if that is not meant",
    ));
}

fn ssh_pwauth(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let Some(value) = top(config, "ssh_pwauth") else { return };
    if let Some(text) = value.as_text()
        && !crate::truth::is_true(value)
        && !crate::truth::is_false(value)
        && !text.eq_ignore_ascii_case("unchanged")
    {
        report.tell(trap(
            "ssh-pwauth-unknown",
            value.place,
            "ssh_pwauth",
            format!("{} is neither true nor false: sshd stays as it is", shown(text)),
            "write `true` or `false`",
        ));
        return;
    }
    if !crate::truth::is_true(value) {
        return;
    }
    let given = !users.chpasswd.is_empty()
        || (users.has_default && top(config, "password").is_some_and(truthy))
        || users.accounts.iter().any(|account| account.has_usable_password(users));
    if !given {
        report.tell(trap(
            "ssh-pwauth-without-password",
            value.place,
            "ssh_pwauth",
            "sshd would take passwords, but nobody gets one here that is not locked",
            "leave it out, or give a user `hashed_passwd` and `lock_passwd: false`",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_text() {
        for text in ["$6$salt$hash", "$y$j9T$salt$hash", "$2b$05$abc", "$1$a$b"] {
            assert!(is_hash(text) && is_shadow_field(text), "{text}");
        }
        for text in ["secret", "$ecret$1", "$6$", "$9$a$bcdef", "", "pa$$word"] {
            assert!(!is_hash(text), "{text}");
        }
        for text in ["!", "*", "!!", "!$6$salt$hash", "abJnggxhB/yWI"] {
            assert!(is_shadow_field(text), "{text}");
        }
    }

    /// Python's `re.match(r"\$(1|2a|2y|5|6)(\$.+){2}", text)` and no colon.
    #[test]
    fn the_lists_expression() {
        for text in ["$6$salt$hash", "$1$a$b", "$2a$05$abc", "$5$rounds=1$s$h", "$6$$$a"] {
            assert!(is_list_hash(text), "{text}");
        }
        for text in ["$y$j9T$s$h", "$2b$05$abc", "$6$$h", "$6$salt", "$6$salt$", "$6$a$b:c", "x$6$a$b", ""] {
            assert!(!is_list_hash(text), "{text}");
        }
    }
}
