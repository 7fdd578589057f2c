//! Secrets in files and scripts that user-data brings: text in any language, where the names of settings
//! are other people's.
//!
//! What [`secrets::masks`] covers by a name alone is shown when the value can be none: a file's name, a
//! list of services in nsswitch.conf, a number. Beside it there are words of shells and of clients of
//! databases.

use std::ops::Range;

use crate::secrets::{self, CLIENTS};

/// Last words of names whose values tell where or how, and not what.
const ABOUT: &[&str] = &[
    "_endpoint",
    "_url",
    "_uri",
    "_file",
    "_path",
    "_dir",
    "_mode",
    "_type",
    "_name",
    "_length",
    "_policy",
    "_ttl",
    "_lifetime",
    "_expiry",
    "_timeout",
    "_algorithm",
    "_encryption",
    "authentication",
];

/// What nsswitch.conf asks for accounts.
const SERVICES: &[&str] = &[
    "files",
    "systemd",
    "compat",
    "sss",
    "ldap",
    "nis",
    "nisplus",
    "db",
    "winbind",
    "mymachines",
    "altfiles",
    "cache",
    "extrausers",
    "hesiod",
];

/// Bytes before a value that are looked at.
const CONTEXT: usize = 400;
/// Bytes of a value that is looked at closely.
const LONGEST: usize = 2000;

/// The byte ranges of `text` that are not to be shown, in order.
pub(crate) fn masks(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    // What is left of a value behind a secret may hold another one.
    let mut left = Vec::from([(0, text.len())]);
    while let Some((from, to)) = left.pop() {
        for mask in secrets::masks(text.get(from..to).unwrap_or_default()) {
            let mask = mask.start + from..mask.end + from;
            let end = judged(text, mask.clone()).unwrap_or(mask.end);
            if end > mask.start {
                masks.push(mask.start..end);
            }
            if end < mask.end && mask.start > from {
                left.push((end, mask.end));
            }
        }
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        passwords(line, start, &mut masks);
        clients(line, start, &mut masks);
        start += line.len();
    }
    masks.sort_by_key(|mask| mask.start);
    masks
}

/// Where the secret that a mask covers ends: at its begin, when it is none. Long ones are taken as they are.
fn judged(text: &str, mask: Range<usize>) -> Option<usize> {
    let value = text.get(mask.clone()).filter(|value| value.len() <= LONGEST)?;
    // A bounded piece: one line may hold all of them.
    let from = (mask.start.saturating_sub(CONTEXT)..mask.start)
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(mask.start);
    let line = text.get(from..mask.start)?.rsplit('\n').next().unwrap_or_default();
    let before = line.trim_end();
    let before = before.strip_suffix([':', '='])?;
    let before = before.trim_end_matches([' ', '\t', '"', '\'']);
    let at = before.rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
    let name =
        before.get(at.map_or(0, |at| at + 1)..).unwrap_or_default().to_ascii_lowercase().replace('-', "_");
    let bare = value.trim_matches(['"', '\'']);
    if ABOUT.iter().any(|end| name.ends_with(end)) {
        return Some(mask.start);
    }
    // A number of tokens, of days, of retries. A password may well be one.
    if !name.contains("passw") && name.contains("tokens") && bare.chars().all(|c| c.is_ascii_digit()) {
        return Some(mask.start);
    }
    if matches!(name.as_str(), "passwd" | "initgroups")
        && at.is_none()
        && bare
            .split_whitespace()
            .all(|word| word.starts_with('[') || word.ends_with(']') || SERVICES.contains(&word))
    {
        return Some(mask.start);
    }
    if matches!(name.as_str(), "nopasswd" | "passwd") && line.contains("ALL") && line.contains('=') {
        return Some(mask.start);
    }
    // The quote that opened before the name ends the value too: `-H "Authorization: …" http://x`.
    let opened = ['"', '\''].into_iter().find(|quote| line.matches(*quote).count() % 2 == 1);
    let mut end = opened.and_then(|quote| value.find(quote)).unwrap_or(value.len());
    // So does the next field of a URL.
    if line.contains("://")
        && line.rfind(['?', '&']).is_some_and(|field| !line.get(field..).unwrap_or_default().contains(' '))
    {
        end = end.min(value.find(['&', '#', ' ']).unwrap_or(end));
    }
    mask.start.checked_add(end)
}

/// `PASS=…` and `DB_PASS=…`, as variables of a shell.
fn passwords(line: &str, start: usize, masks: &mut Vec<Range<usize>>) {
    for (at, _) in line.match_indices('=') {
        let before = line.get(..at).unwrap_or_default();
        let name_at = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let name = before.get(name_at..).unwrap_or_default().to_ascii_lowercase();
        if !(name == "pass" || name == "pw" || name.ends_with("_pass") || name.ends_with("_pw")) {
            continue;
        }
        let rest = line.get(at + 1..).unwrap_or_default();
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
        let length = match quote {
            Some(quote) => {
                rest.get(1..).and_then(|rest| rest.find(quote)).map_or(rest.trim_end().len(), |end| end + 2)
            }
            None => rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len()),
        };
        if length > 0 {
            masks.push(start + at + 1..start + at + 1 + length);
        }
    }
}

/// `mysql -pSECRET`, and `sshpass -p SECRET`.
fn clients(line: &str, start: usize, masks: &mut Vec<Range<usize>>) {
    let (mut client, mut next) = ("", false);
    let mut at = 0;
    let ends = |c: char| c.is_whitespace() || "\"'`,[]|;".contains(c);
    for word in line.split_inclusive(ends) {
        let from = start + at;
        at += word.len();
        let bare = word.trim_end_matches(ends);
        if next && !bare.is_empty() {
            masks.push(from..from + bare.len());
            (client, next) = ("", false);
            continue;
        }
        let program = bare.rsplit('/').next().unwrap_or_default();
        if let Some(known) = CLIENTS.iter().find(|known| **known == program) {
            client = known;
        } else if let Some(secret) = bare.strip_prefix("-p").filter(|_| !client.is_empty()) {
            if !secret.is_empty() {
                masks.push(from + 2..from + bare.len());
            }
            next = secret.is_empty() && client == "sshpass";
        }
        if word.ends_with([';', '|']) {
            client = "";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for mask in masks(text) {
            if mask.start >= at {
                out.push_str(text.get(at..mask.start).unwrap_or_default());
                out.push('#');
            }
            at = at.max(mask.end);
        }
        out + text.get(at..).unwrap_or_default()
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "bob ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart nginx\n",
            "%wheel ALL=(ALL) NOPASSWD:SETENV: ALL\n",
            "passwd: files systemd\nshadow: files\n",
            "passwd:         compat [NOTFOUND=return] sss\n",
            "max_tokens = 5\n",
            "token_endpoint: https://idp.example/token\n",
            "secret_mode: strict\n",
            "password_file=/etc/app/pw\n",
            "PasswordAuthentication no\n",
            "password [success=1 default=ignore] pam_unix.so obscure yescrypt\n",
            "mkdir -p /var/lib/mysql; cp -p a b\n",
            "BYPASS=1\n",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_is_one_is_not() {
        for (text, wanted) in [
            ("PASS=geheim\n", "PASS=#\n"),
            ("export DB_PASS='ge heim' X=1\n", "export DB_PASS=# X=1\n"),
            ("API_KEY=geheim\n", "API_KEY=#\n"),
            ("mysql -uroot -pgeheim -e 'select 1'\n", "mysql -uroot -p# -e 'select 1'\n"),
            ("'mysqldump' '-pgeheim' 'db'\n", "'mysqldump' '-p#' 'db'\n"),
            ("sshpass -p geheim ssh -p 22 host\n", "sshpass -p # ssh -p 22 host\n"),
            (
                "curl -H \"Authorization: Bearer geheim\" http://x -o y\n",
                "curl -H \"Authorization: #\" http://x -o y\n",
            ),
            ("curl 'http://x/?token=geheim&a=1' -o y\n", "curl 'http://x/?token=#&a=1' -o y\n"),
            (
                "curl 'http://x/?token=geheim&api_key=geheim#a' -H 'X-Token: geheim' -H \"Authorization: geheim\" -o y\n",
                "curl 'http://x/?token=#&api_key=##a' -H 'X-Token: #' -H \"Authorization: #\" -o y\n",
            ),
            ("token_url=http://x secret=geheim\n", "token_url=http://x secret=#\n"),
            ("passwd: geheim\n", "passwd: #\n"),
            ("token: geheim\n", "token: #\n"),
            ("echo joe:geheim | chpasswd\n", "echo joe:# | chpasswd\n"),
        ] {
            assert_eq!(shown(text), wanted);
        }
    }
}
