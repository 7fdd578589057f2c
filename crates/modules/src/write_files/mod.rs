//! `write_files` (`cloudinit/config/cc_write_files.py`, `cc_write_files_deferred.py`).
//!
//! A file is written before anything makes users, so an owner that the image does not have stops the
//! module at that file; with `defer: true` files are written at the end. Whatever stops the module
//! keeps the files behind it from being written.

mod content;
mod mode;

use std::collections::BTreeSet;

use hardtack_userdata::truth::{translate_bool, truthy};
use hardtack_userdata::{Finding, Kind, Map, Value};

pub use content::{Encoding, decode, encoding};
pub use mode::{DEFAULT_MODE, Mode, mode};

use crate::action::{Action, Content, Owner};
use crate::machine::Machine;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::overlay::Overlay;
use crate::pytext::{absolute_path, strip};
use crate::reading::{SKIPPED, UNUSABLE, described, get};
use crate::users;

/// `write_files`.
pub const MODULE: Module = Module {
    name: "write_files",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["write_files"],
    run,
};

/// `write_files_deferred`.
pub const DEFERRED: Module = Module {
    name: "write_files_deferred",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["write_files"],
    run: run_deferred,
};

/// The code of an owner that is not there when its file is written.
const NO_OWNER: &str = "owner-not-there-yet";

/// Bytes of a path (`PATH_MAX` without its end).
const LONGEST_PATH: usize = 4095;

/// The files without `defer`, in the network stage.
#[must_use]
pub fn run(request: &Request<'_>) -> Outcome {
    module(request, false)
}

/// The files with `defer: true`, in the final stage.
#[must_use]
pub fn run_deferred(request: &Request<'_>) -> Outcome {
    module(request, true)
}

fn module(request: &Request<'_>, deferred: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(value) = get(request.config, "write_files") else { return outcome };
    let entries = match chosen(value, deferred) {
        Ok(entries) => entries,
        Err(finding) => {
            // Both modules fail; it is told once.
            if !deferred {
                outcome.findings.push(finding);
            }
            return outcome;
        }
    };
    let made = users::accounts(request).map(|accounts| accounts.names()).unwrap_or_default();
    let planned = request.facts.instance_id.is_none();
    let awaits_packages = deferred && planned && get(request.config, "packages").is_some_and(truthy);
    let mut work = Work { machine: Overlay::new(request.machine), outcome, deferred, made };
    for (index, entry) in entries {
        if let Err(finding) = work.entry(index, entry) {
            // What packages make is not known before they are there.
            if finding.code == NO_OWNER && awaits_packages {
                let message = "the image has no such user or group: one of `packages` has to make it";
                let finding = Finding::warning(NO_OWNER, finding.place, message).at(finding.path);
                work.outcome.findings.push(finding.with_hint("check the spelling"));
                continue;
            }
            work.outcome.findings.push(finding);
            break;
        }
    }
    work.outcome
}

/// The entries that are deferred, or those that are not, with their indices.
fn chosen(value: &Value, deferred: bool) -> Result<Vec<(usize, &Value)>, Finding> {
    let wrong = |value: &Value, path: String, wanted: &str| {
        Finding::error(
            UNUSABLE,
            value.place,
            format!("{path} is {}, not {wanted}: no file is written at all", described(value)),
        )
        .at(path)
    };
    let Some(items) = value.as_list() else {
        // An empty mapping or text is walked through without an entry.
        let empty = matches!(&value.kind, Kind::Map(_) | Kind::Text(_) | Kind::Set(_) | Kind::Bytes(_));
        if empty && !truthy(value) {
            return Ok(Vec::new());
        }
        return Err(wrong(value, "write_files".to_owned(), "a list")
            .with_hint("begin each file with a dash: `- path: /etc/motd`"));
    };
    let mut entries = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("write_files.{index}");
        let is_deferred = match &item.kind {
            Kind::Map(map) => get(map, "defer").is_some_and(translate_bool),
            // `"defer" in entry` answers for lists and texts too, and what follows then fails later.
            Kind::List(items) if !items.iter().any(|item| item.as_text() == Some("defer")) => false,
            Kind::Text(text) if !text.contains("defer") => false,
            Kind::Set(_) => false,
            _ => return Err(wrong(item, path, "a mapping with `path`")),
        };
        if is_deferred == deferred {
            entries.push((index, item));
        }
    }
    Ok(entries)
}

/// User and group of an `owner` (`util.extract_usergroup`).
///
/// # Errors
/// When it is no text.
pub fn owner(value: &Value) -> Result<Owner, Finding> {
    if !truthy(value) {
        return Ok(Owner::default());
    }
    let Some(text) = value.as_text() else {
        return Err(Finding::error(
            UNUSABLE,
            value.place,
            format!(
                "the owner {} is {}, not text: this file is not written, nor are those behind it",
                value.to_python_str(),
                described(value)
            ),
        )
        .with_hint("write it in quotes, with names: `owner: 'user:group'`"));
    };
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let name = |name: &str| {
        let name = strip(name);
        let nobody = name.is_empty() || name == "-1" || name.to_lowercase() == "none";
        (!nobody).then(|| name.to_owned())
    };
    Ok(Owner { user: name(user), group: group.and_then(name) })
}

struct Work<'a> {
    machine: Overlay<'a>,
    outcome: Outcome,
    deferred: bool,
    /// Users and groups that the configuration makes.
    made: BTreeSet<String>,
}

impl Work<'_> {
    fn push(&mut self, action: Action) {
        self.machine.apply(&action);
        self.outcome.actions.push(action);
    }

    fn warn(&mut self, finding: Finding) {
        self.outcome.findings.push(finding);
    }

    /// Plans one file. An error ends the module.
    fn entry(&mut self, index: usize, entry: &Value) -> Result<(), Finding> {
        let at = format!("write_files.{index}");
        let Some(map) = entry.as_map() else {
            let found = described(entry);
            return Err(Finding::error(
                UNUSABLE,
                entry.place,
                format!(
                    "{at} is {found}, not a mapping with `path`: it and what is behind it are not written"
                ),
            )
            .at(at));
        };
        let Some(path) = get(map, "path").filter(|path| truthy(path)) else {
            self.warn(
                Finding::warning(SKIPPED, entry.place, format!("{at} has no path and is not written"))
                    .at(at)
                    .with_hint("add `path:` with the file's absolute path"),
            );
            return Ok(());
        };
        let Some(path_text) = path.as_text() else {
            let message = format!("the path {} is {}, not text", path.to_python_str(), described(path));
            return Err(Finding::error(UNUSABLE, path.place, message)
                .at(format!("{at}.path"))
                .with_hint("write the path in quotes"));
        };
        let target = absolute_path(path_text);
        if target.len() > LONGEST_PATH {
            let message =
                format!("the path of {at} has {} bytes, and Linux takes {LONGEST_PATH}", target.len());
            return Err(Finding::error(UNUSABLE, path.place, message)
                .at(format!("{at}.path"))
                .with_hint("this file and those behind it are not written"));
        }
        let source = self.source(map, &at)?;
        let inline = inline(map, &at);
        if source.is_none() {
            inline.as_ref().map_err(Clone::clone)?;
        }
        let owner = match get(map, "owner") {
            Some(value) => self::owner(value).map_err(|finding| finding.at(format!("{at}.owner")))?,
            None => Owner { user: Some("root".to_owned()), group: Some("root".to_owned()) },
        };
        let mode = mode(get(map, "permissions"), &at, &mut self.outcome.findings)?;
        let append = get(map, "append").is_some_and(translate_bool);
        self.file(File { at, map, target, source, inline, owner, mode, append })
    }

    /// `source.uri` with its headers.
    fn source(&mut self, map: &Map, at: &str) -> Result<Option<Source>, Finding> {
        let Some(source) = get(map, "source").filter(|source| !source.is_null()) else { return Ok(None) };
        let Some(members) = source.as_map() else {
            let message = format!("{at}.source is {}, not a mapping with `uri`", described(source));
            return Err(Finding::error(UNUSABLE, source.place, message)
                .at(format!("{at}.source"))
                .with_hint("write `source: {uri: https://…}`"));
        };
        let Some(url) = get(members, "uri").filter(|url| truthy(url)) else { return Ok(None) };
        let headers = get(members, "headers").and_then(Value::as_map).map(|headers| {
            headers
                .iter()
                .map(|(name, value)| (name.to_python_str(), Content::secret(value.to_python_str())))
                .collect()
        });
        Ok(Some(Source { url: url.to_python_str(), headers: headers.unwrap_or_default() }))
    }

    fn file(&mut self, file: File<'_>) -> Result<(), Finding> {
        let File { at, map, target, source, inline, owner, mode, append } = file;
        let unknown = self.unknown(&owner);
        // Directories that are missing become the owner's; the file itself follows.
        if owner.user.as_deref() != Some("root") || owner.group.as_deref() != Some("root") {
            let missing = self.missing_directories(&target);
            if unknown.is_none() || missing.is_empty() {
                for path in missing {
                    self.push(Action::Directory { path, mode: 0o755, owner: Some(owner.clone()) });
                }
            } else if let Some(who) = unknown {
                // The directory is made, then its owner fails; the file is never written.
                if let Some(path) = missing.into_iter().next_back() {
                    self.push(Action::Directory { path, mode: 0o755, owner: None });
                }
                return Err(self.no_such_owner(map, &at, &target, &who, "is not written"));
            }
        }
        let bits = mode.bits();
        let file_owner = if unknown.is_some() || mode.overflows() { None } else { Some(owner) };
        let secret = bits.is_some_and(|bits| bits & 0o077 == 0);
        let content = inline
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|bytes| Content { bytes: bytes.clone(), secret: secret || holds_private_key(bytes) });
        match source {
            Some(source) => {
                if let Err(finding) = &inline {
                    self.warn(Finding { severity: hardtack_userdata::Severity::Warning, ..finding.clone() });
                }
                self.fetch(source, &target, append, content, bits, file_owner);
            }
            None => {
                let content = content.unwrap_or_else(|| Content::open(""));
                self.push(if append {
                    Action::Append { path: target.clone(), content, mode: bits, owner: file_owner }
                } else {
                    Action::Write { path: target.clone(), content, mode: bits, owner: file_owner }
                });
            }
        }
        if mode.overflows() {
            return Err(Finding::error(
                "mode-out-of-range",
                get(map, "permissions").map_or(Default::default(), |value| value.place),
                format!(
                    "{at}.permissions is a number that no file mode can hold: files behind it are not written"
                ),
            )
            .at(format!("{at}.permissions"))
            .with_hint("write the mode in quotes: `permissions: '0644'`"));
        }
        match unknown {
            Some(who) => Err(self.no_such_owner(map, &at, &target, &who, "stays root's")),
            None => Ok(()),
        }
    }

    fn fetch(
        &mut self,
        source: Source,
        target: &str,
        append: bool,
        fallback: Option<Content>,
        mode: Option<u32>,
        owner: Option<Owner>,
    ) {
        let Source { url, headers } = source;
        if !append {
            self.push(Action::Fetch { url, headers, path: target.to_owned(), fallback, mode, owner });
            return;
        }
        let path = format!("/run/hardtack/fetched{target}");
        let mut details = vec![("from".to_owned(), path.clone()), ("to".to_owned(), target.to_owned())];
        if let Some(mode) = mode {
            details.push(("mode".to_owned(), format!("{mode:04o}")));
        }
        if let Some(Owner { user, group }) = owner {
            details.extend(user.map(|user| ("user".to_owned(), user)));
            details.extend(group.map(|group| ("group".to_owned(), group)));
        }
        self.push(Action::Fetch { url, headers, path, fallback, mode: Some(0o600), owner: None });
        self.push(Action::Live { what: "append-file", details });
    }

    /// The user or group that the machine does not have.
    fn unknown(&self, owner: &Owner) -> Option<String> {
        if let Some(user) = &owner.user
            && user != "root"
            && self.machine.account(user).is_none()
        {
            return Some(format!("user {user}"));
        }
        owner
            .group
            .as_ref()
            .filter(|group| *group != "root" && self.machine.group(group).is_none())
            .map(|group| format!("group {group}"))
    }

    fn no_such_owner(&self, map: &Map, at: &str, path: &str, who: &str, becomes: &str) -> Finding {
        let place = get(map, "owner").map_or(Default::default(), |value| value.place);
        let name = who.split(' ').next_back().unwrap_or_default();
        let hint = if name.bytes().all(|byte| byte.is_ascii_digit()) {
            "cloud-init looks owners up by name: a number is no name"
        } else if self.deferred {
            "make the user or group with `users` or `groups`, or check the spelling"
        } else if self.made.contains(name) {
            "users are made after this: add `defer: true` to the file"
        } else {
            "neither `users` nor `groups` makes it: add it there and `defer: true` to the file, or check the spelling"
        };
        Finding::error(
            NO_OWNER,
            place,
            format!(
                "there is no {who} when {path} is written: it {becomes}, and files behind it are not written"
            ),
        )
        .at(format!("{at}.owner"))
        .with_hint(hint)
    }

    /// Directories above `path` that are missing, the topmost first.
    fn missing_directories(&self, path: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let mut above = path;
        while let Some((directory, _)) = above.rsplit_once('/') {
            if directory.is_empty() || self.machine.exists(directory) {
                break;
            }
            missing.push(directory.to_owned());
            above = directory;
        }
        missing.reverse();
        missing
    }
}

struct Source {
    url: String,
    headers: Vec<(String, Content)>,
}

struct File<'a> {
    at: String,
    map: &'a Map,
    target: String,
    source: Option<Source>,
    inline: Result<Option<Vec<u8>>, Finding>,
    owner: Owner,
    mode: Mode,
    append: bool,
}

/// The bytes of `content`, `None` when there is none.
fn inline(map: &Map, at: &str) -> Result<Option<Vec<u8>>, Finding> {
    let Some(value) = get(map, "content").filter(|content| !content.is_null()) else { return Ok(None) };
    let encoding = encoding(get(map, "encoding")).map_err(|finding| finding.at(format!("{at}.encoding")))?;
    decode(value, encoding).map(Some).map_err(|finding| finding.at(format!("{at}.content")))
}

/// True for what is shown to nobody, whatever the mode of its file.
fn holds_private_key(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    bytes.windows(MARK.len()).any(|window| window == MARK)
}
