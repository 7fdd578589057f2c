//! `eucarc`: the shell file that comes with a Eucalyptus account. It is read, never run.
//!
//! Lines `export NAME=VALUE` with `$NAME` and `${NAME}` in the value. What a command would print is not
//! known, but for `EUCA_KEY_DIR=$(…)`, which is always the file's own directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::euca::{Settings, expand};
use super::keys::read;
use crate::args::FilesArgs;
use crate::error::CliError;

/// What the file says: the one that was named, else `~/.euca/eucarc`, else `~/.eucarc`.
pub(super) fn settings(files: &FilesArgs, home: Option<&Path>) -> Result<Settings, CliError> {
    let known = || {
        let home = home?;
        [".euca/eucarc", ".eucarc"].iter().map(|name| home.join(name)).find(|path| path.is_file())
    };
    let Some(path) = files.eucarc.clone().or_else(known) else { return Ok(Settings::default()) };
    let bytes = read(&path, "eucarc")?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let values = parse(&String::from_utf8_lossy(&bytes), &directory.to_string_lossy(), home);
    let value = |name: &str| values.get(name).filter(|value| !value.is_empty()).cloned();
    let path = |names: &[&str]| names.iter().find_map(|name| value(name)).map(|path| expand(&path, home));
    Ok(Settings {
        account: value("EC2_USER_ID").or_else(|| value("EC2_ACCOUNT_NUMBER")),
        certificate: path(&["EC2_CERT", "EUCA_CERT"]),
        private_key: path(&["EC2_PRIVATE_KEY", "EUCA_PRIVATE_KEY"]),
        cloud_certificate: path(&["EUCALYPTUS_CERT"]),
    })
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
