//! `~/.euca/*.ini`: regions and users.
//!
//! `/etc/euca2ools/euca2ools.ini`, `/etc/euca2ools/conf.d/*.ini` and `~/.euca/*.ini` are one configuration,
//! later files before earlier ones; EUCA_CONFIG_PATH (paths between colons) names others instead. Names of
//! sections may have `*` and `?` in them.

use std::path::PathBuf;

use crate::credentials::files::{expand, read};
use crate::{Environment, Error};

/// A value, the section that it stands in, and its name. Secret keys are among them.
type Entry = (String, String, String);

/// All the files' entries.
pub(super) struct Ini(Vec<Entry>);

impl Ini {
    /// Reads the files that there are.
    pub(super) fn read(environment: &Environment) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for path in paths(environment) {
            let bytes = read(&path, "read the configuration")?;
            parse(&String::from_utf8_lossy(&bytes), &mut entries);
        }
        Ok(Self(entries))
    }

    /// A section has that name, or matches it.
    pub(super) fn knows(&self, section: &str) -> bool {
        self.0.iter().any(|(name, ..)| matches(name, section))
    }

    /// The last value of that name in a section that matches; one named without wildcards wins.
    pub(super) fn get(&self, section: &str, name: &str) -> Option<String> {
        let of = |exact: bool| {
            self.0.iter().rev().find(|(pattern, key, value)| {
                key == name
                    && !value.is_empty()
                    && (pattern == section || (!exact && matches(pattern, section)))
            })
        };
        of(true).or_else(|| of(false)).map(|(.., value)| value.clone())
    }
}

/// The files that exist, in their order.
fn paths(environment: &Environment) -> Vec<PathBuf> {
    let places: Vec<PathBuf> = match environment.variable("EUCA_CONFIG_PATH") {
        Some(places) => places.split(':').map(|place| expand(place, environment)).collect(),
        None => ["/etc/euca2ools/euca2ools.ini", "/etc/euca2ools/conf.d"]
            .into_iter()
            .map(PathBuf::from)
            .chain(environment.home.as_ref().map(|home| home.join(".euca")))
            .collect(),
    };
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
