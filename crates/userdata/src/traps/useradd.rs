//! Homes, shells and groups that `useradd` or a login fails on (`cloudinit/distros/__init__.py`,
//! `add_user`).

use std::collections::HashSet;

use super::accounts::{Account, DEFAULT_USERS, Users};
use super::files::groups_made;
use super::names::{SYSTEM_GROUPS, SYSTEM_USERS};
use super::{Report, shown, trap, window};
use crate::value::Map;

pub(super) fn look(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let mut groups = groups_made(config);
    for account in &users.accounts {
        shell(account, report);
        home(account, report);
        primary_group(account, &groups, report);
        // Most users get a group of their name.
        groups.extend(account.name.map(str::to_owned));
    }
}

fn shell(account: &Account<'_>, report: &mut Report<'_>) {
    let Some(value) = account.get("shell") else { return };
    let Some(text) = value.as_text().filter(|text| !text.is_empty() && !text.starts_with('/')) else {
        return;
    };
    report.tell(trap(
        "shell-without-path",
        value.place,
        account.at("shell"),
        format!("{} is no path: logins of {} would fail", shown(text), account.title()),
        format!(
            "write the whole path: `/bin/{}`",
            window(text.rsplit('/').next().unwrap_or_default(), 0, 32)
        ),
    ));
}

fn home(account: &Account<'_>, report: &mut Report<'_>) {
    let Some(value) = account.get("homedir") else { return };
    let Some(text) = value.as_text().filter(|text| !text.is_empty() && !text.starts_with('/')) else {
        return;
    };
    report.tell(trap(
        "home-not-absolute",
        value.place,
        account.at("homedir"),
        format!("`useradd` refuses the home {}: it does not begin with `/`", shown(text)),
        "write the whole path, such as `/home/me`",
    ));
}

/// cloud-init makes a missing primary group only when `groups` is given, too.
fn primary_group(account: &Account<'_>, made: &HashSet<String>, report: &mut Report<'_>) {
    let Some(value) = account.get("primary_group").filter(|_| !account.is("groups")) else { return };
    let Some(group) = value.as_text().filter(|text| !text.is_empty()) else { return };
    let there = made.contains(group)
        || group.bytes().all(|byte| byte.is_ascii_digit())
        || [SYSTEM_GROUPS, SYSTEM_USERS, DEFAULT_USERS, &["root", "nogroup", "docker"]]
            .iter()
            .any(|known| known.contains(&group));
    if there {
        return;
    }
    report.tell(trap(
        "primary-group-missing",
        value.place,
        account.at("primary_group"),
        format!("unless the image has a group {}, `useradd` fails: nothing makes it", shown(group)),
        format!("add `groups: [{}]` at the top level", window(group, 0, 32)),
    ));
}
