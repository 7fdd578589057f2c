//! The users that a configuration describes, in all forms that cloud-init takes
//! (`cloudinit/distros/ug_util.py`).

use std::collections::HashSet;

use super::{NAMES, top};
use crate::finding::Place;
use crate::truth::{is_true, truthy};
use crate::value::{Key, Kind, Map, Value};

/// Names of the user that images of one distribution or another make when `users` asks for `default`.
pub(super) const DEFAULT_USERS: &[&str] = &[
    "almalinux",
    "alpine",
    "arch",
    "azureuser",
    "centos",
    "cloud-user",
    "debian",
    "ec2-user",
    "eurolinux",
    "fedora",
    "opensuse",
    "rocky",
    "ubuntu",
];

/// What `user`, `users` and the rest say about who is there.
pub(super) struct Users<'v> {
    /// Where `users` stands, if it is given and not null.
    pub(super) listed: Option<Place>,
    /// The distribution's default user is made.
    pub(super) has_default: bool,
    /// All others, as often as they stand there.
    pub(super) accounts: Vec<Account<'v>>,
    /// Users that `chpasswd` sets a password for.
    pub(super) chpasswd: HashSet<&'v str>,
    /// Users with keys of their own.
    keyed: HashSet<&'v str>,
    /// Users with a password of their own.
    with_password: HashSet<&'v str>,
}

/// One user.
pub(super) struct Account<'v> {
    /// The name; none stands for the default user.
    pub(super) name: Option<&'v str>,
    /// Where the name stands, or the whole entry.
    pub(super) place: Place,
    /// `users.0`.
    pub(super) path: String,
    /// What is said about it.
    settings: Option<&'v Map>,
}

impl<'v> Users<'v> {
    pub(super) fn read(config: &'v Map) -> Self {
        let mut users = Self {
            listed: None,
            has_default: top(config, "users").is_none() || top(config, "user").is_some_and(truthy),
            accounts: Vec::new(),
            chpasswd: chpasswd(config),
            keyed: HashSet::new(),
            with_password: HashSet::new(),
        };
        if let Some(Value { kind: Kind::Map(settings), place }) = top(config, "user") {
            users.add(None, *place, "user".to_owned(), Some(settings));
        }
        let Some(value) = top(config, "users").filter(|value| !value.is_null()) else { return users };
        users.listed = Some(value.place);
        match &value.kind {
            Kind::Text(text) => users.names(text, value.place, "users"),
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    users.item(item, &format!("users.{index}"));
                }
            }
            Kind::Map(map) => {
                for (key, value) in map {
                    let path = format!("users.{}", key.to_python_str());
                    match &value.kind {
                        Kind::Map(settings) => users.add(key.as_text(), key.place, path, Some(settings)),
                        _ if is_true(value) => users.add(key.as_text(), key.place, path, None),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        users
    }

    fn item(&mut self, item: &'v Value, path: &str) {
        match &item.kind {
            Kind::Text(text) => self.names(text, item.place, path),
            Kind::List(names) => {
                for name in names {
                    if let Some(text) = name.as_text() {
                        self.names(text, name.place, path);
                    }
                }
            }
            Kind::Map(settings) => {
                let name = settings.get(&Key::text("name"));
                let place = name.map_or(item.place, |name| name.place);
                self.add(name.and_then(Value::as_text), place, path.to_owned(), Some(settings));
            }
            _ => {}
        }
    }

    fn names(&mut self, text: &'v str, place: Place, path: &str) {
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            self.add(Some(name), place, path.to_owned(), None);
        }
    }

    fn add(&mut self, name: Option<&'v str>, place: Place, path: String, settings: Option<&'v Map>) {
        let is_snap = settings.is_some_and(|map| map.contains_key(&Key::text("snapuser")));
        let is_default = name == Some("default") || (name.is_none() && !is_snap);
        if is_default {
            self.has_default = true;
        }
        let name = name.filter(|name| *name != "default");
        if self.accounts.len() >= NAMES || (name.is_none() && settings.is_none()) {
            return;
        }
        let account = Account { name, place, path, settings };
        if account.has_keys() {
            self.keyed.extend(name);
        }
        if account.password().is_some() {
            self.with_password.extend(name);
        }
        self.accounts.push(account);
    }

    /// True when one of the entries for `name` has keys of its own.
    pub(super) fn has_keys(&self, name: &str) -> bool {
        self.keyed.contains(name)
    }

    /// True when one of the entries for `name` has a password.
    pub(super) fn has_password(&self, name: &str) -> bool {
        self.with_password.contains(name)
    }
}

/// Who gets a password from `chpasswd`.
fn chpasswd(config: &Map) -> HashSet<&str> {
    let mut names = HashSet::new();
    let Some(chpasswd) = top(config, "chpasswd") else { return names };
    for user in chpasswd.get("users").and_then(Value::as_list).unwrap_or_default() {
        names.extend(user.get("name").and_then(Value::as_text));
    }
    let lines = chpasswd.get("list");
    let lines: Vec<&str> = match lines.map(|value| &value.kind) {
        Some(Kind::Text(text)) => text.lines().take(NAMES).collect(),
        Some(Kind::List(items)) => items.iter().filter_map(Value::as_text).take(NAMES).collect(),
        _ => Vec::new(),
    };
    let pairs = lines.into_iter().filter_map(|line| line.split_once(':'));
    names.extend(pairs.map(|(name, _)| name).take(NAMES));
    names
}

impl<'v> Account<'v> {
    /// A setting in either spelling, `lock_passwd` or `lock-passwd`: the last one counts.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        let spelled = |key: &Key| key.as_text().is_some_and(|text| text.replace('-', "_").trim() == name);
        self.settings?.iter().rev().find(|(key, _)| spelled(key)).map(|(_, value)| value)
    }

    /// As [`Account::get`], with the path.
    pub(super) fn at(&self, name: &str) -> String {
        let hyphened = name.replace('_', "-");
        let written = match self.settings {
            Some(map) if !map.contains_key(&Key::text(name)) && map.contains_key(&Key::text(&*hyphened)) => {
                &hyphened
            }
            _ => name,
        };
        format!("{}.{written}", self.path)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name).is_some_and(truthy)
    }

    /// For people: the name, or what stands for it.
    pub(super) fn title(&self) -> String {
        self.name.map_or_else(|| "the default user".to_owned(), |name| format!("user `{name}`"))
    }

    /// The first password that is given, and the name of its key.
    pub(super) fn password(&self) -> Option<(&'static str, &'v Value)> {
        ["plain_text_passwd", "hashed_passwd", "passwd"]
            .into_iter()
            .find_map(|name| self.get(name).filter(|value| truthy(value)).map(|value| (name, value)))
    }

    /// The password is not locked: only `lock_passwd: false` leaves it so.
    pub(super) fn is_unlocked(&self) -> bool {
        self.get("lock_passwd").is_some_and(|value| !truthy(value))
    }

    pub(super) fn has_keys(&self) -> bool {
        ["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"].iter().any(|name| self.is(name))
    }

    /// Logging in with a password works, as far as this user-data says.
    pub(super) fn has_usable_password(&self, users: &Users<'_>) -> bool {
        (self.password().is_some() && self.is_unlocked())
            || self.name.is_some_and(|name| users.chpasswd.contains(name))
    }
}
