//! Configurations that lie in several directories and are read as one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hardtack_guest::{Error as Guest, FileType, Stage};

use crate::Error;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) value: String,
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
}

/// The names in a directory; none where there is none.
pub(crate) fn names(stage: &Stage<'_>, directory: &str) -> Result<Vec<String>, Error> {
    match stage.stat(directory)? {
        Some(there) if there.kind == FileType::Directory => {
            let mut names: Vec<String> = stage.list(directory)?.into_iter().map(|entry| entry.name).collect();
            names.sort_unstable();
            Ok(names)
        }
        _ => Ok(Vec::new()),
    }
}

/// The files of these directories whose names end with `suffix`, sorted by name; of several with one name only that of
/// the directory named first, which is how systemd, modprobe and sysctl read them.
pub(crate) fn files(stage: &Stage<'_>, directories: &[&str], suffix: &str) -> Result<Vec<String>, Error> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for directory in directories {
        for name in names(stage, directory)?.into_iter().filter(|name| name.ends_with(suffix)) {
            let path = format!("{directory}/{name}");
            files.entry(name).or_insert(path);
        }
    }
    Ok(files.into_values().collect())
}

/// No configuration is longer.
const LIMIT: u64 = 8 << 20;

thread_local! {
    /// What [`text`] could not look at although its service would read it. Rules look at hundreds of files, and most of them
    /// take one that is not there for what it is; so it is kept here, and [`crate::check`] asks after each rule.
    static UNREAD: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// So many files are told.
const MOST_UNREAD: usize = 16;

/// A file that a rule could not look at, and why.
pub(crate) fn overlooked(path: &str, why: impl Into<String>) {
    UNREAD.with_borrow_mut(|unread| {
        if unread.len() < MOST_UNREAD {
            unread.entry(path.to_owned()).or_insert_with(|| why.into());
        }
    });
}

/// What could not be looked at since somebody asked last: path, and why.
pub(crate) fn unread() -> Vec<(String, String)> {
    UNREAD.with_borrow_mut(|unread| std::mem::take(unread).into_iter().collect())
}

/// The text of a file to look at, if it is one and can be read: a link to /dev/null masks it. Letters of another encoding
/// hide nothing; who writes it back reads it by [`Stage::read_text`].
pub(crate) fn text(stage: &Stage<'_>, path: &str) -> Option<String> {
    let bytes = bytes(stage, path, LIMIT)?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// The same as bytes; longer ones are not looked at, and told.
pub(crate) fn bytes(stage: &Stage<'_>, path: &str, limit: u64) -> Option<Vec<u8>> {
    match stage.read_limited(path, limit) {
        Ok(bytes) => bytes,
        Err(error) => {
            let is_hidden = match &error {
                Guest::TooLarge { .. } => true,
                // A directory among the files of a directory is nobody's; one in the place of a file of /etc is a fault.
                Guest::WrongType { path: at, found, .. } => match *found {
                    "a directory" => path.strip_prefix("/etc/").is_some_and(|name| !name.contains('/')),
                    _ => at.as_str() != "/dev/null",
                },
                _ => false,
            };
            if is_hidden {
                overlooked(path, error.to_string());
            }
            None
        }
    }
}

/// The same where nothing may be left out: a file that its service reads and we cannot is an error. `None` where there is none, or
/// a link to /dev/null masks it.
pub(crate) fn whole(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    match stage.stat(path)? {
        None => return Ok(None),
        Some(there) if there.kind != FileType::Regular => {
            // Told where it is more than a directory or a mask.
            let _ = bytes(stage, path, 0);
            return Ok(None);
        }
        Some(_) => {}
    }
    let bytes = stage.read_limited(path, LIMIT)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// A configuration of systemd: `/etc/systemd/NAME.conf` and its drop-ins (systemd-system.conf(5)).
pub(crate) struct Ini(Vec<(String, String, Assignment)>);

impl Ini {
    /// Reads `name`: "journald" for journald.conf.
    pub(crate) fn systemd(stage: &Stage<'_>, name: &str) -> Result<Self, Error> {
        let main =
            ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"];
        let drop_ins = main.map(|directory| format!("{directory}/{name}.conf.d"));
        let mut ini = Self(Vec::new());
        let first = main.iter().find_map(|directory| {
            let path = format!("{directory}/{name}.conf");
            text(stage, &path).map(|text| (path, text))
        });
        if let Some((path, text)) = first {
            ini.add(&path, &text);
        }
        for path in files(stage, &drop_ins.each_ref().map(String::as_str), ".conf")? {
            if let Some(text) = whole(stage, &path)? {
                ini.add(&path, &text);
            }
        }
        Ok(ini)
    }

    /// The words of a list: those of all assignments, but for the ones before an empty one; and where the last one is.
    pub(crate) fn words(&self, section: &str, key: &str) -> (Vec<&str>, Option<&Assignment>) {
        let mut words = Vec::new();
        let mut last = None;
        for (_, _, assignment) in self.0.iter().filter(|(of, name, _)| of == section && name == key) {
            if assignment.value.is_empty() {
                words.clear();
            }
            words.extend(assignment.value.split_whitespace());
            last = Some(assignment);
        }
        (words, last)
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut section = String::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                let assignment =
                    Assignment { value: value.trim().to_owned(), path: path.to_owned(), line: index + 1 };
                self.0.push((section.clone(), key.trim().to_owned(), assignment));
            }
        }
    }

    /// What is in force: the last one wins, and an empty one takes back those before it.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&Assignment> {
        let last = self.0.iter().rev().find(|(of, name, _)| of == section && name == key);
        last.map(|(_, _, assignment)| assignment).filter(|assignment| !assignment.value.is_empty())
    }
}
