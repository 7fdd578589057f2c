//! Traps of `write_files` (`cloudinit/config/cc_write_files.py`).

use std::collections::{HashMap, HashSet};

use super::accounts::{DEFAULT_USERS, Users};
use super::{NAMES, Report, items, shown, top, trap};
use crate::gunzip::{self, gunzip};
use crate::lenient_base64;
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
        content(file, &path, &mut budget, report);
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
fn octal(text: &str) -> Option<i64> {
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

fn content(file: &Value, path: &str, budget: &mut usize, report: &mut Report<'_>) {
    let Some(content) = file.get("content") else { return };
    let encoding = file.get("encoding").and_then(Value::as_text).unwrap_or_default();
    let encoding = crate::python::strip(encoding).to_lowercase();
    let (base64, gzip) = match encoding.as_str() {
        "gz" | "gzip" => (false, true),
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => (true, true),
        "b64" | "base64" => (true, false),
        "" | "text/plain" => return,
        _ => {
            if let Some(value) = file.get("encoding") {
                report.tell(trap(
                    "unknown-encoding",
                    value.place,
                    format!("{path}.encoding"),
                    format!(
                        "{} is no encoding: the content would be written as it stands, not decoded",
                        shown(&encoding)
                    ),
                    "known are b64, gz and gz+b64 (spelled base64 and gzip, too)",
                ));
            }
            return;
        }
    };
    let path = format!("{path}.content");
    let raw = match &content.kind {
        Kind::Text(text) => text.as_bytes(),
        Kind::Bytes(bytes) => bytes.as_slice(),
        _ => return,
    };
    let fails = "the module stops here, and no later file is written";
    let decoded;
    let bytes = if base64 {
        let strange = raw.iter().find(|byte| !is_base64(**byte));
        match lenient_base64::decode(raw) {
            Err(error) => {
                report.tell(trap(
                    "content-not-base64",
                    content.place,
                    path,
                    format!("the content is not base64 ({error}): {fails}"),
                    format!("make it with `base64 -w0 FILE`, or leave out `encoding: {encoding}`"),
                ));
                return;
            }
            Ok(_) if strange.is_some() => {
                report.tell(trap(
                    "content-not-base64",
                    content.place,
                    path,
                    "the content holds characters that are not base64; they are skipped without a word",
                    format!("make it with `base64 -w0 FILE`, or leave out `encoding: {encoding}`"),
                ));
                return;
            }
            Ok(bytes) => {
                decoded = bytes;
                decoded.as_slice()
            }
        }
    } else {
        raw
    };
    if !gzip {
        return;
    }
    let problem = match gunzip(bytes, *budget) {
        Ok(unpacked) => {
            *budget = budget.saturating_sub(unpacked.len());
            return;
        }
        Err(gunzip::Error::TooLarge(_)) => {
            *budget = 0;
            return;
        }
        Err(problem) => {
            if problem != gunzip::Error::NotGzip {
                *budget = budget.saturating_sub(limits::UNPACKED / 8);
            }
            problem
        }
    };
    let hint = if base64 {
        "make it with `gzip -c FILE | base64 -w0`"
    } else {
        "text cannot be gzip: say `encoding: gz+b64` and make it with `gzip -c FILE | base64 -w0`"
    };
    report.tell(trap(
        "content-not-gzip",
        content.place,
        path,
        format!("the content is not gzip ({problem}): {fails}"),
        hint,
    ));
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=".contains(&byte)
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
    let Some((who, maker)) = late else { return };
    report.tell(trap(
        "owner-not-there-yet",
        value.place,
        format!("{path}.owner"),
        format!("the {who} is made by {maker} after files are written: the module fails here, and no later file is written"),
        "add `defer: true` to this file",
    ));
}

fn place_of(
    target: &Value,
    text: &str,
    deferred: bool,
    path: &str,
    accounts: &Accounts,
    report: &mut Report<'_>,
) {
    let path = format!("{path}.path");
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
