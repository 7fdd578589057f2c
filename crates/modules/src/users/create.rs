//! What makes one user (`cloudinit/distros/__init__.py`, `create_user`, `add_user`, `lock_passwd`;
//! `cloudinit/distros/alpine.py`).
//!
//! One thing is done otherwise: a hash (`passwd`) goes to `chpasswd -e` through its input instead of
//! to `useradd --password`, whose arguments everybody on the machine can read.

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Key, Kind, Map, Place, Value};

use super::Maker;
use crate::action::Action;
use crate::machine::Machine;
use crate::pytext::strip;
use crate::reading::{UNUSABLE, described, get};
use crate::system;

/// Keys that an existing user's entry has no effect with.
const ONLY_FOR_NEW: &[&str] = &[
    "expiredate",
    "gecos",
    "groups",
    "homedir",
    "inactive",
    "no_create_home",
    "no_log_init",
    "no_user_group",
    "primary_group",
    "selinux_user",
    "shell",
    "system",
    "uid",
];

/// Options of `useradd` that take text, by key, in the order in which they are given.
const OPTIONS: &[(&str, &str)] = &[
    ("expiredate", "--expiredate"),
    ("gecos", "--comment"),
    ("groups", "--groups"),
    ("homedir", "--home"),
    ("inactive", "--inactive"),
    ("no_log_init", "--no-log-init"),
    ("no_user_group", "--no-user-group"),
    ("passwd", "--password"),
    ("primary_group", "--gid"),
    ("selinux_user", "--selinux-user"),
    ("shell", "--shell"),
    ("system", "--system"),
    ("uid", "--uid"),
];

/// Those among them that are switches.
const SWITCHES: &[&str] = &["no_log_init", "no_user_group", "system"];

/// True for Ubuntu Core, whose users are kept apart (`util.system_is_snappy`).
#[must_use]
pub fn uses_extra_users(machine: &dyn Machine) -> bool {
    let is_core = system::read_text(machine, "/etc/os-release").is_some_and(|text| {
        text.lines().any(|line| {
            line.strip_prefix("ID=")
                .is_some_and(|id| id.trim_matches(['"', '\'']).eq_ignore_ascii_case("ubuntu-core"))
        })
    });
    is_core
        || system::read_text(machine, "/etc/system-image/channel.ini")
            .is_some_and(|text| text.to_lowercase().contains("ubuntu-core"))
        || machine.exists("/etc/system-image/config.d")
}

/// True for a user whose password field is empty, locked or not
/// (`_shadow_file_has_empty_user_password`).
#[must_use]
pub fn shadow_is_empty(machine: &dyn Machine, name: &str) -> bool {
    let mut files = vec!["/etc/shadow"];
    if uses_extra_users(machine) {
        files.insert(0, "/var/lib/extrausers/shadow");
    }
    files.into_iter().filter_map(|path| system::read_text(machine, path)).any(|text| {
        text.lines().any(|line| {
            let mut fields = line.splitn(3, ':');
            fields.next() == Some(name) && matches!(fields.next(), Some("" | "!")) && fields.next().is_some()
        })
    })
}

impl Maker<'_> {
    /// Makes the user `name`, or what of it an existing user can be given.
    pub(super) fn user(&mut self, name: &Key, config: &Map) -> Result<(), Finding> {
        let unusable = |message: String, hint: &str| {
            Err(Finding::error(UNUSABLE, name.place, message).at("users").with_hint(hint))
        };
        if get(config, "name").is_some() {
            return unusable(format!("user {} has its name twice", name.to_python_str()), "keep one `name`");
        }
        let Some(name_text) = name.as_text().filter(|name| !name.is_empty()) else {
            return unusable(
                format!("the user name {:?} is not text, or empty", name.to_python_str()),
                "put the name in quotes",
            );
        };
        let subject = Subject { name: name_text, place: name.place, config };
        if let Some(snap) = get(config, "snapuser") {
            self.snap_user(&subject, snap);
            return Ok(());
        }
        let existing = !self.add(&subject)?;
        self.passwords(&subject, existing);
        self.doas(&subject)?;
        self.sudo(&subject)?;
        self.keys(&subject)
    }

    fn snap_user(&mut self, subject: &Subject<'_>, snap: &Value) {
        let mut argv =
            vec!["snap".to_owned(), "create-user".to_owned(), "--sudoer".to_owned(), "--json".to_owned()];
        if get(subject.config, "known").is_some_and(truthy) {
            argv.push("--known".to_owned());
        }
        if truthy(snap) {
            argv.push(snap.to_python_str());
        }
        self.run(argv);
    }

    /// Whether the user is new; then it is made.
    fn add(&mut self, subject: &Subject<'_>) -> Result<bool, Finding> {
        let Subject { name, config, .. } = *subject;
        if self.machine.account(name).is_some() {
            let ignored: Vec<&str> =
                ONLY_FOR_NEW.iter().copied().filter(|key| get(config, key).is_some_and(truthy)).collect();
            if !ignored.is_empty() {
                self.outcome.notes.push(format!(
                    "user {name} is there already: {} of its entry {} no effect",
                    ignored.join(", "),
                    if ignored.len() == 1 { "has" } else { "have" }
                ));
            }
            return Ok(false);
        }
        let groups = self.groups_of(subject)?;
        let arguments = self.arguments(subject, &groups);
        if self.is_busybox() {
            self.busybox(subject, arguments);
        } else {
            self.useradd(subject, arguments)?;
        }
        if self.request.distro.variant == "raspberry-pi-os" {
            self.push(Action::Run {
                argv: ["/usr/bin/rename-user", "-f", "-s"].map(str::to_owned).to_vec(),
                stdin: None,
                environment: vec![("SUDO_USER".to_owned(), name.to_owned())],
                optional: true,
            });
        }
        Ok(true)
    }

    /// Names of the user's further groups; makes those that are missing, and the main group with them.
    fn groups_of(&mut self, subject: &Subject<'_>) -> Result<Vec<String>, Finding> {
        let config = subject.config;
        let main = get(config, "primary_group").filter(|group| truthy(group));
        let Some(groups) = get(config, "groups").filter(|groups| truthy(groups)) else {
            if let Some(group) = main.and_then(Value::as_text)
                && self.machine.group(group).is_none()
            {
                self.outcome.findings.push(
                    Finding::warning(
                        "no-such-group",
                        subject.place,
                        format!(
                            "the main group {group} of {} is not made, since it has no further groups: `useradd` fails",
                            subject.name
                        ),
                    )
                    .at(subject.path("primary_group"))
                    .with_hint(format!("make it first: `groups: [{group}]` at the top level")),
                );
            }
            return Ok(Vec::new());
        };
        let bad = |value: &Value| {
            Finding::error(
                UNUSABLE,
                value.place,
                format!(
                    "the groups of {} have {} among them: the user is not made",
                    subject.name,
                    described(value)
                ),
            )
            .at(subject.path("groups"))
            .with_hint("write group names as text, in a list")
        };
        let words: Vec<String> = match &groups.kind {
            Kind::Text(text) => text.split(',').map(|group| strip(group).to_owned()).collect(),
            Kind::List(items) => {
                let mut words = Vec::new();
                for item in items {
                    words.push(strip(item.as_text().ok_or_else(|| bad(item))?).to_owned());
                }
                words
            }
            Kind::Map(map) => {
                let mut words = Vec::new();
                for key in map.keys() {
                    words.push(strip(key.as_text().ok_or_else(|| bad(groups))?).to_owned());
                }
                words
            }
            _ => return Err(bad(groups)),
        };
        let create = get(config, "create_groups").is_none_or(truthy);
        if create {
            for group in &words {
                self.group(group);
            }
            if let Some(group) = main {
                let group = group.as_text().ok_or_else(|| bad(group))?;
                self.group(group);
            }
        }
        Ok(words)
    }

    /// Options with their values, in the order of `useradd`'s keys; switches without.
    fn arguments(
        &self,
        subject: &Subject<'_>,
        groups: &[String],
    ) -> Vec<(&'static str, &'static str, Option<String>)> {
        let mut arguments = Vec::new();
        for (key, option) in OPTIONS {
            let Some(value) = get(subject.config, key) else { continue };
            // Alpine has no SELinux; cloud-init drops the key there, for `useradd` too.
            if *key == "selinux_user" && self.request.distro.variant == "alpine" {
                continue;
            }
            if SWITCHES.contains(key) {
                if truthy(value) {
                    arguments.push((*key, *option, None));
                }
                continue;
            }
            let text = match *key {
                "groups" if truthy(value) => Some(groups.join(",")),
                "uid" => Some(value.to_python_str()),
                _ => value.as_text().map(str::to_owned),
            };
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                arguments.push((*key, *option, Some(text)));
            }
        }
        arguments
    }

    fn useradd(
        &mut self,
        subject: &Subject<'_>,
        arguments: Vec<(&'static str, &'static str, Option<String>)>,
    ) -> Result<(), Finding> {
        let name = subject.name;
        let mut argv = vec!["useradd".to_owned(), name.to_owned()];
        if uses_extra_users(&self.machine) {
            argv.push("--extrausers".to_owned());
        }
        self.dropped(subject, &arguments);
        let mut hash = None;
        for (key, option, value) in arguments {
            if key == "passwd" {
                hash = value;
                continue;
            }
            argv.push(option.to_owned());
            argv.extend(value);
        }
        argv.push(if subject.without_home() { "-M" } else { "-m" }.to_owned());
        if let Some(hash) = &hash
            && hash.contains([':', '\n'])
        {
            return Err(Finding::error(
                "bad-hash",
                get(subject.config, "passwd").map_or(subject.place, |value| value.place),
                format!(
                    "passwd of {name} has a colon or a line break, which no hash has: the user is not made"
                ),
            )
            .at(subject.path("passwd"))
            .with_hint(
                "passwd takes a hash such as `mkpasswd` prints; a password goes into plain_text_passwd",
            ));
        }
        self.run(argv);
        if let Some(hash) = hash {
            self.feed(&["chpasswd", "-e"], format!("{name}:{hash}"));
        }
        Ok(())
    }

    /// Values that are passed over, since they are no text.
    fn dropped(&mut self, subject: &Subject<'_>, arguments: &[(&'static str, &'static str, Option<String>)]) {
        for (key, _) in OPTIONS {
            let Some(value) = get(subject.config, key) else { continue };
            if !SWITCHES.contains(key) && truthy(value) && !arguments.iter().any(|(given, ..)| given == key) {
                self.warn(
                    crate::reading::SKIPPED,
                    value.place,
                    subject.path(key),
                    format!("{key} of {} is {}, not text: it is ignored", subject.name, described(value)),
                    "put it in quotes",
                );
            }
        }
    }

    /// Busybox's `adduser`, which knows less.
    fn busybox(
        &mut self,
        subject: &Subject<'_>,
        arguments: Vec<(&'static str, &'static str, Option<String>)>,
    ) {
        let name = subject.name;
        let mut argv = vec!["adduser".to_owned(), "-D".to_owned()];
        let mut groups = Vec::new();
        let mut hash = None;
        let mut details = vec![("user".to_owned(), name.to_owned())];
        for (key, _, value) in arguments {
            let short = match key {
                "gecos" => "-g",
                "homedir" => "-h",
                "primary_group" => "-G",
                "shell" => "-s",
                "uid" => "-u",
                "system" => "-S",
                "groups" => {
                    groups = value.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
                    continue;
                }
                "passwd" => {
                    hash = value;
                    continue;
                }
                "expiredate" | "inactive" => {
                    details.extend(value.map(|value| (key.to_owned(), value)));
                    continue;
                }
                _ => continue,
            };
            argv.push(short.to_owned());
            argv.extend(value);
        }
        if subject.without_home() {
            argv.push("-H".to_owned());
        }
        argv.push(name.to_owned());
        self.run(argv);
        for group in groups {
            self.run(["addgroup", name, &group]);
        }
        if let Some(hash) = hash {
            self.feed(&["chpasswd", "-e"], format!("{name}:{hash}"));
        }
        // Clears the ages that busybox writes, and sets what it has no options for.
        self.push(Action::Live { what: "shadow-ages", details });
    }

    fn passwords(&mut self, subject: &Subject<'_>, existing: bool) {
        let Subject { name, config, .. } = *subject;
        let mut given = false;
        for (key, argv) in
            [("plain_text_passwd", &["chpasswd"][..]), ("hashed_passwd", &["chpasswd", "-e"][..])]
        {
            let Some(value) = get(config, key) else { continue };
            given = true;
            if truthy(value) {
                self.feed(argv, format!("{name}:{}", value.to_python_str()));
            }
        }
        let mut has_password = false;
        if existing && !given {
            if let Some(value) = get(config, "passwd") {
                self.warn(
                    "existing-user",
                    value.place,
                    subject.path("passwd"),
                    format!("passwd is ignored: user {name} is there already"),
                    "hashed_passwd changes the password of an existing user",
                );
            }
            has_password = !shadow_is_empty(&self.machine, name);
        } else if !existing && get(config, "passwd").is_some() {
            given = true;
        }
        if get(config, "lock_passwd").is_none_or(truthy) {
            self.lock(name);
        } else if has_password || given {
            self.unlock(name);
        } else {
            let place = get(config, "lock_passwd").map_or(subject.place, |value| value.place);
            let message =
                format!("the password of {name} stays locked: lock_passwd is off, but there is no password");
            let hint = "add `passwd` with a hash, or plain_text_passwd";
            self.warn("nothing-to-unlock", place, subject.path("lock_passwd"), message, hint);
        }
    }

    fn lock(&mut self, name: &str) {
        if self.has("passwd") || !self.has("usermod") {
            if self.is_busybox() {
                // Busybox fails when there is nothing to lock.
                self.push(system::try_run(["passwd", "-l", name]));
            } else {
                self.run(["passwd", "-l", name]);
            }
        } else {
            self.run(["usermod", "--lock", name]);
        }
    }

    /// `passwd -u` refuses an empty password, with a word on stderr and status 3; then the password is
    /// made empty explicitly.
    fn unlock(&mut self, name: &str) {
        let passwd = self.has("passwd") || !self.has("usermod");
        if passwd && self.is_busybox() {
            self.push(system::try_run(["passwd", "-u", name]));
            return;
        }
        let (unlock, empty) = if passwd {
            (format!("passwd -u {name}"), format!("passwd -d {name}"))
        } else {
            (format!("usermod --unlock {name}"), format!("usermod --password '' {name}"))
        };
        let details = vec![("run".to_owned(), unlock), ("if-refused".to_owned(), empty)];
        self.push(Action::Live { what: "unlock-password", details });
    }

    /// `ssh_authorized_keys` of a user.
    fn keys(&mut self, subject: &Subject<'_>) -> Result<(), Finding> {
        let Some(value) = get(subject.config, "ssh_authorized_keys") else { return Ok(()) };
        let fail = |value: &Value| {
            Err(Finding::error(
                UNUSABLE,
                value.place,
                format!(
                    "a key of {} is {}: its keys are not installed, and users behind it are not made",
                    subject.name,
                    described(value)
                ),
            )
            .at(subject.path("ssh_authorized_keys"))
            .with_hint("write a list of lines such as `ssh-ed25519 AAAA… name`"))
        };
        let keys: Vec<&Value> = match &value.kind {
            Kind::Text(_) => vec![value],
            Kind::List(items) => items.iter().collect(),
            Kind::Map(map) => map.values().collect(),
            Kind::Null => return fail(value),
            _ => {
                self.warn(
                    "keys-not-a-list",
                    value.place,
                    subject.path("ssh_authorized_keys"),
                    format!(
                        "the keys of {} are {}, not a list: they are ignored",
                        subject.name,
                        described(value)
                    ),
                    "write a list of lines such as `ssh-ed25519 AAAA… name`",
                );
                Vec::new()
            }
        };
        if let Some(bad) = keys.iter().find(|key| super::merge::as_key(key).is_none()) {
            return fail(bad);
        }
        let lines: Vec<String> = keys.iter().map(|key| key.to_python_str()).collect();
        crate::ssh::check_keys(&keys, subject.path("ssh_authorized_keys"), &mut self.outcome.findings);
        let action = crate::ssh::install_keys(subject.name, &lines, None);
        self.push(action);
        Ok(())
    }
}

/// The user that is being made.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    pub(super) config: &'a Map,
}

impl Subject<'_> {
    pub(super) fn path(&self, key: &str) -> String {
        format!("users.{}.{key}", self.name)
    }

    fn without_home(&self) -> bool {
        ["no_create_home", "system"].iter().any(|key| get(self.config, key).is_some_and(truthy))
    }
}
