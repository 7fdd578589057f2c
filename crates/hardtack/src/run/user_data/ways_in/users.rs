//! Users as the user-data leaves them: who is made, with which password and keys.
//!
//! From `cloudinit/distros/ug_util.py` (`normalize_users_groups`), `cc_users_groups.py`,
//! `cc_set_passwords.py` and `cc_ssh.py`, as far as logins depend on it.

use hardtack_userdata::truth::is_true;
use hardtack_userdata::{Key, Kind, Map, Place, Value};

use super::super::image_config::IN_IMAGE;
use super::image::Facts;

/// A user after the first boot.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    /// Login name.
    pub(super) name: String,
    /// Where the user-data names it.
    pub(super) place: Place,
    /// As a path in the configuration.
    pub(super) path: String,
    /// It is cloud-init's default user.
    pub(super) is_default: bool,
    /// It gets the key that comes with the launch.
    pub(super) launch_key: bool,
    /// What becomes of its password; `None`: it stays as it is, and a new user has none.
    pub(super) password: Option<Password>,
    /// Its keys.
    pub(super) keys: Vec<KeyLine>,
    /// Its shell, where it is named.
    pub(super) shell: Option<String>,
    /// `system: true`.
    pub(super) system: bool,
    /// Groups that the user-data or the image's configuration puts it in.
    pub(super) groups: Vec<String>,
    /// The day since 1970 on which its account is over.
    pub(super) expires: Option<i64>,
}

/// What becomes of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Password {
    /// One that works.
    Works,
    /// One that is set and locked, since `lock_passwd` is true when nobody says otherwise.
    Locked,
}

/// A line for `authorized_keys`.
#[derive(Clone, Debug)]
pub(super) struct KeyLine {
    /// As written.
    pub(super) line: String,
    /// Where.
    pub(super) place: Place,
    /// As a path in the configuration.
    pub(super) path: String,
}

/// Users that are judged; of so many nobody reads what is said of the next.
const MOST: usize = 200;

/// All users of the effective configuration `config`, where `default_user` is the name of
/// cloud-init's own. The user-data comes first in it: a `users` list there replaces the image's.
pub(super) fn users(config: &Map, default_user: Option<&str>) -> Vec<User> {
    let mut users = Vec::new();
    let override_name =
        get(config, "user").and_then(|user| user.as_text().or_else(|| user.get("name")?.as_text()));
    let default_name = override_name.or(default_user);
    let wanted = get(config, "users");
    let none = Value::new(Kind::List(vec![Value::new(Kind::Text("default".to_owned()))]));
    for entry in entries(wanted.unwrap_or(&none)) {
        let is_default = entry.is_default();
        let Some(name) = (if is_default { default_name } else { entry.name }) else { continue };
        // Entries of one name are one user; without a name they change the default one.
        if let Some(user) = users.iter_mut().find(|user: &&mut User| user.name == name) {
            if let Some(map) = entry.value.and_then(Value::as_map) {
                user.take(map);
            }
            continue;
        }
        if users.len() >= MOST {
            break;
        }
        let Entry { place, path, .. } = entry;
        let mut user = User { name: name.to_owned(), place, path, is_default, ..User::default() };
        if is_default {
            let own = get(config, "system_info").and_then(|info| info.get("default_user"));
            let user_key = get(config, "user");
            for map in [own, user_key].into_iter().flatten().filter_map(Value::as_map) {
                user.take(map);
            }
        }
        if let Some(map) = entry.value.and_then(Value::as_map) {
            user.take(map);
        }
        users.push(user);
    }
    top_level(config, &mut users);
    users
}

/// What stands outside of `users`: `password`, `chpasswd`, `ssh_authorized_keys`.
fn top_level(config: &Map, users: &mut [User]) {
    let changed = passwords(config);
    let launch = get(config, "allow_public_ssh_keys").is_none_or(is_true);
    for user in users.iter_mut() {
        if user.is_default {
            user.launch_key = launch;
            if get(config, "password").is_some_and(|value| !value.is_null()) {
                user.password = Some(Password::Works);
            }
            user.keys.extend(key_lines(get(config, "ssh_authorized_keys"), "ssh_authorized_keys"));
        }
        if changed.iter().any(|change| change.name == user.name) {
            user.password = Some(Password::Works);
        }
    }
}

/// A password that `chpasswd` sets.
pub(super) struct Change {
    /// Whose.
    pub(super) name: String,
    /// Where.
    pub(super) place: Place,
    /// As a path in the configuration.
    pub(super) path: String,
}

/// Whose passwords `chpasswd` sets.
pub(super) fn passwords(config: &Map) -> Vec<Change> {
    let mut found = Vec::new();
    let Some(change) = get(config, "chpasswd") else { return found };
    for (index, user) in change.get("users").and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
        if let Some(name) = user.get("name").and_then(Value::as_text) {
            let path = format!("chpasswd.users.{index}");
            found.push(Change { name: name.to_owned(), place: user.place, path });
        }
    }
    let mut line = |text: &str, place: Place, path: &str| {
        if let Some((name, _)) = text.split_once(':') {
            found.push(Change { name: name.trim().to_owned(), place, path: path.to_owned() });
        }
    };
    match change.get("list").map(|list| (&list.kind, list.place)) {
        Some((Kind::Text(text), place)) => {
            text.lines().for_each(|text| line(text, place, "chpasswd.list"));
        }
        Some((Kind::List(items), _)) => {
            for (index, item) in items.iter().enumerate() {
                line(item.as_text().unwrap_or_default(), item.place, &format!("chpasswd.list.{index}"));
            }
        }
        _ => {}
    }
    found
}

/// The accounts of the recipe that the agent makes where none of `all` is one.
pub(super) fn of_agent(facts: &Facts, all: &[User]) -> Vec<User> {
    let place = Place { part: IN_IMAGE, ..Place::default() };
    let key = |line: &String| KeyLine { line: line.clone(), place, path: String::new() };
    let accounts = facts.makes().filter(|account| all.iter().all(|user| user.name != account.name));
    accounts
        .map(|account| User {
            name: account.name.clone(),
            place,
            password: (!account.password_hash.is_empty()).then_some(Password::Works),
            keys: account.authorized_keys.iter().map(key).collect(),
            shell: Some(account.shell.clone()).filter(|shell| !shell.is_empty()),
            groups: account.groups.clone(),
            ..User::default()
        })
        .collect()
}

impl User {
    /// True for a user of a service, who is not to log in.
    pub(super) fn is_service(&self) -> bool {
        let shell = self.shell.as_deref().and_then(|shell| shell.rsplit('/').next());
        matches!(shell, Some("nologin" | "false")) || (self.system && self.keys.is_empty())
    }

    fn take(&mut self, map: &Map) {
        let get = |name: &str| field(map, name);
        let text = |name: &str| get(name).and_then(Value::as_text).filter(|text| !text.is_empty());
        let given = ["hashed_passwd", "plain_text_passwd", "passwd"]
            .iter()
            .any(|name| text(name).is_some_and(|hash| !hash.starts_with(['!', '*'])));
        let open = get("lock_passwd").map(is_true);
        match (given, open) {
            (true, Some(false)) => self.password = Some(Password::Works),
            (true, _) => self.password = Some(Password::Locked),
            (false, Some(true)) => self.password = Some(Password::Locked),
            (false, Some(false)) if self.password == Some(Password::Locked) => {
                self.password = Some(Password::Works);
            }
            _ => {}
        }
        self.system |= get("system").is_some_and(is_true);
        if let Some(shell) = text("shell") {
            self.shell = Some(shell.to_owned());
        }
        if let Some(day) = get("expiredate").and_then(day) {
            self.expires = Some(day);
        }
        for name in ["groups", "primary_group"] {
            self.groups.extend(get(name).map(group_names).unwrap_or_default());
        }
        let path = format!("{}.ssh_authorized_keys", self.path);
        self.keys.extend(key_lines(get("ssh_authorized_keys"), &path));
    }
}

/// The day of `expiredate`, counted from 1970: a date, or the number itself (`useradd -e`).
fn day(value: &Value) -> Option<i64> {
    let text = match &value.kind {
        Kind::Int(number) => return i64::try_from(*number).ok().filter(|day| *day >= 0),
        Kind::Text(text) | Kind::Date(text) => text.trim(),
        _ => return None,
    };
    if let Ok(day) = text.parse::<i64>() {
        return (day >= 0).then_some(day);
    }
    let mut fields =
        text.split('-').map(|field| field.parse::<i64>().ok().filter(|n| (1..10_000).contains(n)));
    let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
    // Years begin in March, so that the odd day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468)
}

/// Groups as text with commas, a list or a mapping.
fn group_names(value: &Value) -> Vec<String> {
    let split = |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
    match &value.kind {
        Kind::Text(text) => split(text),
        Kind::List(items) => items.iter().filter_map(Value::as_text).flat_map(split).collect(),
        Kind::Map(members) => members.keys().filter_map(Key::as_text).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Keys as text, a list or a mapping (`cloudinit/distros/__init__.py`: `create_user`).
pub(super) fn key_lines(value: Option<&Value>, path: &str) -> Vec<KeyLine> {
    let line = |value: &Value, path: String| {
        let line = value.as_text()?.trim().to_owned();
        Some(KeyLine { line, place: value.place, path })
    };
    let Some(value) = value else { return Vec::new() };
    match &value.kind {
        Kind::Text(_) => line(value, path.to_owned()).into_iter().collect(),
        Kind::List(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| line(item, format!("{path}.{index}")))
            .collect(),
        Kind::Map(members) => members
            .iter()
            .filter_map(|(key, item)| line(item, format!("{path}.{}", key.as_text().unwrap_or_default())))
            .collect(),
        _ => Vec::new(),
    }
}

/// One user of a `users` value.
struct Entry<'v> {
    /// As written; none: it changes the default user.
    name: Option<&'v str>,
    /// What is said of it, if anything.
    value: Option<&'v Value>,
    place: Place,
    path: String,
}

impl Entry<'_> {
    fn is_default(&self) -> bool {
        self.name.is_none_or(|name| name == "default")
    }
}

/// The users of a `users` value, which is text with commas, a list, or a mapping.
fn entries(value: &Value) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    match &value.kind {
        Kind::Text(text) => found.extend(listed(text, value.place, "users")),
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("users.{index}");
                match &item.kind {
                    Kind::Text(text) => found.extend(listed(text, item.place, &path)),
                    Kind::Map(members) => {
                        let name = field(members, "name").and_then(Value::as_text);
                        found.push(Entry { name, value: Some(item), place: item.place, path });
                    }
                    _ => {}
                }
            }
        }
        Kind::Map(members) => {
            for (key, member) in members {
                let taken = !matches!(member.kind, Kind::Bool(false) | Kind::Null);
                let Some(name) = key.as_text().filter(|_| taken) else { continue };
                let path = format!("users.{name}");
                found.push(Entry { name: Some(name), value: Some(member), place: key.place, path });
            }
        }
        _ => {}
    }
    found
}

/// Names with commas between them.
fn listed<'t>(text: &'t str, place: Place, path: &str) -> impl Iterator<Item = Entry<'t>> + use<'t> {
    let path = path.to_owned();
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(move |name| Entry { name: Some(name), value: None, place, path: path.clone() })
}

/// True when the effective users include cloud-init's default one.
pub(super) fn wants_default(config: &Map) -> bool {
    get(config, "users").is_none_or(|value| entries(value).iter().any(Entry::is_default))
}

/// A member by its name; hyphens are underscores here.
fn field<'m>(map: &'m Map, name: &str) -> Option<&'m Value> {
    map.get(&Key::text(name)).or_else(|| map.get(&Key::text(name.replace('_', "-"))))
}

/// A top-level key.
pub(super) fn get<'m>(config: &'m Map, name: &str) -> Option<&'m Value> {
    config.get(&Key::text(name))
}

/// Where a top-level key stands.
pub(super) fn place_of(config: &Map, name: &str) -> Place {
    config.get_key_value(&Key::text(name)).map(|(key, _)| key.place).unwrap_or_default()
}
