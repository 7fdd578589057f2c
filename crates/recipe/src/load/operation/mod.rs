//! The steps that carry virt-customize's names. Each takes a mapping; where one value says it all, that
//! value alone.

mod host;
mod keys;

use hardtack_credentials::TaskKind;
use hardtack_yaml::{Node, Span};

use super::files::{groups, guest_path, mode, one_line, owner, pattern};
use super::keys::StepKeys;
use super::reader::{Fields, Reader};
use super::user;
use crate::model::operation::{Action, NewPassword, Operation, TaskStep};
use crate::model::{Content, KeySource};
use keys::{ENTRIES, Entry};

/// A file of the host for the image, at most.
const UPLOAD_LIMIT: u64 = 512 << 20;
/// An archive of the host, packed, at most.
const TAR_LIMIT: u64 = 1 << 30;
/// HOST_NAME_MAX of Linux.
const LONGEST_HOSTNAME: usize = 64;

/// What each of these steps takes; the reader takes the keys from here.
pub(super) fn keys() -> Vec<StepKeys> {
    keys::steps()
}

/// Reads the operation `name`.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, node: &Node, at: Span) -> Option<Operation> {
    let entry = ENTRIES.iter().find(|entry| entry.name == name)?;
    let given = Given::of(reader, entry, node, at)?;
    let optional = match given.get("optional") {
        Some(value) if name != "selinux-relabel" || given.short.is_none() => {
            reader.boolean(value, "optional")
        }
        _ => Some(false),
    };
    let action = action(reader, entry.name, &given);
    Some(Operation { line: at.line, optional: optional?, name: entry.name, action: action? })
}

/// The settings of one operation, in either form.
struct Given<'n> {
    short: Option<(&'static str, &'n Node)>,
    fields: Option<Fields<'n>>,
    what: String,
    at: Span,
}

impl<'n> Given<'n> {
    fn of(reader: &mut Reader<'_>, entry: &Entry, node: &'n Node, at: Span) -> Option<Self> {
        let what = format!("step `{}`", entry.name);
        // A password is a mapping itself: with the key `password` it is the step's, else it is the value.
        let is_value = entry.name == "root-password"
            && node
                .as_mapping()
                .is_some_and(|pairs| !pairs.iter().any(|(key, _)| key.text() == Some("password")));
        match entry.short {
            Some(short) if is_value || node.as_mapping().is_none() => {
                if node.is_null() {
                    let hint = format!("write `{}:` and its value", entry.name);
                    reader.error_hint(at, format!("{what} needs a value"), hint);
                    return None;
                }
                Some(Self { short: Some((short, node)), fields: None, what, at })
            }
            _ => {
                let fields = reader.keyed(node, &what, entry.keys)?;
                Some(Self { short: None, fields: Some(fields), what, at })
            }
        }
    }

    fn get(&self, key: &str) -> Option<&'n Node> {
        match (&self.short, &self.fields) {
            (Some((short, node)), _) => (*short == key).then_some(*node),
            (None, fields) => fields.as_ref()?.get(key),
        }
    }

    fn need(&self, reader: &mut Reader<'_>, key: &'static str) -> Option<&'n Node> {
        match &self.fields {
            Some(fields) => reader.required(fields, key, self.at),
            None => self.get(key),
        }
    }

    /// An absolute path of the guest; `is_file`: not one that ends in a slash.
    fn path(&self, reader: &mut Reader<'_>, key: &'static str, is_file: bool) -> Option<String> {
        let node = self.need(reader, key)?;
        guest_path(reader, node, key, is_file)
    }

    /// A key that may be left out: `None` where it is wrong.
    #[allow(clippy::option_option)]
    fn may<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        read: impl FnOnce(&mut Reader<'_>, &Node) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            None => Some(None),
            Some(node) => read(reader, node).map(Some),
        }
    }
}

fn action(reader: &mut Reader<'_>, name: &'static str, given: &Given<'_>) -> Option<Action> {
    // All keys are looked at before anything gives up, so that all findings come at once.
    match name {
        "append-line" => {
            let path = given.path(reader, "path", true);
            let line = given.need(reader, "line").and_then(|node| one_line(reader, node, "line"));
            Some(Action::AppendLine { path: path?, line: line? })
        }
        "chmod" => {
            let path = given.path(reader, "path", false);
            let mode = given.need(reader, "mode").and_then(|node| mode(reader, node));
            Some(Action::Chmod { path: path?, mode: mode? })
        }
        "chown" => {
            let path = given.path(reader, "path", false);
            let owner = given.need(reader, "owner").and_then(|node| owner(reader, node));
            Some(Action::Chown { path: path?, owner: owner? })
        }
        "copy" | "move" => {
            let from = given.path(reader, "from", false);
            let to = given.path(reader, "to", false);
            let (from, to) = (from?, to?);
            Some(if name == "copy" { Action::Copy { from, to } } else { Action::Move { from, to } })
        }
        "copy-in" => copy_in(reader, given),
        "delete" => {
            let node = given.need(reader, "path")?;
            let mut pattern = guest_path(reader, node, "path", false)?;
            // Behind a pattern a slash asks for directories only.
            if node.text().is_some_and(|text| text.ends_with('/'))
                && hardtack_guest::glob::is_pattern(&pattern)
            {
                pattern.push('/');
            }
            if let Err(error) = hardtack_guest::glob::braces(&pattern) {
                reader.error(node.span, error.to_string());
                return None;
            }
            Some(Action::Delete { pattern })
        }
        "edit" => edit(reader, given),
        "hostname" => {
            let node = given.need(reader, "name")?;
            let name = reader.line(node, "hostname")?;
            if let Some(what) = bad_hostname(name) {
                let hint = "labels of letters, digits and `-`, separated by dots";
                reader.error_hint(node.span, format!("`{name}` cannot be a host name: {what}"), hint);
                return None;
            }
            Some(Action::Hostname { name: name.to_owned() })
        }
        "link" => link(reader, given),
        "mkdir" => Some(Action::Mkdir { path: given.path(reader, "path", false)? }),
        "scrub" => Some(Action::Scrub { path: given.path(reader, "path", true)? }),
        "touch" => Some(Action::Touch { path: given.path(reader, "path", true)? }),
        "truncate" => Some(Action::Truncate { path: given.path(reader, "path", true)? }),
        "truncate-recursive" => Some(Action::TruncateRecursive { path: given.path(reader, "path", false)? }),
        "password" => {
            let user = given.need(reader, "user").and_then(|node| user::name(reader, node, "user"));
            let password = password(reader, given);
            Some(Action::Password { user: user?, password: password? })
        }
        "root-password" => {
            Some(Action::Password { user: "root".to_owned(), password: password(reader, given)? })
        }
        "selinux-relabel" => {
            if let Some(node) = given.get("optional").filter(|_| given.short.is_some()) {
                only_true(reader, node, name)?;
            }
            Some(Action::SelinuxRelabel)
        }
        "ssh-inject" => ssh_inject(reader, given),
        "tar-in" => {
            let to = directory(reader, given, "to");
            let node = given.need(reader, "from")?;
            let origin = reader.line(node, "from")?.to_owned();
            let bytes = large(reader, &origin, node.span, TAR_LIMIT)?;
            match hardtack_guest::archive::tar_entries(
                &origin,
                &bytes,
                hardtack_guest::archive::UNPACKED_LIMIT,
            ) {
                Ok(entries) => Some(Action::TarIn { origin, entries, to: to? }),
                Err(error) => {
                    reader.error(node.span, error.to_string());
                    None
                }
            }
        }
        "timezone" => {
            let node = given.need(reader, "zone")?;
            let zone = reader.line(node, "timezone")?;
            let fits = |part: &str| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte))
            };
            if !zone.split('/').all(fits) {
                let hint = "a name below /usr/share/zoneinfo, such as Europe/Berlin or UTC";
                reader.error_hint(node.span, format!("`{zone}` cannot be a time zone"), hint);
                return None;
            }
            Some(Action::Timezone { zone: zone.to_owned() })
        }
        "upload" => {
            let to = directory(reader, given, "to");
            let mode = given.may(reader, "mode", mode);
            let owner = given.may(reader, "owner", owner);
            let node = given.need(reader, "from")?;
            let origin = reader.line(node, "from")?.to_owned();
            let content = large(reader, &origin, node.span, UPLOAD_LIMIT);
            let found = host::mode(reader, &origin, node.span);
            Some(Action::Upload {
                content: content?.into(),
                to: to?,
                mode: mode?.or(found)?,
                owner: owner?.unwrap_or_else(|| ROOT.to_owned()),
                origin,
            })
        }
        "write" => {
            let path = given.path(reader, "path", true);
            let content =
                given.need(reader, "content").and_then(|node| reader.content(node, "content", false));
            let mode = given.may(reader, "mode", mode);
            let owner = given.may(reader, "owner", owner);
            Some(Action::Write { path: path?, content: content?, mode: mode?, owner: owner? })
        }
        _ => task(reader, name, given).map(Action::Task),
    }
}

/// Whose files of the host are, unless the recipe says so.
const ROOT: &str = "0:0";

fn copy_in(reader: &mut Reader<'_>, given: &Given<'_>) -> Option<Action> {
    let to = directory(reader, given, "to");
    let mode = given.may(reader, "mode", mode);
    let owner = given.may(reader, "owner", owner);
    let node = given.need(reader, "from")?;
    let origin = reader.line(node, "from")?.to_owned();
    let tree = host::tree(reader, &origin, node.span)?;
    let owner = owner?.unwrap_or_else(|| ROOT.to_owned());
    Some(Action::CopyIn { origin, tree, to: to?, mode: mode?, owner })
}

fn edit(reader: &mut Reader<'_>, given: &Given<'_>) -> Option<Action> {
    let path = given.path(reader, "path", true);
    let pattern = given.need(reader, "match").and_then(|node| pattern(reader, node));
    let with = given.need(reader, "with").and_then(|node| Some((lines(reader, node, "with")?, node.span)));
    let expect = given.may(reader, "expect", |reader, node| reader.number(node, "expect", 1..=1_000_000));
    let (pattern, (with, span)) = (pattern?, with?);
    groups(reader, &pattern, &with, span)?;
    Some(Action::Edit { path: path?, pattern, with, expect: expect? })
}

/// One line or several, without the end of the last one.
fn lines(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Content> {
    let mut content = reader.content(node, what, true)?;
    content.text = content.text.replace("\r\n", "\n");
    if content.text.ends_with('\n') {
        content.text.pop();
    }
    if content.text.contains(['\r', '\0']) {
        reader.error(node.span, format!("`{what}` holds a character that no line of text has"));
        return None;
    }
    Some(content)
}

fn link(reader: &mut Reader<'_>, given: &Given<'_>) -> Option<Action> {
    let target = given.need(reader, "target").and_then(|node| {
        let target = reader.line(node, "target")?;
        if target.len() > 4095 {
            reader.error(node.span, "`target` is longer than the 4095 bytes of a link");
            return None;
        }
        Some(target.to_owned())
    });
    let node = given.need(reader, "path")?;
    let items = reader.items(node, "path");
    let paths: Vec<String> = items.iter().filter_map(|item| guest_path(reader, item, "path", true)).collect();
    if items.is_empty() {
        reader.error(node.span, "`path` is empty");
    }
    (paths.len() == items.len() && !paths.is_empty()).then_some(())?;
    Some(Action::Link { target: target?, paths })
}

fn password(reader: &mut Reader<'_>, given: &Given<'_>) -> Option<NewPassword> {
    let locked = given.may(reader, "locked", |reader, node| reader.boolean(node, "locked"))?;
    let node = given.need(reader, "password")?;
    match node.text() {
        Some("disabled") => return Some(NewPassword::Disabled),
        Some("locked") => return Some(NewPassword::Locked(None)),
        _ => {}
    }
    let password = user::password(reader, node)?;
    if locked == Some(true) {
        if matches!(password, crate::model::Password::Random(_)) {
            let hint = "write `password: locked`";
            reader.error_hint(node.span, "a password that is made on the instance cannot be locked", hint);
            return None;
        }
        return Some(NewPassword::Locked(Some(password)));
    }
    Some(NewPassword::Set(password))
}

fn ssh_inject(reader: &mut Reader<'_>, given: &Given<'_>) -> Option<Action> {
    let user = given.need(reader, "user").and_then(|node| user::name(reader, node, "user"));
    let mut keys: Vec<KeySource> = Vec::new();
    let mut places = Vec::new();
    if let Some(node) = given.get("key") {
        for item in reader.items(node, "key") {
            let text = reader.text(item, "key")?;
            if !user::looks_like_key(text) {
                let hint = "a file of the host stands under `file`";
                reader.error_hint(item.span, "`key` takes a public key", hint);
                return None;
            }
            let origin = format!("recipe line {}", item.span.line);
            keys.push(KeySource { origin, text: text.as_bytes().to_vec() });
            places.push(item.span);
        }
    }
    if let Some(node) = given.get("file") {
        let origin = reader.line(node, "file")?.to_owned();
        let text = reader.read(&origin, node.span)?;
        keys.push(KeySource { origin, text });
        places.push(node.span);
    }
    if keys.is_empty() {
        reader.error_hint(given.at, format!("{} needs a key", given.what), "write `key:` or `file:`");
        return None;
    }
    for (source, place) in keys.iter().zip(places) {
        // What is no key is a finding of the recipe, wherever it stands.
        if let Err(error) = hardtack_guest::ssh_keys::parse_keys(&source.origin, &source.text, false) {
            let hint = "one whole line of the public key's file, as `ssh-keygen -y` prints it";
            reader.error_hint(place, error.to_string(), hint);
            return None;
        }
    }
    Some(Action::SshInject { user: user?, keys })
}

fn task(reader: &mut Reader<'_>, name: &'static str, given: &Given<'_>) -> Option<TaskStep> {
    let retry = match name {
        "update" if given.short.is_some() => {
            only_true(reader, given.get("retry")?, name)?;
            Some(false)
        }
        _ => given.may(reader, "retry", |reader, node| reader.boolean(node, "retry"))?,
    };
    let mut task = TaskStep {
        kind: TaskKind::Update,
        title: String::new(),
        script: Vec::new(),
        command: None,
        packages: Vec::new(),
        late: name.starts_with("firstboot"),
        stop: !name.starts_with("firstboot"),
        retry: retry == Some(true),
    };
    match name {
        "run" | "firstboot" => {
            let node = given.need(reader, "script")?;
            let origin = reader.line(node, "script")?;
            task.kind = TaskKind::Script;
            task.script = reader.read(origin, node.span)?;
            task.title = origin.rsplit('/').next().unwrap_or_default().to_owned();
        }
        "run-command" | "firstboot-command" => {
            let node = given.need(reader, "command")?;
            task.kind = TaskKind::Command;
            task.command = Some(reader.content(node, "command", false)?);
        }
        "install" | "firstboot-install" | "uninstall" => {
            let node = given.need(reader, "packages")?;
            let items = reader.items(node, "packages");
            for item in items {
                task.packages.push(reader.line(item, "packages")?.to_owned());
            }
            if items.is_empty() {
                reader.error(node.span, "`packages` is empty");
                return None;
            }
            task.kind = if name == "uninstall" { TaskKind::Uninstall } else { TaskKind::Install };
        }
        _ => {}
    }
    Some(task)
}

/// A directory of the guest, which may be the root.
fn directory(reader: &mut Reader<'_>, given: &Given<'_>, key: &'static str) -> Option<String> {
    let node = given.need(reader, key)?;
    if node.text() == Some("/") {
        return Some("/".to_owned());
    }
    guest_path(reader, node, key, false)
}

fn large(reader: &mut Reader<'_>, text: &str, span: Span, limit: u64) -> Option<Vec<u8>> {
    let path = reader.host_path(text);
    match reader.files.read(&path, limit) {
        Ok(content) => Some(content),
        Err(error) => {
            reader.local(span, &path, &error);
            None
        }
    }
}

fn only_true(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<()> {
    if reader.boolean(node, what)? {
        return Some(());
    }
    reader.error_hint(node.span, format!("`{what}: false` does nothing"), "leave the step out");
    None
}

/// Why a text is no name for a machine (hostname(7), and what systemd takes).
fn bad_hostname(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST_HOSTNAME {
        return Some("it is longer than 64 characters");
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Some("a part of it is empty");
        }
        if label.len() > 63 {
            return Some("a part of it is longer than 63 characters");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Some("a part of it starts or ends with `-`");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Some("it holds other characters than letters, digits, `-` and `.`");
        }
    }
    None
}

#[cfg(test)]
mod tests;
