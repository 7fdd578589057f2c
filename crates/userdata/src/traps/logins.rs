//! Who gets in, and who may become root (`cloudinit/config/cc_users_groups.py`,
//! `cloudinit/distros/__init__.py`).

use super::accounts::{Account, Users};
use super::{Report, shown, top, trap, window};
use crate::finding::{Finding, Place};
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    if let Some(place) = users.listed.filter(|_| !users.has_default) {
        report.tell(trap(
            "no-default-user",
            place,
            "users",
            "`users` replaces the image's list and has no `default`: the image's own user is not made, and keys of the metadata get nobody in",
            if top(config, "users").is_some_and(|value| value.as_map().is_some()) {
                "add `default: true`, or better write a list with `- default` as its first item"
            } else {
                "add `- default` as the first item, unless that is meant"
            },
        ));
    }
    as_mapping(config, report);
    for account in &users.accounts {
        way_in(account, users, report);
        sudo(account, users, report);
    }
    ignored_password(config, users, report);
}

/// `users` as a mapping of names (`ug_util._normalize_users`).
fn as_mapping(config: &Map, report: &mut Report<'_>) {
    let Some(Value { kind: Kind::Map(map), place }) = top(config, "users") else { return };
    report.add(trap(
        "deprecated",
        *place,
        "users",
        "`users` as a mapping is deprecated since cloud-init 22.2",
        "write a list, with a `name` in each entry",
    ));
    for (key, value) in map {
        let found = match &value.kind {
            Kind::Null => "nothing",
            Kind::List(_) => "a list",
            Kind::Bytes(_) | Kind::Date(_) | Kind::DateTime(_) | Kind::Set(_) => "another value",
            _ => continue,
        };
        let name = key.to_python_str();
        let message = format!(
            "{} has {found} as its value in the mapping `users`: cloud-init stops there, and makes no user at all",
            shown(&name)
        );
        let finding = Finding::error("users-unreadable", key.place, message).at(format!("users.{name}"));
        report.add(finding.with_hint(format!("write a list, with `- {}` as an item", window(&name, 0, 32))));
    }
}

fn way_in(account: &Account<'_>, users: &Users<'_>, report: &mut Report<'_>) {
    let Some(name) = account.name.filter(|name| *name != "root") else { return };
    let shell = account.get("shell").and_then(Value::as_text).unwrap_or_default();
    let serves = ["/nologin", "/false", "/sync"].iter().any(|end| shell.ends_with(end));
    if serves
        || account.is("system")
        || account.is("no_create_home")
        || account.is("snapuser")
        || users.has_keys(name)
        || users.has_password(name)
        || users.chpasswd.contains(name)
    {
        return;
    }
    report.tell(trap(
        "no-way-in",
        account.place,
        account.at("name"),
        format!("nobody can log in as `{name}`: no key, and no password"),
        "add `ssh_authorized_keys`, or `system: true` for a user of services",
    ));
}

fn sudo(account: &Account<'_>, users: &Users<'_>, report: &mut Report<'_>) {
    let path = account.at("sudo");
    let Some(value) = account.get("sudo").filter(|value| !value.is_null()) else {
        in_sudo_group(account, users, report);
        return;
    };
    match &value.kind {
        Kind::Bool(true) => report.tell(trap(
            "sudo-is-true",
            value.place,
            path,
            "`sudo: true` is no rule: the module stops here, this user gets no keys, and users behind it are not made",
            "write the rule: `ALL=(ALL) NOPASSWD:ALL`",
        )),
        Kind::Text(rule) => rules(&[(rule, value.place, path)], account, users, report),
        Kind::List(items) => {
            let texts: Vec<(&str, Place, String)> = items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| Some((item.as_text()?, item.place, format!("{path}.{index}"))))
                .collect();
            rules(&texts, account, users, report);
        }
        _ => {}
    }
}

fn rules(rules: &[(&str, Place, String)], account: &Account<'_>, users: &Users<'_>, report: &mut Report<'_>) {
    for (rule, place, path) in rules.iter().filter(|(rule, ..)| !rule.trim().is_empty()) {
        if !rule.contains('=') {
            report.tell(trap(
                "sudo-rule-is-wrong",
                *place,
                &**path,
                format!(
                    "{} is no rule of sudoers: it lacks `HOST=`, and older sudo refuses everybody then",
                    shown(rule)
                ),
                "write the rule: `ALL=(ALL) NOPASSWD:ALL`, or `null` for none",
            ));
            return;
        }
    }
    if account.name.is_none() || account.has_usable_password(users) {
        return;
    }
    let mut wanting = rules.iter().filter(|(rule, ..)| !rule.trim().is_empty() && !rule.contains("NOPASSWD"));
    if rules.iter().any(|(rule, ..)| rule.contains("NOPASSWD")) {
        return;
    }
    if let Some((rule, place, path)) = wanting.next() {
        report.tell(trap(
            "sudo-wants-password",
            *place,
            &**path,
            format!(
                "{} asks for the password of {}, who has none: sudo never works",
                shown(rule),
                account.title()
            ),
            "write `ALL=(ALL) NOPASSWD:ALL`, or give a password and `lock_passwd: false`",
        ));
    }
}

/// The group's rule of the image asks for a password, too.
fn in_sudo_group(account: &Account<'_>, users: &Users<'_>, report: &mut Report<'_>) {
    let Some(groups) = account.get("groups").filter(|_| account.name.is_some()) else { return };
    let names: Vec<&str> = match &groups.kind {
        Kind::Text(text) => text.split(',').map(str::trim).collect(),
        Kind::List(items) => items.iter().filter_map(Value::as_text).map(str::trim).collect(),
        _ => return,
    };
    let Some(group) = names.into_iter().find(|name| matches!(*name, "sudo" | "wheel")) else { return };
    if account.has_usable_password(users) || account.is("doas") {
        return;
    }
    report.tell(trap(
        "sudo-wants-password",
        groups.place,
        account.at("groups"),
        format!(
            "the group `{group}` lets in who knows the password, and {} has none: sudo never works",
            account.title()
        ),
        "add `sudo: ALL=(ALL) NOPASSWD:ALL`, or give a password and `lock_passwd: false`",
    ));
}

/// `password` is the default user's.
fn ignored_password(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let Some(value) = top(config, "password").filter(|value| crate::truth::truthy(value)) else { return };
    let because = if !users.has_default {
        "there is no default user"
    } else if !users.chpasswd.is_empty() {
        "`chpasswd` names users, and then only those count"
    } else {
        return;
    };
    report.tell(trap(
        "password-for-nobody",
        value.place,
        "password",
        format!("this password is set for nobody: {because}"),
        "put it into `chpasswd.users` with a name",
    ));
}
