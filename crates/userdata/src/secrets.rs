//! Where user-data holds secrets: so that pictures of its lines and messages about it show none.
//!
//! [`masks`] looks at the text alone, since the line that is shown is mostly one that is no good
//! YAML; [`values`] takes them out of a configuration that could be read. Both rather cover too much.
//!
//! The keys are those of the modules' documentation (`cloudinit/config/cc_*.py`) whose values let
//! somebody in somewhere.

use std::ops::Range;

use crate::finding::Place;
use crate::operator;
use crate::value::{Key, Kind, Map, Value};

/// Keys whose values are secrets, hyphens as underscores.
const KEYS: &[&str] = &[
    "activation_key",
    "auth_token",
    "authorization",
    "authkey",
    "client_secret",
    "hashed_passwd",
    "passphrase",
    "passwd",
    "password",
    "plain_text_passwd",
    "preshared_key",
    "private_key",
    "registration_key",
    "secret",
    "secret_key",
    "token",
    "validation_cert",
    "vault_password",
];

/// Marks of crypt(5) hashes between two dollars.
const HASHES: &[&str] = &["1", "2a", "2b", "2x", "2y", "5", "6", "7", "gy", "sha1", "y"];

/// Parts of names that are no key of cloud-init's, and probably a misspelt one with a secret.
const SUSPICIOUS: &[&str] = &[
    "passw",
    "pasw",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "private_key",
    "privkey",
    "psk",
    "api_key",
    "apikey",
];

/// Names with such a part whose values are none: `NOPASSWD` is a word of sudo's.
const HARMLESS: &[&str] = &["lock_passwd", "chpasswd", "nopasswd"];

/// Keys of the top level with secrets in them: what stands there instead of a mapping is probably one.
const SECTIONS: &[&str] = &["chpasswd", "random_seed", "rh_subscription", "ubuntu_advantage", "ubuntu_pro"];

/// True for a member of a section that is a secret there, and not elsewhere.
fn is_secret_in(section: &str, name: &str) -> bool {
    matches!((section, name), ("chpasswd", "list") | ("random_seed", "data"))
}

/// Programs that take a password in the word of the option `-p`.
pub(crate) const CLIENTS: &[&str] =
    &["mariadb", "mariadb-dump", "mysql", "mysqladmin", "mysqldump", "mysqlimport", "sshpass"];

/// Bytes of a JSON pointer that are looked at.
const POINTER: usize = 200;

/// No hash has less behind its mark.
const SALT: usize = 4;

/// True for a key whose value is a secret.
#[must_use]
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    KEYS.contains(&name.as_str())
        || name.ends_with("_private")
        || (!HARMLESS.contains(&name.as_str()) && SUSPICIOUS.iter().any(|part| name.contains(part)))
}

/// The secrets in a configuration, and each of their lines.
#[must_use]
pub fn values(config: &Map) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in config {
        look(key, value, "", &mut |value, pairs| take(value, pairs, &mut found));
        if is_section(key, value) {
            take(value, false, &mut found);
        }
        if is_operators(key) {
            operator::values(value, &mut found);
        }
    }
    found.retain(|text: &String| !text.is_empty());
    found.sort_unstable();
    found.dedup();
    found
}

/// Where the secrets in a configuration stand. A value may stand elsewhere than its key: behind an anchor.
#[must_use]
pub fn places(config: &Map) -> Vec<Place> {
    let mut found = Vec::new();
    for (key, value) in config {
        look(key, value, "", &mut |value, _| scalars(value, &mut found));
        if is_section(key, value) {
            scalars(value, &mut found);
        }
        if is_operators(key) {
            operator::places(value, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn scalars(value: &Value, found: &mut Vec<Place>) {
    match &value.kind {
        Kind::List(items) => items.iter().for_each(|item| scalars(item, found)),
        Kind::Map(members) => members.values().for_each(|member| scalars(member, found)),
        Kind::Null | Kind::Bool(_) => {}
        _ => found.push(value.place),
    }
}

/// All values of our own key are secrets.
fn is_operators(key: &Key) -> bool {
    key.as_text() == Some(operator::KEY)
}

fn is_section(key: &Key, value: &Value) -> bool {
    is_operators(key)
        || key.as_text().is_some_and(|name| SECTIONS.contains(&name)) && value.as_text().is_some()
}

/// Calls `see` with each value that is a secret, and whether it holds lines of `user:password`.
fn look<'v>(key: &Key, value: &'v Value, section: &str, see: &mut dyn FnMut(&'v Value, bool)) {
    let name = key.as_text().unwrap_or_default();
    if is_secret_key(name) {
        see(value, false);
    } else if is_secret_in(section, name) {
        see(value, section == "chpasswd");
    } else {
        inside(value, name, see);
    }
}

fn inside<'v>(value: &'v Value, section: &str, see: &mut dyn FnMut(&'v Value, bool)) {
    match &value.kind {
        Kind::Map(members) => {
            for (key, value) in members {
                look(key, value, section, see);
            }
        }
        Kind::List(items) => {
            for item in items {
                inside(item, section, see);
            }
        }
        Kind::Text(text) if text.contains("PRIVATE KEY-----") => see(value, false),
        _ => {}
    }
}

fn take(value: &Value, pairs: bool, found: &mut Vec<String>) {
    if !pairs {
        return texts(value, found);
    }
    let mut lines = Vec::new();
    texts(value, &mut lines);
    // `user:password`; the name is none.
    found.extend(lines.iter().filter_map(|line| line.split_once(':')).map(|(_, word)| word.to_owned()));
}

/// All text in a value, whole and by lines.
fn texts(value: &Value, found: &mut Vec<String>) {
    match &value.kind {
        Kind::Text(text) => {
            found.push(text.trim().to_owned());
            found.extend(text.lines().map(|line| line.trim().to_owned()));
        }
        Kind::Int(number) => found.push(number.to_string()),
        Kind::HugeInt(digits) => found.push(digits.clone()),
        Kind::Float(number) => found.push(number.to_string()),
        Kind::List(items) => items.iter().for_each(|item| texts(item, found)),
        Kind::Map(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

/// The byte ranges of `text` that are not to be shown, in order.
#[must_use]
pub fn masks(text: &str) -> Vec<Range<usize>> {
    let mut state = State { patches_secrets: patches_secrets(text), ..State::default() };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        state.line(line.trim_end_matches(['\n', '\r']), start);
        start += line.len();
    }
    state.masks.extend(operator::masks(text));
    state.masks.sort_by_key(|mask| mask.start);
    state.masks
}

/// Whether a JSON pointer in `text` leads to a secret.
fn patches_secrets(text: &str) -> bool {
    text.match_indices("\"/").any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let end = rest.find(['"', '\n']).unwrap_or(rest.len());
        // A longer one is none that leads to a secret by its name.
        rest.get(..end.min(POINTER))
            .or_else(|| rest.get(..end))
            .is_some_and(|pointer| pointer.split('/').any(is_secret_key))
    })
}

#[derive(Default)]
struct State {
    masks: Vec<Range<usize>>,
    /// The column of a secret's key, while its value goes on in deeper lines; whether items of a list
    /// may stand in that column too.
    block: Option<(usize, bool)>,
    /// The section with secrets of its own, and its column.
    section: Option<(usize, &'static str)>,
    /// A JSON patch of secrets.
    patches_secrets: bool,
    /// Inside of a private key.
    pem: bool,
}

impl State {
    fn line(&mut self, line: &str, start: usize) {
        let body = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - body.len();
        let at = start + indent;
        if self.pem {
            self.masks.push(at..start + line.len());
            self.pem = !body.contains("-----END");
            return;
        }
        if body.is_empty() {
            return;
        }
        if let Some((column, items)) = self.block {
            if indent > column || (items && indent == column && body.starts_with("- ")) {
                self.masks.push(at..start + line.len());
                return;
            }
            self.block = None;
        }
        if self.section.is_some_and(|(column, _)| indent <= column && !body.starts_with('-')) {
            self.section = None;
        }
        if let Some(from) = line.find("-----BEGIN").filter(|_| line.contains("PRIVATE KEY")) {
            self.masks.push(start + from..start + line.len());
            self.pem = !line.contains("-----END");
            return;
        }
        self.keys(line, start);
        self.words(line, start);
        self.commands(line, start);
    }

    /// `key: value`, as often as a line has it.
    fn keys(&mut self, line: &str, start: usize) {
        let mut done = 0;
        let flow_from = line.find(['{', '[']).unwrap_or(line.len());
        for (colon, _) in line.match_indices([':', '=']) {
            if colon < done {
                continue;
            }
            let before = line.get(..colon).unwrap_or_default().trim_end_matches([' ', '"', '\'']);
            let name_at = before
                .rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'))
                .map_or(0, |at| {
                    at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
                });
            let name = before.get(name_at..).unwrap_or_default();
            // `- password` without a blank would be a name of its own; `-password` is an option.
            let name = name.trim_start_matches('-');
            let is_yaml = line.get(colon..).is_some_and(|rest| rest.starts_with(':'));
            let rest = line.get(colon + 1..).unwrap_or_default();
            let value = rest.trim_start();
            let mut is_section = false;
            if let Some(section) = SECTIONS.iter().find(|section| is_yaml && **section == name) {
                self.section = Some((name_at, section));
                // What is no mapping is probably the secret.
                is_section =
                    name_at == 0 && !value.is_empty() && !value.starts_with(['{', '[', '&', '*', '#', '!']);
            }
            let in_section = self.section.is_some_and(|(_, section)| is_secret_in(section, name));
            let of_sudo = name == "PASSWD" && value.starts_with(['/', 'A']);
            let secret = (is_secret_key(name) && !of_sudo)
                || is_section
                || (is_yaml && (in_section || (name == "value" && self.patches_secrets)))
                || (!is_yaml && matches!(name, "PrivateKey" | "PresharedKey"));
            if !secret {
                continue;
            }
            let from = line.len() - value.len();
            let flow = flow_from < colon || !is_yaml;
            let length = value_length(value, flow);
            if length > 0 {
                self.masks.push(start + from..start + from + length);
            }
            done = from + length;
            if is_yaml && !flow {
                // The key's own column: behind the dashes of lists.
                let quotes = before.get(..name_at).unwrap_or_default();
                let column = quotes.trim_end_matches(['"', '\'']).len();
                let dashed = quotes.trim_start().starts_with('-');
                self.block = Some((column, !dashed || column > 0));
            }
        }
    }

    /// `echo name:password | chpasswd`, `usermod -p HASH`, `--token X`, `curl -u name:password`.
    fn commands(&mut self, line: &str, start: usize) {
        let pairs = line.contains("chpasswd");
        let hashes = line.contains("useradd") || line.contains("usermod");
        let logins = line.contains("curl") || line.contains("wget");
        let attached = line.contains("-p");
        if !pairs && !hashes && !logins && !attached && !line.contains("--") {
            return;
        }
        // Whether the word before this one says that this one is a secret, or a name and a secret.
        let (mut whole, mut half) = (false, false);
        // A program that takes a password behind `-p`.
        let mut client = "";
        let mut at = 0;
        for word in line.split_inclusive(|c: char| c.is_whitespace() || "\"'`,[]|;".contains(c)) {
            let from = start + at;
            at += word.len();
            let bare = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'`,[]|;".contains(c));
            if bare.is_empty() {
                continue;
            }
            let colon = bare.find(':').filter(|colon| *colon > 0 && colon + 1 < bare.len());
            if whole {
                self.masks.push(from..from + bare.len());
            } else if let Some(colon) = colon.filter(|_| half || (pairs && !bare.contains("://"))) {
                self.masks.push(from + colon + 1..from + bare.len());
            }
            let glued = bare.strip_prefix("-p").filter(|rest| !rest.is_empty() && !client.is_empty());
            if let Some(glued) = glued.filter(|_| !whole) {
                self.masks.push(from + bare.len() - glued.len()..from + bare.len());
            }
            let name = bare.rsplit('/').next().unwrap_or_default();
            client = CLIENTS.iter().find(|known| **known == name).copied().unwrap_or(client);
            let option = bare.strip_prefix("--").filter(|option| !option.contains('='));
            let of_client = client == "sshpass" && bare == "-p";
            whole = option.is_some_and(is_secret_key) || of_client || (hashes && bare == "-p");
            if of_client || glued.is_some() {
                // What comes behind is another program's.
                client = "";
            }
            half = logins && matches!(bare, "-u" | "--user");
        }
    }

    /// Hashes and passwords in URLs, wherever they stand.
    fn words(&mut self, line: &str, start: usize) {
        let words = masks_of_words(line).into_iter();
        self.masks.extend(words.map(|mask| start + mask.start..start + mask.end));
    }
}

/// The byte ranges of hashes, and of passwords in URLs, in order of their begin.
pub(crate) fn masks_of_words(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut done = 0;
    for (at, _) in text.match_indices('$') {
        if at < done {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or_default();
        // The longest mark has four letters.
        let Some(mark) =
            rest.get(..rest.len().min(5)).or_else(|| rest.get(..3)).and_then(|head| head.split_once('$'))
        else {
            continue;
        };
        if HASHES.contains(&mark.0) {
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | ']' | '`');
            done = at + 1 + rest.find(ends).unwrap_or(rest.len());
            // `$6$` alone is the name of a kind.
            if done - at > mark.0.len() + 2 + SALT {
                masks.push(at..done);
            }
        }
    }
    for (at, _) in text.match_indices("://") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let host = rest.split(['/', ' ', '"', '\'', '\n']).next().unwrap_or_default();
        if let Some((user, _)) = host.rsplit_once('@')
            && let Some((name, password)) = user.split_once(':')
        {
            let from = at + 3 + name.len() + 1;
            masks.push(from..from + password.len());
        }
    }
    masks.sort_by_key(|mask| mask.start);
    masks
}

/// How much of `value` is the value of one key.
fn value_length(value: &str, flow: bool) -> usize {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let mut escaped = false;
            for (at, character) in rest.char_indices() {
                if escaped {
                    escaped = false;
                } else if character == '\\' && quote == '"' {
                    escaped = true;
                } else if character == quote {
                    return at + 2;
                }
            }
            return value.len();
        }
    }
    if !flow {
        return value.trim_end().len();
    }
    // Lists and mappings to their end, whatever stands in them.
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, character) in value.char_indices() {
        match character {
            _ if quote.is_some() => quote = quote.filter(|quote| *quote != character),
            '"' | '\'' if depth > 0 => quote = Some(character),
            '[' | '{' => depth = depth.saturating_add(1),
            ',' if depth == 0 => return at,
            ']' | '}' if depth < 2 => return at + depth,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn masked(text: &str) -> String {
        let mut shown = String::new();
        let mut at = 0;
        for mask in masks(text) {
            if mask.start >= at {
                shown.push_str(&text[at..mask.start]);
                shown.push('#');
            }
            at = at.max(mask.end);
        }
        shown + &text[at..]
    }

    #[test]
    fn secrets_are_covered() {
        for (text, wanted) in [
            ("password: geheim\nhostname: x\n", "password: #\nhostname: x\n"),
            (
                "users:\n  - name: a\n    passwd: geheim\n    uid: 1\n",
                "users:\n  - name: a\n    passwd: #\n    uid: 1\n",
            ),
            ("- passwd: geheim\n- name: a\n", "- passwd: #\n- name: a\n"),
            ("- {name: a, passwd: geheim, uid: 1}", "- {name: a, passwd: #, uid: 1}"),
            ("{\"password\": \"ge,heim\", \"a\": 1}", "{\"password\": #, \"a\": 1}"),
            (
                "chpasswd:\n  list: |\n    a:geheim\n  expire: no\n",
                "chpasswd:\n  list: #\n    #\n  expire: no\n",
            ),
            ("chpasswd:\n  list:\n  - a:geheim\n  expire: no\n", "chpasswd:\n  list:\n  #\n  expire: no\n"),
            ("packages:\n  list: a\n", "packages:\n  list: a\n"),
            (
                "ssh_keys:\n  rsa_private: |\n    xyz\n  rsa_public: a\n",
                "ssh_keys:\n  rsa_private: #\n    #\n  rsa_public: a\n",
            ),
            (
                "  -----BEGIN RSA PRIVATE KEY-----\n  abc\n  -----END RSA PRIVATE KEY-----\nx: 1",
                "  #\n  #\n  #\nx: 1",
            ),
            ("x: echo 'a:$6$salt$hash' | chpasswd -e", "x: echo 'a:#' | chpasswd -e"),
            ("proxy: http://me:geheim@proxy:3128/", "proxy: http://me:#@proxy:3128/"),
            ("      PrivateKey = abc=\n      Address = 1", "      PrivateKey = #\n      Address = 1"),
            ("lock_passwd: false\nssh_pwauth: true", "lock_passwd: false\nssh_pwauth: true"),
            ("Password: geheim\tmore", "Password: #"),
            ("ubuntu_pro:\n  token: geheim\n  a: b", "ubuntu_pro:\n  token: #\n  a: b"),
            ("é: {password: ü", "é: {password: #"),
            ("- echo 'joe:geheim' | chpasswd", "- echo 'joe:#' | chpasswd"),
            ("  - [sh, -c, \"echo joe:geheim|chpasswd\"]", "  - [sh, -c, \"echo joe:#|chpasswd\"]"),
            ("- [mysql, -pgeheim, 5]", "- [mysql, -p#, 5]"),
            ("sshpass -p geheim ssh -p22 x", "sshpass -p # ssh -p22 x"),
            ("mkdir -pv /var/lib/mysql", "mkdir -pv /var/lib/mysql"),
            ("usermod -p 'geheim' joe", "usermod -p '#' joe"),
            ("- [tool, --token, geheim, --name, x]", "- [tool, --token, #, --name, x]"),
            ("curl -u joe:geheim https://x:80/a", "curl -u joe:# https://x:80/a"),
            ("export API_TOKEN=geheim", "export API_TOKEN=#"),
            ("chpasswd: {expire: false}", "chpasswd: {expire: false}"),
            ("  sudo: ALL=(ALL) NOPASSWD: ALL", "  sudo: ALL=(ALL) NOPASSWD: ALL"),
            ("  sudo: ALL=(ALL) PASSWD: /bin/ls", "  sudo: ALL=(ALL) PASSWD: /bin/ls"),
            ("joe ALL=(ALL) NOPASSWD:ALL", "joe ALL=(ALL) NOPASSWD:ALL"),
            ("random_seed: {data: geheim, dta: 1}", "random_seed: {data: #, dta: 1}"),
            ("random_seed:\n  data: geheim\n  file: a", "random_seed:\n  data: #\n  file: a"),
            (
                "data: a\nmcollective: {conf: {plugin.psk: geheim}, x: 1}",
                "data: a\nmcollective: {conf: {plugin.psk: #}, x: 1}",
            ),
            ("ubuntu_pro: geheim\na: b", "ubuntu_pro: #\na: b"),
            ("{a: {password: [b, ['x]', geheim, c]], d: e}}", "{a: {password: #, d: e}}"),
            (
                "[{\"op\":\"add\",\"path\":\"/password\",\"value\":\"geheim\"},{\"op\":\"x\"}]",
                "[{\"op\":\"add\",\"path\":\"/password\",\"value\":#},{\"op\":\"x\"}]",
            ),
            ("[{\"path\":\"/hostname\",\"value\":\"a\"}]", "[{\"path\":\"/hostname\",\"value\":\"a\"}]"),
            ("pasword: geheim\nlock-passwd: true", "pasword: #\nlock-passwd: true"),
        ] {
            assert_eq!(masked(text), wanted, "{text}");
        }
    }

    #[test]
    fn secrets_of_a_configuration() {
        let text = |text: &str| Value::new(Kind::Text(text.to_owned()));
        let map = |members: Vec<(&str, Value)>| -> Map {
            members.into_iter().map(|(name, value)| (Key::text(name), value)).collect()
        };
        let config = map(vec![
            ("hostname", text("open")),
            ("password", Value::new(Kind::Int(12345))),
            ("chpasswd", Value::new(Kind::Map(map(vec![("list", text("a:geheim\nb:R\n"))])))),
            (
                "users",
                Value::new(Kind::List(vec![Value::new(Kind::Map(map(vec![
                    ("name", text("open")),
                    ("hashed-passwd", text("$6$x$y")),
                ])))])),
            ),
        ]);
        let found = values(&config);
        for secret in ["12345", "geheim", "$6$x$y"] {
            assert!(found.iter().any(|text| text == secret), "{secret}: {found:?}");
        }
        assert!(!found.iter().any(|text| text == "open"));
    }
}
