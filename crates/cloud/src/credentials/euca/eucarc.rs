//! `eucarc`: the shell file that comes with a Eucalyptus account. It is read, never run.
//!
//! Lines `export NAME=VALUE` with `$NAME` and `${NAME}` in the value. What a command would print is not
//! known, but for `EUCA_KEY_DIR=$(…)`, which is always the file's own directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::credentials::files::read;
use crate::{Environment, Error};

/// A file's variables. Secret keys are among them.
pub(super) struct Eucarc {
    /// The file.
    pub(super) path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Eucarc {
    /// The one that lies in the home directory: `~/.euca/eucarc`, else `~/.eucarc`.
    pub(super) fn find(environment: &Environment) -> Result<Option<Self>, Error> {
        let Some(home) = &environment.home else { return Ok(None) };
        let mut paths = [".euca/eucarc", ".eucarc"].iter().map(|name| home.join(name));
        paths.find(|path| path.is_file()).map(|path| Self::read(&path, environment)).transpose()
    }

    /// Reads a file.
    pub(super) fn read(path: &Path, environment: &Environment) -> Result<Self, Error> {
        let bytes = read(path, "read eucarc")?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let home = environment.home.as_deref();
        let values = parse(&String::from_utf8_lossy(&bytes), &directory.to_string_lossy(), home);
        Ok(Self { path: path.to_owned(), values })
    }

    /// The first of `names` that has a value.
    pub(super) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.values.get(*name).filter(|value| !value.is_empty())).cloned()
    }
}

fn parse(text: &str, directory: &str, home: Option<&Path>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::from([("EUCA_KEY_DIR".to_owned(), directory.to_owned())]);
    if let Some(home) = home {
        values.insert("HOME".to_owned(), home.to_string_lossy().into_owned());
    }
    for line in text.lines().map(str::trim) {
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, value)) = line.split_once('=') else { continue };
        let is_name = |name: &str| name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if name.is_empty() || !is_name(name) || value.contains("$(") || value.contains('`') {
            continue;
        }
        let value = match value.strip_prefix('\'').and_then(|value| value.split_once('\'')) {
            Some((plain, _)) => plain.to_owned(),
            None => {
                let quoted = value.strip_prefix('"').and_then(|value| value.split_once('"'));
                let bare = || value.split([' ', '\t', ';']).next().unwrap_or_default();
                replace(quoted.map_or_else(bare, |(quoted, _)| quoted), &values)
            }
        };
        values.insert(name.to_owned(), value);
    }
    values
}

/// Puts values in the place of `$NAME` and `${NAME}`; nothing for names that are not known.
fn replace(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut parts = text.split('$');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(found) => found,
            None => {
                let is_other = |char: char| !char.is_ascii_alphanumeric() && char != '_';
                part.split_at(part.find(is_other).unwrap_or(part.len()))
            }
        };
        result.push_str(values.get(name).map_or("", String::as_str));
        result.push_str(rest);
    }
    result
}
