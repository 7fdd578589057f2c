//! All of modprobe.d, as modprobe reads it (kmod's libkmod-config.c): of several `install` lines for one module the first
//! one counts, names are patterns, and `-` is `_` in them.

use hardtack_guest::{Stage, glob, kmod};
use hardtack_report::Place;

use crate::Error;
use crate::merged::{Assignment, files, whole};

/// Earlier ones win among files of one name.
const DIRECTORIES: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];
/// What does nothing in place of loading a module.
const NOTHING: [&str; 4] = ["/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false"];

/// Commands and blacklist of all files.
pub(super) struct Merged {
    /// Patterns and what is run in place of loading, in the order read.
    install: Vec<(String, Assignment)>,
    blacklist: Vec<String>,
}

impl Merged {
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut merged = Self { install: Vec::new(), blacklist: Vec::new() };
        for path in files(stage, &DIRECTORIES, ".conf")? {
            if let Some(text) = whole(stage, &path)? {
                merged.add(&path, &text);
            }
        }
        Ok(merged)
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut wrapped = String::new();
        let mut first = 1;
        for (index, line) in text.lines().enumerate() {
            if wrapped.is_empty() {
                first = index + 1;
            }
            // A backslash at the end goes on with the next line.
            if let Some(line) = line.strip_suffix('\\') {
                wrapped.push_str(line);
                wrapped.push(' ');
                continue;
            }
            wrapped.push_str(line);
            let line = std::mem::take(&mut wrapped);
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("install"), Some(name)) => {
                    let value = words.collect::<Vec<_>>().join(" ");
                    let assignment = Assignment { value, path: path.to_owned(), line: first };
                    self.install.push((normal(name), assignment));
                }
                (Some("blacklist"), Some(name)) => self.blacklist.push(normal(name)),
                _ => {}
            }
        }
    }

    /// What keeps the module from being off, and where; `ours` is where it would be turned off.
    pub(super) fn fault(&self, module: &str, ours: &str) -> Option<(Place, String)> {
        let module = kmod::module_name(module);
        let fits = |name: &str| name == module || glob::is_pattern(name) && glob::matches(name, &module);
        let install = self.install.iter().find(|(name, _)| fits(name)).map(|(_, command)| command);
        let Some(install) = install else {
            let what = format!("{module} can be loaded: no line \"install {module} /bin/true\"");
            return Some((Place::file(ours), what));
        };
        let program = install.value.split(' ').next().unwrap_or_default();
        if !NOTHING.contains(&program) {
            let place = Place { path: install.path.clone(), line: Some(install.line) };
            return Some((
                place,
                format!("{module} is loaded by {:?}, the first command for it", install.value),
            ));
        }
        if !self.blacklist.contains(&module) {
            let what = format!("{module} is loaded for devices: no line \"blacklist {module}\"");
            return Some((Place::file(ours), what));
        }
        None
    }
}

fn normal(name: &str) -> String {
    // Brackets hold characters, in which a dash is a range.
    if name.contains('[') { name.to_owned() } else { name.replace('-', "_") }
}
