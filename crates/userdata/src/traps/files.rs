//! Traps of `write_files` (`cloudinit/config/cc_write_files.py`).

use std::collections::{HashMap, HashSet};

use super::accounts::{DEFAULT_USERS, Users};
use super::names::{SYSTEM_GROUPS, SYSTEM_USERS};
use super::{NAMES, Report, contents, items, shown, top, trap};
use crate::limits;
use crate::truth::is_true;
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let files = items(config, "write_files");
    if files.is_empty() {
        return;
    }
    let accounts = Accounts::read(config);
    let mut written: HashMap<String, usize> = HashMap::new();
    // What all files together may unpack to; what comes then is taken for good.
    let mut budget = limits::UNPACKED;
    for (index, file) in files.iter().enumerate() {
        let path = format!("write_files.{index}");
        if let Some(mode) = file.get("permissions") {
            permissions(mode, &format!("{path}.permissions"), report);
        }
        contents::look(file, &path, &mut budget, report);
        let deferred = file.get("defer").is_some_and(is_true);
        if !deferred {
            owner(file, &path, &accounts, report);
        }
        let Some(target) = file.get("path") else { continue };
        let Some(text) = target.as_text() else { continue };
        place_of(target, text, deferred, &path, &accounts, report);
        let appends = file.get("append").is_some_and(is_true);
        let earlier = written.insert(normal(text), index);
        if let Some(earlier) = earlier.filter(|_| !appends) {
            report.tell(trap(
                "file-written-twice",
                target.place,
                format!("{path}.path"),
                format!(
                    "{} was written by entry {} already; this one replaces it",
                    shown(text),
                    earlier.saturating_add(1)
                ),
                "write it once, or say `append: true`",
            ));
        }
    }
}

/// `//a/./b/` as `/a/b`.
fn normal(path: &str) -> String {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty() && *step != ".").collect();
    format!("/{}", steps.join("/"))
}

fn permissions(mode: &Value, path: &str, report: &mut Report<'_>) {
    let source = report.source(mode.place);
    match &mode.kind {
        Kind::Int(number) if *number >= 0 => {
            let octal = source.starts_with('0') && source.len() > 1;
            let digits = source.bytes().all(|byte| byte.is_ascii_digit());
            let meant = digits && !octal && (2..=4).contains(&source.len()) && !source.contains(['8', '9']);
            let result = format!("{:04o}", number);
            if octal {
                report.tell(trap(
                    "mode-without-quotes",
                    mode.place,
                    path,
                    format!("`{source}` is the number {number} here: it works as mode {result}, but text is wanted"),
                    format!("put it in quotes: \"{source}\""),
                ));
            } else if meant || !(0..=0o7777).contains(number) {
                let hint = if meant {
                    format!("write \"0{source}\", in quotes")
                } else {
                    "write \"0644\"".to_owned()
                };
                report.tell(trap(
                    "mode-is-decimal",
                    mode.place,
                    path,
                    format!("`{source}` is decimal: the file would get mode {result}"),
                    hint,
                ));
            } else {
                report.tell(trap(
                    "mode-is-decimal",
                    mode.place,
                    path,
                    format!("{} is a plain number here: it means mode {result}", shown(source)),
                    format!("write \"{result}\", in quotes"),
                ));
            }
        }
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Bool(_) | Kind::Float(_) => report.tell(trap(
            "mode-unreadable",
            mode.place,
            path,
            format!("{} is no mode: cloud-init would make a number of it", shown(source)),
            "write \"0644\", in quotes",
        )),
        Kind::Text(text) if octal(text).is_none() => report.tell(trap(
            "mode-unreadable",
            mode.place,
            path,
            format!("{} is no octal number: cloud-init warns and takes mode 0644", shown(text)),
            "write it in octal digits: \"0644\"",
        )),
        Kind::Text(text) if octal(text).is_some_and(|mode| !(0..=0o7777).contains(&mode)) => {
            report.tell(trap(
                "mode-out-of-range",
                mode.place,
                path,
                format!("{} is no mode: the greatest is 07777", shown(text)),
                "write it in octal digits: \"0644\"",
            ));
        }
        _ => {}
    }
}

/// Python's `int(text, 8)`.
pub(super) fn octal(text: &str) -> Option<i64> {
    let text = crate::python::strip(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        // An underscore may follow the prefix.
        Some(rest) => rest.strip_prefix('_').unwrap_or(rest),
        None => digits,
    };
    if digits.split('_').any(str::is_empty) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), 8)
        .ok()
        .filter(|_| !digits.starts_with(['+', '-']))
        .map(|mode| sign * mode)
}

/// The groups that `groups` of the top level makes.
pub(super) fn groups_made(config: &Map) -> HashSet<String> {
    let mut groups: HashSet<String> = HashSet::new();
    match top(config, "groups").map(|value| &value.kind) {
        Some(Kind::Text(text)) => {
            groups.extend(text.split(',').take(NAMES).map(|name| name.trim().to_owned()))
        }
        Some(Kind::Map(map)) => {
            groups.extend(map.keys().take(NAMES).filter_map(|key| key.as_text().map(str::to_owned)))
        }
        Some(Kind::List(items)) => {
            for item in items.iter().take(NAMES) {
                groups.extend(item.as_text().map(str::to_owned));
                let keys = item.as_map().into_iter().flat_map(Map::keys);
                groups.extend(keys.filter_map(|key| key.as_text().map(str::to_owned)));
            }
        }
        _ => {}
    }
    groups
}

/// Users and groups that this user-data makes.
struct Accounts {
    users: HashSet<String>,
    groups: HashSet<String>,
    has_default: bool,
}

impl Accounts {
    fn read(config: &Map) -> Self {
        let users = Users::read(config);
        let groups = groups_made(config);
        let names = users.accounts.iter().filter_map(|account| account.name.map(str::to_owned));
        Self { users: names.filter(|name| name != "root").collect(), groups, has_default: users.has_default }
    }

    /// Who makes the user `name`, if it is made after the files are written.
    fn maker(&self, name: &str) -> Option<&'static str> {
        if self.users.contains(name) {
            Some("`users`")
        } else if self.has_default && DEFAULT_USERS.contains(&name) {
            Some("cloud-init, as the default user,")
        } else {
            None
        }
    }
}

fn owner(file: &Value, path: &str, accounts: &Accounts, report: &mut Report<'_>) {
    let Some(value) = file.get("owner") else { return };
    let Some(owner) = value.as_text() else { return };
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let (user, group) = (user.trim(), group.trim());
    let late = accounts.maker(user).map(|maker| (format!("user `{user}`"), maker)).or_else(|| {
        let made = accounts.groups.contains(group);
        let maker = if made { Some("`groups`") } else { accounts.maker(group) };
        maker.map(|maker| (format!("group `{group}`"), maker))
    });
    let Some((who, maker)) = late else {
        stranger(value, user, group, path, report);
        return;
    };
    report.tell(trap(
        "owner-not-there-yet",
        value.place,
        format!("{path}.owner"),
        format!("the {who} is made by {maker} after files are written: the module fails here, and no later file is written"),
        "add `defer: true` to this file",
    ));
}

/// An owner that neither images have nor this user-data makes: a package might, when files are written
/// already. Names alone are looked up (`util.chownbyname`), so a number is nobody.
fn stranger(value: &Value, user: &str, group: &str, path: &str, report: &mut Report<'_>) {
    let Some(who) =
        [("user", user, &[][..]), ("group", group, GROUPS)].into_iter().find_map(|(kind, name, besides)| {
            let nobody = name.is_empty() || name == "-1" || name.eq_ignore_ascii_case("none");
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
            let known = USERS.iter().chain(besides).any(|names| names.contains(&name));
            (!nobody && plain && !known).then(|| format!("{kind} {}", shown(name)))
        })
    else {
        return;
    };
    let number =
        [user, group].iter().any(|name| !name.is_empty() && name.bytes().all(|c| c.is_ascii_digit()));
    let (message, hint) = if number {
        ("owners are looked up by name, and a number is no name", "write the name of the user")
    } else {
        (
            "most images have no such account, and packages are installed after files are written",
            "add `defer: true` to this file if a package makes it; `check --image` knows what an image has",
        )
    };
    report.tell(trap(
        "owner-unknown",
        value.place,
        format!("{path}.owner"),
        format!("{who}: {message}; without it the module fails here, and no later file is written"),
        hint,
    ));
}

/// Accounts that are no traps as names of users: root, and groups of services.
const USERS: &[&[&str]] = &[SYSTEM_USERS, &["root", "systemd-journal"]];

/// Groups besides.
const GROUPS: &[&[&str]] =
    &[SYSTEM_GROUPS, &["_ssh", "crontab", "mem", "nogroup", "operator", "ssh_keys", "utempter"]];

fn place_of(
    target: &Value,
    text: &str,
    deferred: bool,
    path: &str,
    accounts: &Accounts,
    report: &mut Report<'_>,
) {
    if report.is_told(target.place) {
        return;
    }
    let path = format!("{path}.path");
    if text.contains('\0') {
        report.tell(trap(
            "path-with-nul",
            target.place,
            path,
            "no path can have a NUL in it: the module fails here, and no later file is written",
            "take the `\\0` out",
        ));
        return;
    }
    if text.starts_with('~') {
        report.tell(trap(
            "path-with-tilde",
            target.place,
            path,
            format!("nothing expands the `~` of {}: it names a directory in `/`", shown(text)),
            "write the whole path, such as `/root/.profile` or `/home/me/.profile`",
        ));
        return;
    }
    if !text.starts_with('/') {
        report.tell(trap(
            "path-not-absolute",
            target.place,
            path,
            format!(
                "{} has no leading `/`: it counts from the directory that cloud-init runs in",
                shown(text)
            ),
            format!("write `/{}`", text.trim_start_matches("./")),
        ));
        return;
    }
    if deferred {
        return;
    }
    let normal = normal(text);
    if let Some(rest) = normal.strip_prefix("/home/") {
        let user = rest.split('/').next().unwrap_or_default();
        if let Some(maker) = accounts.maker(user) {
            report.tell(trap(
                "home-not-there-yet",
                target.place,
                path,
                format!("user `{user}` is made by {maker} after files are written: the home would be root's, and without the files of /etc/skel"),
                "add `defer: true` to this file",
            ));
        }
    } else if normal.starts_with("/tmp/") {
        report.tell(trap(
            "file-in-tmp",
            target.place,
            path,
            format!(
                "{} may be gone before it is used: /tmp is cleaned or mounted over during boot",
                shown(text)
            ),
            "write below /run or /var/lib",
        ));
    }
}
