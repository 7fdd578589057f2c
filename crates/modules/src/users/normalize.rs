//! The users and groups that a configuration describes (`cloudinit/distros/ug_util.py`): lists, texts
//! with commas and mappings become one table, and `default` becomes the distribution's own user.

use std::collections::BTreeSet;

use hardtack_userdata::layers::effective;
use hardtack_userdata::truth::{is_true, truthy};
use hardtack_userdata::{Finding, Key, Kind, Map, Value};
use indexmap::IndexMap;

use super::merge::{as_key, extend_unique, merge, sorted, unique};
use crate::pytext::strip;
use crate::reading::{UNUSABLE, described, get};

/// Users and groups, in the order in which they are made.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Settings by user name; `default` among them is true for the default user only.
    pub users: IndexMap<Key, Map>,
    /// Members by group name.
    pub groups: IndexMap<Key, Vec<Value>>,
    /// The default user's name.
    pub default: Option<Key>,
    /// What is odd.
    pub findings: Vec<Finding>,
}

impl Accounts {
    /// Names of users and groups that are made.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.users.keys().chain(self.groups.keys()).map(Key::to_python_str).collect()
    }
}

/// Reads `user`, `users` and `groups` of `config`. `default_user` is the distribution's own.
///
/// # Errors
/// What stops the modules that need the users.
pub fn normalize(config: &Map, default_user: Option<&Map>) -> Result<Accounts, Finding> {
    let mut findings = Vec::new();
    let old = old_user(config, &mut findings);
    let mut default_config = old.clone().unwrap_or_default();
    if let Some(default_user) = default_user {
        merge(&mut default_config, default_user);
    }
    let mut base = match get(config, "users") {
        None => Value::new(Kind::List(Vec::new())),
        Some(users) => match &users.kind {
            Kind::List(_) | Kind::Map(_) | Kind::Text(_) => users.clone(),
            _ => {
                findings.push(
                    Finding::warning(
                        UNUSABLE,
                        users.place,
                        format!("`users` is {}, not a list: no user is made", described(users)),
                    )
                    .at("users")
                    .with_hint("write a list: `users: [default, {name: …}]`"),
                );
                Value::new(Kind::List(Vec::new()))
            }
        },
    };
    if old.is_some() {
        match &mut base.kind {
            Kind::List(items) => {
                let entry =
                    Map::from_iter([(Key::text("name"), Value::new(Kind::Text("default".to_owned())))]);
                items.push(Value::new(Kind::Map(entry)));
            }
            Kind::Map(map) => {
                map.entry(Key::text("default")).or_insert(Value::new(Kind::Bool(true)));
            }
            Kind::Text(text) => text.push_str(",default"),
            _ => {}
        }
    }
    let groups = match get(config, "groups") {
        Some(value) => groups(value)?,
        None => IndexMap::new(),
    };
    let (users, default) = users(&base, &default_config)?;
    Ok(Accounts { users, groups, default, findings })
}

/// The older key `user`, which names the default user.
fn old_user(config: &Map, findings: &mut Vec<Finding>) -> Option<Map> {
    let value = get(config, "user").filter(|value| truthy(value))?;
    match &value.kind {
        Kind::Text(_) => Some(Map::from_iter([(Key::text("name"), value.clone())])),
        Kind::Map(map) => Some(map.clone()),
        _ => {
            findings.push(
                Finding::warning(
                    UNUSABLE,
                    value.place,
                    format!("`user` is {}, neither a name nor a mapping: it is ignored", described(value)),
                )
                .at("user")
                .with_hint("write `user: {name: …}`"),
            );
            None
        }
    }
}

fn error(value: &Value, path: &str, what: String) -> Finding {
    Finding::error(UNUSABLE, value.place, what).at(path)
}

/// Groups and their members.
fn groups(value: &Value) -> Result<IndexMap<Key, Vec<Value>>, Finding> {
    let path = "groups";
    let members_of = |place: &Value, members: &Value| {
        unique(members).and_then(sorted).ok_or_else(|| {
            error(place, path, format!("the members of a group are {}, not names", described(members)))
                .with_hint("write a list of user names")
        })
    };
    let mut found: IndexMap<Key, Value> = IndexMap::new();
    match &value.kind {
        Kind::Map(map) => {
            let mut groups = IndexMap::new();
            for (name, members) in map {
                groups.insert(name.clone(), members_of(members, members)?);
            }
            return Ok(groups);
        }
        Kind::Text(text) => {
            for name in strip(text).split(',') {
                found.entry(Key { place: value.place, kind: Kind::Text(name.to_owned()) }).or_insert(empty());
            }
        }
        Kind::List(items) => {
            for item in items {
                collect_group(item, &mut found)?;
            }
        }
        _ => {
            let what = format!("`groups` is {}, not a list, a mapping or text", described(value));
            return Err(
                error(value, path, what).with_hint("write a list: `groups: [docker, {admins: [joe]}]`")
            );
        }
    }
    let mut groups = IndexMap::new();
    for (name, members) in &found {
        groups.insert(name.clone(), members_of(value, members)?);
    }
    Ok(groups)
}

fn empty() -> Value {
    Value::new(Kind::List(Vec::new()))
}

fn collect_group(item: &Value, found: &mut IndexMap<Key, Value>) -> Result<(), Finding> {
    match &item.kind {
        Kind::Text(name) => {
            found.entry(Key { place: item.place, kind: Kind::Text(name.clone()) }).or_insert(empty());
        }
        Kind::Map(map) => {
            for (name, members) in map {
                let fresh = match &members.kind {
                    Kind::List(items) => items.clone(),
                    Kind::Text(_) => vec![members.clone()],
                    _ => {
                        let what = format!(
                            "the members of group {} are {}",
                            name.to_python_str(),
                            described(members)
                        );
                        return Err(error(members, "groups", what).with_hint("write a list of user names"));
                    }
                };
                if let Kind::List(items) = &mut found.entry(name.clone()).or_insert(empty()).kind {
                    items.extend(fresh);
                }
            }
        }
        _ => {
            let what = format!("the group {} is {}, not a name", item.to_python_str(), described(item));
            return Err(error(item, "groups", what).with_hint("put the name in quotes"));
        }
    }
    Ok(())
}

/// The table of users, and the default user's name.
#[allow(clippy::type_complexity)]
fn users(base: &Value, default_config: &Map) -> Result<(IndexMap<Key, Map>, Option<Key>), Finding> {
    let mut found: IndexMap<Key, Map> = IndexMap::new();
    for entry in entries(base)? {
        collect_user(&entry, &mut found)?;
    }
    let mut users: IndexMap<Key, Map> = IndexMap::new();
    for (name, config) in found {
        users.insert(name, with_underscores(config)?);
    }
    // A name that is nothing to Python (`false`, empty text) is a user, but not the default one.
    let default = substitute_default(&mut users, default_config, base)?
        .filter(|name| truthy(&Value { place: name.place, kind: name.kind.clone() }));
    for (name, config) in &mut users {
        let is_default = default.as_ref() == Some(name);
        config.insert(Key::text("default"), Value::new(Kind::Bool(is_default)));
    }
    Ok((users, default))
}

/// The entries of `users`, whatever it is.
fn entries(base: &Value) -> Result<Vec<Value>, Finding> {
    match &base.kind {
        Kind::List(items) => Ok(items.clone()),
        Kind::Text(_) => Ok(unique(base).and_then(sorted).unwrap_or_default()),
        Kind::Map(map) => {
            let mut entries = Vec::new();
            for (name, value) in map {
                match &value.kind {
                    Kind::Bool(_) | Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) | Kind::Text(_) => {
                        if is_true(value) {
                            entries.push(Value { place: name.place, kind: Kind::Text(name.to_python_str()) });
                        }
                    }
                    Kind::Map(config) => {
                        let mut config = config.clone();
                        let name = Value { place: name.place, kind: name.kind.clone() };
                        config.insert(Key::text("name"), name);
                        entries.push(Value { place: value.place, kind: Kind::Map(config) });
                    }
                    _ => {
                        let what = format!(
                            "the user {} is {}, neither true, false nor a mapping",
                            name.to_python_str(),
                            described(value)
                        );
                        return Err(error(value, "users", what)
                            .with_hint("write a list: `users: [default, {name: …}]`"));
                    }
                }
            }
            Ok(entries)
        }
        _ => Ok(Vec::new()),
    }
}

fn collect_user(entry: &Value, found: &mut IndexMap<Key, Map>) -> Result<(), Finding> {
    let no_name = |value: &Value| {
        error(value, "users", format!("the user name {} is {}", value.to_python_str(), described(value)))
            .with_hint("a user name is text")
    };
    match &entry.kind {
        Kind::Text(_) | Kind::List(_) => {
            for name in unique(entry).unwrap_or_default() {
                if truthy(&name) {
                    let key = as_key(&name).ok_or_else(|| no_name(&name))?;
                    found.entry(key).or_default();
                }
            }
        }
        Kind::Map(map) => {
            let mut config = map.clone();
            let name = match config.shift_remove(&Key::text("name")) {
                Some(name) => as_key(&name).ok_or_else(|| no_name(&name))?,
                None => Key { place: entry.place, kind: Kind::Text("default".to_owned()) },
            };
            let known = found.entry(name).or_default();
            if ["merge_how", "merge_type"].iter().any(|key| get(&config, key).is_some()) {
                *known = effective(&[known, &config]);
            } else {
                merge(known, &config);
            }
        }
        _ => {
            let what = format!(
                "the entry {} of `users` is {}, neither a name nor a mapping: no user is made",
                entry.to_python_str(),
                described(entry)
            );
            return Err(error(entry, "users", what).with_hint("write `- name: …`, or a name in quotes"));
        }
    }
    Ok(())
}

/// `lock-passwd` and `lock_passwd` are one key; the one that stands later wins.
fn with_underscores(config: Map) -> Result<Map, Finding> {
    let mut out = Map::new();
    for (key, value) in config {
        let Some(text) = key.as_text() else {
            let what = format!("the key {} of a user is not text", key.to_python_str());
            return Err(Finding::error(UNUSABLE, key.place, what)
                .at("users")
                .with_hint("the keys of a user are words such as `name` and `groups`"));
        };
        let name = text.replace('-', "_");
        let name = strip(&name);
        if !name.is_empty() {
            out.insert(Key { place: key.place, kind: Kind::Text(name.to_owned()) }, value);
        }
    }
    Ok(out)
}

/// Puts the default user in the place of `default`, and gives its name.
fn substitute_default(
    users: &mut IndexMap<Key, Map>,
    default_config: &Map,
    base: &Value,
) -> Result<Option<Key>, Finding> {
    let Some(entry) = users.shift_remove(&Key::text("default")) else { return Ok(None) };
    if default_config.is_empty() {
        return Ok(None);
    }
    let mut distribution = default_config.clone();
    let name = distribution.shift_remove(&Key::text("name")).ok_or_else(|| {
        error(base, "user", "the default user has no name".to_owned()).with_hint("write `user: {name: …}`")
    })?;
    let name = as_key(&name).ok_or_else(|| {
        error(&name, "user.name", format!("the default user's name is {}", described(&name)))
    })?;
    let distribution_groups = distribution.shift_remove(&Key::text("groups"));
    let mut config = users.shift_remove(&name).unwrap_or_default();
    let own_groups = get(&config, "groups").cloned();
    let mut groups = Vec::new();
    for value in own_groups.iter().chain(&distribution_groups) {
        extend_unique(&mut groups, value).ok_or_else(|| {
            error(value, "users", format!("the groups of {} are {}", name.to_python_str(), described(value)))
                .with_hint("write a list of group names")
        })?;
    }
    let joined = sorted(groups).and_then(|groups| {
        groups.iter().map(Value::as_text).collect::<Option<Vec<_>>>().map(|names| names.join(","))
    });
    let Some(joined) = joined else {
        return Err(error(base, "users", format!("a group of {} is not text", name.to_python_str()))
            .with_hint("put group names in quotes"));
    };
    let place = own_groups.map(|groups| groups.place).unwrap_or_default();
    config.insert(Key::text("groups"), Value { place, kind: Kind::Text(joined) });
    merge(&mut config, &entry);
    merge(&mut config, &distribution);
    users.insert(name.clone(), config);
    Ok(Some(name))
}
