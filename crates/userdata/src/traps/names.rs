//! Names of users and groups, and what else `useradd` and `groupadd` refuse
//! (`cloudinit/distros/__init__.py`, `add_user`; shadow's `lib/chkname.c`).

use std::collections::HashSet;

use super::accounts::{Account, Users};
use super::{Report, as_list, shown, top, trap};
use crate::finding::Place;
use crate::value::{Kind, Map};

/// Users that Debian's base-passwd makes, or that images of most distributions hold.
pub(super) const SYSTEM_USERS: &[&str] = &[
    "_apt",
    "adm",
    "backup",
    "bin",
    "chrony",
    "daemon",
    "dbus",
    "dnsmasq",
    "ftp",
    "games",
    "gnats",
    "halt",
    "irc",
    "landscape",
    "list",
    "lp",
    "mail",
    "man",
    "messagebus",
    "news",
    "nobody",
    "ntp",
    "operator",
    "pollinate",
    "polkitd",
    "proxy",
    "shutdown",
    "sshd",
    "sync",
    "sys",
    "syslog",
    "systemd-coredump",
    "systemd-network",
    "systemd-oom",
    "systemd-resolve",
    "systemd-timesync",
    "tcpdump",
    "tss",
    "uucp",
    "uuidd",
    "www-data",
];

/// Groups without a user of that name: `useradd` wants to make the user's own group and stops.
pub(super) const SYSTEM_GROUPS: &[&str] = &[
    "admin", "audio", "cdrom", "dialout", "dip", "disk", "fax", "floppy", "input", "kmem", "kvm", "lxd",
    "netdev", "plugdev", "render", "sasl", "sgx", "shadow", "src", "staff", "sudo", "tape", "tty", "users",
    "utmp", "video", "voice", "wheel",
];

/// The kernel's and glibc's limit (`LOGIN_NAME_MAX`).
const LONGEST: usize = 32;

pub(super) fn look(config: &Map, users: &Users<'_>, report: &mut Report<'_>) {
    let mut seen: HashSet<&str> = HashSet::new();
    for account in &users.accounts {
        if let Some(name) = account.name {
            user_name(name, account, report);
            if !seen.insert(name) {
                report.tell(trap(
                    "user-given-twice",
                    account.place,
                    &account.path,
                    format!("user `{name}` stands here twice: what the first entry says counts, the second one only adds"),
                    "make one entry of them",
                ));
            }
        }
        groups_of(account, report);
        if account.is("no_create_home") || account.is("system") {
            let keys = ["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"];
            if let Some(name) = keys.into_iter().find(|name| account.is(name)) {
                report.tell(trap(
                    "keys-without-home",
                    account.get(name).map_or(account.place, |value| value.place),
                    account.at(name),
                    format!(
                        "{} has no home for `{name}`: the module stops here, and neither this user nor later ones are made",
                        account.title()
                    ),
                    "leave out `system` or `no_create_home`, or the keys",
                ));
            }
        }
        if account.is("ssh_redirect_user")
            && (account.get("ssh_authorized_keys").is_some() || account.get("ssh_import_id").is_some())
        {
            report.tell(trap(
                "redirect-with-keys",
                account.get("ssh_redirect_user").map_or(account.place, |value| value.place),
                account.at("ssh_redirect_user"),
                format!("{} cannot both have keys and be redirected: the module stops here", account.title()),
                "leave out `ssh_redirect_user`, or the keys",
            ));
        }
    }
    groups(config, report);
}

fn user_name(name: &str, account: &Account<'_>, report: &mut Report<'_>) {
    let path = account.at("name");
    if let Some(problem) = problem(name) {
        report.tell(trap(
            "name-refused",
            account.place,
            path,
            format!("`useradd` refuses the name {}: {problem}", shown(name)),
            "use lower-case letters, digits, `-` and `_`, and a letter first",
        ));
        return;
    }
    if SYSTEM_USERS.contains(&name) {
        report.tell(trap(
            "user-of-the-system",
            account.place,
            path,
            format!("`{name}` is a user of the system that is there already: shell, home, groups and `passwd` are ignored"),
            "choose another name",
        ));
    } else if SYSTEM_GROUPS.contains(&name) && !account.is("primary_group") && !account.is("no_user_group") {
        report.tell(trap(
            "name-of-a-group",
            account.place,
            path,
            format!(
                "where the group `{name}` is there already, `useradd` refuses to make a user of that name"
            ),
            format!("choose another name, or say `primary_group: {name}`"),
        ));
    } else if name.chars().any(|character| character.is_ascii_uppercase()) {
        report.tell(trap(
            "name-with-capitals",
            account.place,
            path,
            format!("some distributions' `useradd` refuse capitals as in `{name}`"),
            format!("write `{}`", name.to_lowercase()),
        ));
    }
}

/// What every version of shadow refuses.
fn problem(name: &str) -> Option<&'static str> {
    let wrong = |character: char| {
        character.is_whitespace() || character.is_control() || ":,/\"'\\;&|<>()*?!#".contains(character)
    };
    if name.is_empty() {
        Some("it is empty")
    } else if let Some(character) = name.chars().find(|character| wrong(*character)) {
        Some(if character.is_whitespace() {
            "it has a space in it"
        } else {
            "it has a character in it that names may not have"
        })
    } else if name.starts_with(['-', '+', '~', '@']) {
        Some("it starts with what is no letter")
    } else if name.bytes().all(|byte| byte.is_ascii_digit()) || name == "." || name == ".." {
        Some("it is a number")
    } else if name.len() > LONGEST {
        Some("it is longer than 32 bytes")
    } else if !name.is_ascii() {
        Some("it has a letter in it that is not ASCII")
    } else {
        None
    }
}

fn groups_of(account: &Account<'_>, report: &mut Report<'_>) {
    let Some(value) = account.get("groups") else { return };
    let path = account.at("groups");
    match &value.kind {
        Kind::Text(text) => {
            let mut names = text.split(',');
            if names.clone().any(|name| name != name.trim()) {
                report.tell(trap(
                    "spaces-between-groups",
                    value.place,
                    &path,
                    "older cloud-init (22.4 of Debian 12) takes the spaces for parts of the names, and does not make the user",
                    format!("write a list: {}", as_list(text)),
                ));
            } else if let Some(name) = names.find(|name| name.contains(char::is_whitespace)) {
                several(name, value.place, &path, report);
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let Some(name) = item.as_text() else { continue };
                if name.trim().contains([',', ' ']) {
                    several(name, item.place, &format!("{path}.{index}"), report);
                }
            }
        }
        _ => {}
    }
}

fn several(name: &str, place: Place, path: &str, report: &mut Report<'_>) {
    report.tell(trap(
        "several-groups-in-one",
        place,
        path,
        format!("{} is taken for the name of one group", shown(name)),
        format!("write a list: {}", as_list(name)),
    ));
}

fn groups(config: &Map, report: &mut Report<'_>) {
    let Some(value) = top(config, "groups") else { return };
    match &value.kind {
        Kind::Text(text) => {
            let mut names = text.trim().split(',');
            if let Some(name) = names.find(|name| problem(name).is_some()) {
                report.tell(trap(
                    "spaces-between-groups",
                    value.place,
                    "groups",
                    format!("`groupadd` refuses {}: here spaces are part of the names", shown(name)),
                    format!("write a list: {}", as_list(text)),
                ));
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(name) = item.as_text().filter(|name| name.contains([',', ' '])) {
                    several(name, item.place, &format!("groups.{index}"), report);
                }
            }
        }
        _ => {}
    }
}
