//! Passwords, and whether SSH takes them (`cloudinit/config/cc_set_passwords.py`).
//!
//! Random passwords are made on the machine. cloud-init gives all plain ones to one `chpasswd`; here
//! there is one for each run of given and of random ones, in the same order.

use hardtack_userdata::options::{get_bool, get_list, get_str};
use hardtack_userdata::truth::{is_false, is_true, truthy};
use hardtack_userdata::{Finding, Kind, Map, Place, Value};

use crate::action::{Action, Content};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::pytext;
use crate::reading::{UNUSABLE, described, get};
use crate::ssh::sshd_config;
use crate::users::default_user::ssh_service;
use crate::{system, users};

/// `set_passwords`.
pub const MODULE: Module = Module {
    name: "set_passwords",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["password", "chpasswd", "ssh_pwauth"],
    run,
};

/// The module `set_passwords`.
#[must_use]
pub fn run(request: &Request<'_>) -> Outcome {
    let mut work = Work { request, outcome: Outcome { keep_going: true, ..Outcome::default() } };
    if let Err(finding) = work.passwords().and_then(|()| work.ssh()) {
        work.outcome.findings.push(finding);
    }
    work.outcome
}

/// Whose password becomes what.
enum Password {
    Given(Value),
    Random,
}

/// One password that is set.
struct Setting {
    user: Value,
    password: Password,
}

impl Setting {
    fn is_random(&self) -> bool {
        matches!(self.password, Password::Random)
    }
}

struct Work<'a> {
    request: &'a Request<'a>,
    outcome: Outcome,
}

impl Work<'_> {
    fn warn(&mut self, code: &'static str, place: Place, path: &str, message: String, hint: &str) {
        self.outcome.findings.push(Finding::warning(code, place, message).at(path).with_hint(hint));
    }

    fn passwords(&mut self) -> Result<(), Finding> {
        let config = self.request.config;
        let empty = Map::new();
        let settings = match get(config, "chpasswd") {
            None => &empty,
            Some(value) => match &value.kind {
                Kind::Map(map) => map,
                // Without one of its keys in it, a list or a text is passed over.
                Kind::List(items)
                    if !items
                        .iter()
                        .any(|item| matches!(item.as_text(), Some("users" | "list" | "expire"))) =>
                {
                    &empty
                }
                Kind::Text(text) if !["users", "list", "expire"].iter().any(|key| text.contains(key)) => {
                    &empty
                }
                _ => {
                    return Err(unusable(
                        value,
                        "chpasswd",
                        "not a mapping: no password is set, and ssh_pwauth is not looked at",
                    )
                    .with_hint("write `chpasswd: {users: [{name: …, password: …}]}`"));
                }
            },
        };
        let listed = get_list(settings, "users").unwrap_or_default();
        let lines = self.lines(settings)?;
        let mut plain = Vec::new();
        let mut hashed = Vec::new();
        if listed.is_empty() && lines.is_empty() {
            match self.of_default_user()? {
                Some(line) => self.line(&line, Place::default(), &mut plain, &mut hashed)?,
                None => return Ok(()),
            }
        }
        self.listed(&listed, &mut plain, &mut hashed)?;
        for (line, place) in &lines {
            self.line(line, *place, &mut plain, &mut hashed)?;
        }
        for setting in plain.iter().chain(&hashed) {
            self.unknown(&setting.user);
        }
        let set = self.set(&plain);
        self.set_hashed(&hashed);
        if set && plain.iter().any(Setting::is_random) {
            self.push(Action::Live { what: "print-random-passwords", details: Vec::new() });
        }
        if get_bool(settings, "expire", true) {
            for setting in plain.iter().chain(&hashed) {
                self.expire(&setting.user);
            }
        }
        Ok(())
    }

    /// A user that nobody has made so far.
    fn unknown(&mut self, user: &Value) {
        let machine = self.request.machine;
        let Some(name) = user.as_text().filter(|name| machine.account(name).is_none()) else { return };
        // A machine without accounts is none that is known.
        if machine.exists("/etc/passwd") {
            self.warn(
                "no-such-user",
                user.place,
                "chpasswd",
                format!("there is no user {name} whose password could be set, and the module fails"),
                "make the user in `users`, or check the spelling",
            );
        }
    }

    fn push(&mut self, action: Action) {
        self.outcome.actions.push(action);
    }

    /// The lines of the older `chpasswd.list`.
    fn lines(&mut self, settings: &Map) -> Result<Vec<(String, Place)>, Finding> {
        let Some(value) = get(settings, "list").filter(|value| truthy(value)) else { return Ok(Vec::new()) };
        match &value.kind {
            Kind::List(items) => items
                .iter()
                .map(|item| {
                    item.as_text().map(|line| (line.to_owned(), item.place)).ok_or_else(|| {
                        unusable(item, "chpasswd.list", "not text: no password is set at all")
                            .with_hint("write each entry in quotes: `'user:password'`")
                    })
                })
                .collect(),
            _ => Ok(pytext::lines(&value.to_python_str())
                .into_iter()
                .map(|line| (line.to_owned(), value.place))
                .collect()),
        }
    }

    /// `password` for the default user, as a line.
    fn of_default_user(&mut self) -> Result<Option<String>, Finding> {
        let config = self.request.config;
        let Some(password) = get_str(config, "password").filter(|password| !password.is_empty()) else {
            return Ok(None);
        };
        let place = get(config, "password").map(|value| value.place).unwrap_or_default();
        if get(config, "password").is_some_and(Value::is_null) {
            self.warn(
                "null-password",
                place,
                "password",
                "an empty `password:` sets the password None, four letters".to_owned(),
                "remove the key, or give it a value in quotes",
            );
        }
        let accounts = users::accounts(self.request)?;
        match accounts.default {
            Some(user) => Ok(Some(format!("{}:{password}", user.to_python_str()))),
            None => {
                self.warn(
                    "no-default-user",
                    place,
                    "password",
                    "`password` is ignored: it is for the default user, and there is none".to_owned(),
                    "add `default` to the list `users`, or use `chpasswd.users`",
                );
                Ok(None)
            }
        }
    }

    /// Entries of `chpasswd.users`: given ones first, then random ones; hashes apart.
    fn listed(
        &mut self,
        items: &[Value],
        plain: &mut Vec<Setting>,
        hashed: &mut Vec<Setting>,
    ) -> Result<(), Finding> {
        for kind in ["text", "hash", "RANDOM"] {
            for (index, item) in items.iter().enumerate() {
                let path = format!("chpasswd.users.{index}");
                let Some(entry) = item.as_map() else {
                    return Err(unusable(item, &path, "not a mapping: no password is set at all")
                        .with_hint("write `{name: …, password: …}`"));
                };
                let own = get(entry, "type");
                if own.map_or("hash", |own| own.as_text().unwrap_or_default()) != kind {
                    continue;
                }
                let Some(user) = get(entry, "name") else {
                    return Err(Finding::error(
                        UNUSABLE,
                        item.place,
                        format!("{path} has no name: no password is set at all"),
                    )
                    .at(path)
                    .with_hint("add `name:`"));
                };
                let user = user.clone();
                if kind == "RANDOM" {
                    plain.push(Setting { user, password: Password::Random });
                    continue;
                }
                let password = self.listed_password(entry, item, &path, kind);
                let setting = Setting { user, password: Password::Given(password) };
                if kind == "text" { plain.push(setting) } else { hashed.push(setting) }
            }
        }
        for (index, item) in items.iter().enumerate() {
            let own = item.get("type");
            if let Some(own) = own.filter(|own| !matches!(own.as_text(), Some("text" | "hash" | "RANDOM"))) {
                let path = format!("chpasswd.users.{index}.type");
                let message = format!("the type {} is none: this password is not set", own.to_python_str());
                self.warn("bad-password-type", own.place, &path, message, "it can be hash, text or RANDOM");
            }
        }
        Ok(())
    }

    fn listed_password(&mut self, entry: &Map, item: &Value, path: &str, kind: &str) -> Value {
        if let Some(password) = get(entry, "password") {
            if kind == "hash"
                && password.as_text().is_some_and(|text| !text.starts_with(['$', '_', '!', '*']))
            {
                self.warn(
                    "plain-text-as-hash",
                    password.place,
                    &format!("{path}.password"),
                    "this password is taken for a hash and does not look like one: nobody could log in with it".to_owned(),
                    "add `type: text` for a password, or put in what `mkpasswd` prints",
                );
            }
            return password.clone();
        }
        let what = if kind == "text" {
            "the password of six letters RANDOM"
        } else {
            "the hash RANDOM, which fits no password"
        };
        self.warn(
            "password-missing",
            item.place,
            path,
            format!("without `password` this entry of type {kind} sets {what}"),
            "write `type: RANDOM` for a random password",
        );
        Value { place: item.place, kind: Kind::Text("RANDOM".to_owned()) }
    }

    /// One line `user:password` of the older list.
    fn line(
        &mut self,
        line: &str,
        place: Place,
        plain: &mut Vec<Setting>,
        hashed: &mut Vec<Setting>,
    ) -> Result<(), Finding> {
        let path = "chpasswd.list";
        let Some((user, password)) = line.split_once(':') else {
            let what = if line.is_empty() {
                "an empty line".to_owned()
            } else {
                "a line without a colon".to_owned()
            };
            return Err(Finding::error(
                "line-without-colon",
                place,
                format!("`{path}` has {what}: no password is set at all, and ssh_pwauth is not looked at"),
            )
            .at(path)
            .with_hint("write every line as `user:password`"));
        };
        let text = |text: &str| Value { place, kind: Kind::Text(text.to_owned()) };
        let user = text(user);
        if is_hash(password) && !password.contains(':') {
            hashed.push(Setting { user, password: Password::Given(text(password)) });
            return Ok(());
        }
        if matches!(password, "R" | "RANDOM") {
            plain.push(Setting { user, password: Password::Random });
            return Ok(());
        }
        if ["$y$", "$7$", "$gy$", "$2b$", "$sha1$"].iter().any(|mark| password.starts_with(mark)) {
            let shown = user.to_python_str();
            self.warn(
                "hash-taken-as-text",
                place,
                path,
                format!("the hash of {shown} is of a kind that cloud-init does not know here: it becomes the password itself"),
                "use `chpasswd.users` with `type: hash`, or a hash that begins with $6$",
            );
        }
        plain.push(Setting { user, password: Password::Given(text(password)) });
        Ok(())
    }

    /// Names and passwords have to be text; otherwise none of this kind is set.
    fn all_text(&mut self, settings: &[Setting]) -> bool {
        let bad = settings.iter().find_map(|setting| {
            let password = match &setting.password {
                Password::Given(value) => Some(value),
                Password::Random => None,
            };
            [Some(&setting.user), password].into_iter().flatten().find(|value| value.as_text().is_none())
        });
        let Some(bad) = bad else { return true };
        let finding = Finding::error(
            UNUSABLE,
            bad.place,
            format!(
                "a name or a password of `chpasswd.users` is {}, not text: none of its kind is set",
                described(bad)
            ),
        )
        .at("chpasswd.users")
        .with_hint("put names and passwords in quotes");
        self.outcome.findings.push(finding);
        false
    }

    /// Whether any could be set.
    fn set(&mut self, settings: &[Setting]) -> bool {
        if settings.is_empty() || !self.all_text(settings) {
            return false;
        }
        let mut at = 0;
        while let Some(first) = settings.get(at) {
            let random = first.is_random();
            let run: Vec<&Setting> =
                settings.iter().skip(at).take_while(|setting| setting.is_random() == random).collect();
            at += run.len();
            if random {
                let details =
                    run.iter().map(|setting| ("user".to_owned(), setting.user.to_python_str())).collect();
                self.push(Action::Live { what: "random-passwords", details });
            } else {
                self.chpasswd(&["chpasswd"], &run);
            }
        }
        true
    }

    fn set_hashed(&mut self, settings: &[Setting]) {
        if !settings.is_empty() && self.all_text(settings) {
            self.chpasswd(&["chpasswd", "-e"], &settings.iter().collect::<Vec<_>>());
        }
    }

    fn chpasswd(&mut self, argv: &[&str], settings: &[&Setting]) {
        let mut stdin = String::new();
        for setting in settings {
            if let Password::Given(password) = &setting.password {
                stdin.push_str(&format!("{}:{}\n", setting.user.to_python_str(), password.to_python_str()));
            }
        }
        self.push(Action::Run {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            stdin: Some(Content::secret(stdin)),
            environment: Vec::new(),
            optional: false,
        });
    }

    fn expire(&mut self, user: &Value) {
        let Some(user) = user.as_text() else { return };
        let machine = self.request.machine;
        // Busybox's passwd has no such option; the field is written.
        if self.request.distro.variant == "alpine" && machine.program("chage").is_none() {
            self.push(Action::Live {
                what: "expire-password",
                details: vec![("user".to_owned(), user.to_owned())],
            });
        } else {
            self.push(system::run(["passwd", "--expire", user]));
        }
    }

    fn ssh(&mut self) -> Result<(), Finding> {
        let Some(value) = get(self.request.config, "ssh_pwauth") else { return Ok(()) };
        let wanted = if is_true(value) {
            "yes"
        } else if is_false(value) {
            "no"
        } else {
            match &value.kind {
                Kind::Null => {}
                Kind::Text(text) if text.to_lowercase() == "unchanged" => {}
                Kind::Text(text) => {
                    let message = format!("ssh_pwauth {text} means nothing: sshd stays as it is");
                    self.warn(
                        "ssh-pwauth-unknown",
                        value.place,
                        "ssh_pwauth",
                        message,
                        "it can be true, false or unchanged",
                    );
                }
                _ => {
                    return Err(unusable(
                        value,
                        "ssh_pwauth",
                        "neither true, false nor unchanged: sshd stays as it is",
                    ));
                }
            }
            return Ok(());
        };
        let Request { machine, distro, config, .. } = *self.request;
        let actions = sshd_config::set(machine, &[("PasswordAuthentication", wanted)]);
        if actions.is_empty() {
            return Ok(());
        }
        for action in actions {
            self.push(action);
        }
        let systemd = system::systemd(machine, distro);
        let service = ssh_service(config, distro, systemd);
        if systemd {
            // Waiting for the job would be waiting for itself, since sshd starts after this stage.
            let details = vec![
                ("service".to_owned(), service),
                ("option".to_owned(), "--job-mode=ignore-dependencies".to_owned()),
            ];
            self.push(Action::Live { what: "restart-if-running", details });
        } else {
            self.push(system::try_run(system::service("restart", &service, machine, distro)));
        }
        Ok(())
    }
}

fn unusable(value: &Value, path: &str, what: &str) -> Finding {
    Finding::error(UNUSABLE, value.place, format!("`{path}` is {}, {what}", described(value))).at(path)
}

/// Characters of a random password.
const RANDOM_LENGTH: usize = 20;

/// A random password: twenty characters, with a digit, a small letter, a capital and a punctuation mark
/// among them. `below` gives a number below its argument, each with the same chance.
#[must_use]
pub fn random(below: &mut dyn FnMut(usize) -> usize) -> String {
    let kinds: [Vec<u8>; 4] = [
        (b'0'..=b'9').collect(),
        (b'a'..=b'z').collect(),
        (b'A'..=b'Z').collect(),
        (b'!'..=b'~').filter(u8::is_ascii_punctuation).collect(),
    ];
    let all = kinds.concat();
    let mut pick = |from: &[u8]| from.get(below(from.len())).copied().unwrap_or(b'0');
    let mut characters: Vec<u8> = kinds.iter().map(|kind| pick(kind)).collect();
    while characters.len() < RANDOM_LENGTH {
        characters.push(pick(&all));
    }
    for last in (1..characters.len()).rev() {
        let other = below(last + 1).min(last);
        characters.swap(last, other);
    }
    characters.into_iter().map(char::from).collect()
}

/// The hashes that cloud-init knows in a list: `\$(1|2a|2y|5|6)(\$.+){2}`.
fn is_hash(password: &str) -> bool {
    let Some(rest) = password.strip_prefix('$') else { return false };
    let Some((mark, rest)) = rest.split_once('$') else { return false };
    if !matches!(mark, "1" | "2a" | "2y" | "5" | "6") {
        return false;
    }
    let line = rest.split('\n').next().unwrap_or_default();
    let mut characters = line.chars();
    // At least one character, then a dollar with something behind it.
    characters.next().is_some()
        && characters
            .as_str()
            .char_indices()
            .any(|(at, character)| character == '$' && characters.as_str().len() > at + 1)
}
