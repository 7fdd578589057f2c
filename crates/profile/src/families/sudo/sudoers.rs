//! /etc/sudoers and what it includes, as sudo reads it (sudoers(5)).

use hardtack_guest::{GuestPath, Stage};
use hardtack_report::Place;

use crate::Error;
use crate::merged::{names, text};

pub(super) const MAIN: &str = "/etc/sudoers";
/// sudo's own limit is 128.
const DEPTH: usize = 16;
const FILES: usize = 512;

/// A setting of a `Defaults` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    /// `None` where it is switched off.
    pub(super) value: Option<String>,
    /// It is only for some users, hosts or commands.
    pub(super) scoped: bool,
    pub(super) place: Place,
}

/// Everything that sudo reads.
#[derive(Debug, Default)]
pub(super) struct Sudoers {
    pub(super) settings: Vec<Setting>,
    /// Who may run what: each line as it stands, continued ones as one.
    pub(super) rules: Vec<(Place, String)>,
    /// All files, in order.
    pub(super) files: Vec<String>,
    /// Includes that lead nowhere, or too deep.
    pub(super) faults: Vec<(Place, String)>,
}

/// One line after continuations, from its first number on.
struct Line {
    number: usize,
    text: String,
}

impl Sudoers {
    /// Reads all of it. A file that is no text is an error.
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut all = Self::default();
        all.file(stage, MAIN, 0)?;
        Ok(all)
    }

    fn file(&mut self, stage: &Stage<'_>, path: &str, depth: usize) -> Result<(), Error> {
        if depth >= DEPTH || self.files.len() >= FILES {
            self.faults.push((Place::file(path), "files include each other without end".to_owned()));
            return Ok(());
        }
        let Some(text) = text(stage, path) else {
            self.faults.push((Place::file(path), "cannot be read as text, or is not there".to_owned()));
            return Ok(());
        };
        // sudo takes none of it, or what follows the garbage, by its version: nobody knows which.
        let is_garbage = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}');
        if let Some(at) = text.find(is_garbage) {
            let line = text[..at].matches('\n').count() + 1;
            let what = "is no text that sudo reads".to_owned();
            return Err(hardtack_guest::Error::Content {
                path: GuestPath::new(path),
                line: Some(line),
                what,
            }
            .into());
        }
        self.files.push(path.to_owned());
        for line in joined(&text) {
            let place = Place { path: path.to_owned(), line: Some(line.number) };
            if let Some((directory, target)) = include(&line.text, path) {
                if !directory {
                    self.file(stage, &target, depth + 1)?;
                    continue;
                }
                // Without the editors' and the package manager's leftovers.
                let is_read = |name: &String| !name.contains('.') && !name.ends_with('~');
                for name in names(stage, &target)?.into_iter().filter(is_read) {
                    let inner = format!("{target}/{name}");
                    let regular = stage
                        .stat(&inner)?
                        .is_some_and(|there| there.kind == hardtack_guest::FileType::Regular);
                    if regular {
                        self.file(stage, &inner, depth + 1)?;
                    }
                }
                continue;
            }
            let text = without_comment(&line.text);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match text.strip_prefix("Defaults") {
                Some(rest) if rest.starts_with([' ', '\t', '@', ':', '!', '>']) => {
                    self.defaults(rest, &place)
                }
                _ if ["User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias"]
                    .iter()
                    .any(|word| text.starts_with(word)) => {}
                _ => self.rules.push((place, text.to_owned())),
            }
        }
        Ok(())
    }

    fn defaults(&mut self, rest: &str, place: &Place) {
        let scoped = !rest.starts_with([' ', '\t']);
        let list = if scoped { rest.split_once([' ', '\t']).map_or("", |(_, list)| list) } else { rest };
        for item in split(list) {
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => {
                    (name.trim_end_matches(['+', '-']).trim(), Some(unquoted(value.trim())))
                }
                None => (item.as_str(), Some(String::new())),
            };
            let (name, value) = match name.strip_prefix('!') {
                Some(name) => (name.trim_start(), None),
                None => (name, value),
            };
            self.settings.push(Setting { name: name.to_owned(), value, scoped, place: place.clone() });
        }
    }

    /// What is in force for everybody: the last line wins.
    pub(super) fn global(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| setting.name == name && !setting.scoped)
    }

    /// What counts for some only.
    pub(super) fn scoped<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Setting> {
        self.settings.iter().filter(move |setting| setting.name == name && setting.scoped)
    }
}

/// Lines, with those that end in a backslash joined.
fn joined(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open = false;
    for (index, text) in text.lines().enumerate() {
        let (part, continues) = match text.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (text, false),
        };
        match lines.last_mut().filter(|_| open) {
            Some(line) => line.text.push_str(part.trim_start()),
            None => lines.push(Line { number: index + 1, text: part.to_owned() }),
        }
        open = continues;
    }
    lines
}

/// `@include FILE`, `#includedir DIRECTORY` and so on: whether it is a directory, and its path.
fn include(line: &str, file: &str) -> Option<(bool, String)> {
    let rest = line.trim_start().strip_prefix(['@', '#'])?;
    let (directory, rest) = match rest.strip_prefix("includedir") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("include")?),
    };
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let target = unquoted(rest.trim()).replace("\\ ", " ");
    let target = match target.starts_with('/') {
        true => target,
        false => format!("{}/{target}", file.rsplit_once('/').map_or("", |(parent, _)| parent)),
    };
    Some((directory, target.trim_end_matches('/').to_owned()))
}

/// `#` starts a comment, but not in quotes, and not before the number of a user.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' if at == 0 || bytes[at - 1] != b'\\' => quoted = !quoted,
            b'#' if !quoted
                && !bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                && (at == 0 || bytes[at - 1] != b'\\') =>
            {
                return &line[..at];
            }
            _ => {}
        }
    }
    line
}

/// At commas outside of quotes.
fn split(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut quoted = false;
    for c in list.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(c);
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

fn unquoted(text: &str) -> String {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// Whether a rule names the tag, outside of quotes.
pub(super) fn has_tag(rule: &str, tag: &str) -> bool {
    rule.match_indices(tag).any(|(at, _)| {
        let before = rule[..at].bytes().next_back();
        let after = rule[at + tag.len()..].trim_start();
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_') && after.starts_with(':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardtack_guest::MemoryTree;

    #[test]
    fn files_are_read_as_sudo_reads_them() {
        let tree = MemoryTree::new()
            .file(
                MAIN,
                "Defaults env_reset, secure_path=\"/a:/b,c\" # Defaults use_pty\nDefaults:bob !authenticate\n\
                 Defaults \\\n   timestamp_timeout=5\n#1000 ALL=(ALL) NOPASSWD : ALL\n%sudo ALL=(ALL:ALL) ALL\n\
                 #includedir sudoers.d\n@include /etc/absent\n",
            )
            .file("/etc/sudoers.d/10-a", "Defaults timestamp_timeout=-1\n")
            .file("/etc/sudoers.d/20.conf", "Defaults x\n")
            .file("/etc/sudoers.d/30~", "Defaults x\n")
            .file("/etc/sudoers.d/40-loop", "@include /etc/sudoers.d/40-loop\n");
        let sudoers = Sudoers::read(&Stage::new(&tree)).unwrap();
        let global = |name: &str| sudoers.global(name).map(|one| (one.value.clone(), one.place.path.clone()));
        assert_eq!(global("timestamp_timeout"), Some((Some("-1".into()), "/etc/sudoers.d/10-a".into())));
        assert_eq!(global("secure_path").unwrap().0.as_deref(), Some("/a:/b,c"));
        assert_eq!(global("use_pty"), None);
        assert_eq!(global("x"), None);
        let scoped: Vec<_> =
            sudoers.scoped("authenticate").map(|one| (one.value.clone(), one.place.line)).collect();
        assert_eq!(scoped, [(None, Some(2))]);
        assert_eq!(sudoers.rules.len(), 2);
        assert!(has_tag(&sudoers.rules[0].1, "NOPASSWD") && !has_tag(&sudoers.rules[1].1, "NOPASSWD"));
        assert!(!has_tag("a ALL=(ALL) XNOPASSWD: ALL", "NOPASSWD"));
        assert!(sudoers.faults.len() == 2, "{:?}", sudoers.faults);
    }
}
