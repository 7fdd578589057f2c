//! `~/.euca/*.ini`: regions and users.
//!
//! `/etc/euca2ools/euca2ools.ini`, `/etc/euca2ools/conf.d/*.ini` and `~/.euca/*.ini` are one configuration,
//! later files before earlier ones; EUCA_CONFIG_PATH (paths between colons) names others instead. Names of
//! sections may have `*` and `?` in them.

use std::path::{Path, PathBuf};

use super::euca::{Settings, expand};
use super::keys::read;
use crate::args::FilesArgs;
use crate::error::CliError;

/// A value, the section that it stands in, and its name.
type Entry = (String, String, String);

/// What the files say of the region and its user.
pub(super) fn settings(
    files: &FilesArgs,
    environment: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Settings, CliError> {
    let mut entries = Vec::new();
    for path in paths(environment, home) {
        let bytes = read(&path, "the configuration")?;
        parse(&String::from_utf8_lossy(&bytes), &mut entries);
    }
    let named = ["EUCA_DEFAULT_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment(name));
    let asked = files.region.clone();
    let region = asked.clone().or(named).or_else(|| get(&entries, "global", "default-region"));
    let Some(region) = region else { return Ok(Settings::default()) };
    let (user, region) = match region.split_once('@') {
        Some((user, region)) => (Some(user.to_owned()), region.to_owned()),
        None => (None, region),
    };
    let section = format!("region {region}");
    if asked.is_some() && !region.is_empty() && !entries.iter().any(|(name, ..)| matches(name, &section)) {
        let text = format!("--region {region}: no file of euca2ools knows that region");
        return Err(CliError::usage(text).hint("~/.euca/*.ini has sections [region NAME]"));
    }
    let user = user.or_else(|| get(&entries, &section, "user")).map(|user| format!("user {user}"));
    let of_user = |name: &str| user.as_ref().and_then(|user| get(&entries, user, name));
    let path = |value: Option<String>| value.map(|value| expand(&value, home));
    Ok(Settings {
        account: of_user("account-id"),
        certificate: path(of_user("certificate")),
        private_key: path(of_user("private-key")),
        cloud_certificate: path(get(&entries, &section, "certificate")),
    })
}

/// The files that exist, in their order.
fn paths(environment: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = match environment("EUCA_CONFIG_PATH") {
        Some(places) => places.split(':').map(|place| expand(place, home)).collect(),
        None => vec!["/etc/euca2ools/euca2ools.ini".into(), "/etc/euca2ools/conf.d".into()],
    };
    if environment("EUCA_CONFIG_PATH").is_none() {
        places.extend(home.map(|home| home.join(".euca")));
    }
    let mut paths = Vec::new();
    for place in places {
        if place.is_file() {
            paths.push(place);
        } else if let Ok(entries) = std::fs::read_dir(&place) {
            let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            found.retain(|path| path.extension().is_some_and(|suffix| suffix == "ini") && path.is_file());
            found.sort();
            paths.extend(found);
        }
    }
    paths
}

fn parse(text: &str, entries: &mut Vec<Entry>) {
    let mut section = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.split_whitespace().collect::<Vec<_>>().join(" ");
        } else if let Some((name, value)) = line.split_once(['=', ':']) {
            entries.push((section.clone(), name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
}

/// The last value of that name in a section that matches; one named without wildcards wins.
fn get(entries: &[Entry], section: &str, name: &str) -> Option<String> {
    let of = |exact: bool| {
        entries.iter().rev().find(|(pattern, key, value)| {
            key == name && !value.is_empty() && (pattern == section || (!exact && matches(pattern, section)))
        })
    };
    of(true).or_else(|| of(false)).map(|(.., value)| value.clone())
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(char) if *char == '?' || *char == text[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                // The last star takes one character more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|char| *char == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("region aws:*", "region aws:us-east-1", true),
            ("*", "", true),
            ("a?c*d", "abcxxd", true),
            ("a?c*d", "abcxx", false),
            ("**b*", "aab", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
