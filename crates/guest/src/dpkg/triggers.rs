//! Triggers: what a package's arrival makes other packages do (`deb-triggers(5)`).
//!
//! Interests stand in `/var/lib/dpkg/triggers`: path triggers in `File` as "path package[/noawait]",
//! named ones each in a file of their name as "package[/noawait]".

use std::collections::BTreeMap;

use super::package::Package;
use crate::{Error, Set, Stage};

const FOLDER: &str = "/var/lib/dpkg/triggers";

/// A line of a package's `triggers` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// The package wants to hear of this trigger.
    Interest {
        /// The name, or a path.
        trigger: String,
        /// The activating package need not wait.
        no_await: bool,
    },
    /// The package sets it off when its state changes.
    Activate {
        /// The name, or a path.
        trigger: String,
    },
}

/// Reads a package's `triggers` file.
pub fn directives(text: &str, origin: &str) -> Result<Vec<Directive>, Error> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong =
            || Error::Refused(format!("{origin}: triggers:{}: {line:?} is no trigger directive", index + 1));
        let (verb, trigger) = line.split_once([' ', '\t']).ok_or_else(wrong)?;
        let trigger = trigger.trim().to_owned();
        if trigger.is_empty()
            || trigger.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        {
            return Err(wrong());
        }
        if !trigger.starts_with('/') && (trigger.contains('/') || trigger.starts_with('.')) {
            return Err(wrong());
        }
        found.push(match verb {
            "interest" | "interest-await" => Directive::Interest { trigger, no_await: false },
            "interest-noawait" => Directive::Interest { trigger, no_await: true },
            "activate" | "activate-await" | "activate-noawait" => Directive::Activate { trigger },
            _ => return Err(wrong()),
        });
    }
    Ok(found)
}

/// Who is interested in what.
#[derive(Clone, Debug, Default)]
pub struct Interests {
    /// Lines of `File`: path, package, `/noawait` or nothing.
    paths: Vec<(String, String, bool)>,
    /// The files of named triggers that were read or changed.
    named: BTreeMap<String, Vec<(String, bool)>>,
    paths_changed: bool,
    named_changed: Vec<String>,
}

impl Interests {
    /// Reads them all.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut interests = Self::default();
        for entry in stage.list(FOLDER)? {
            if matches!(entry.name.as_str(), "Lock" | "Unincorp") {
                continue;
            }
            let Some(text) = stage.read(&format!("{FOLDER}/{}", entry.name))? else { continue };
            for line in String::from_utf8_lossy(&text).lines() {
                let (head, package) = if entry.name == "File" {
                    match line.rsplit_once(' ') {
                        Some(parts) => parts,
                        None => continue,
                    }
                } else {
                    (entry.name.as_str(), line)
                };
                let (package, no_await) = match package.strip_suffix("/noawait") {
                    Some(package) => (package, true),
                    None => (package, false),
                };
                if entry.name == "File" {
                    interests.paths.push((head.to_owned(), package.to_owned(), no_await));
                } else {
                    interests
                        .named
                        .entry(entry.name.clone())
                        .or_default()
                        .push((package.to_owned(), no_await));
                }
            }
        }
        Ok(interests)
    }

    /// Takes the old directives of a package out and puts its new ones in.
    pub fn replace(&mut self, package: &Package, old: &[Directive], new: &[Directive]) {
        let name = package.full_name();
        for directive in old {
            let Directive::Interest { trigger, .. } = directive else { continue };
            if trigger.starts_with('/') {
                let count = self.paths.len();
                self.paths.retain(|(path, owner, _)| path != trigger || *owner != name);
                self.paths_changed |= self.paths.len() != count;
            } else if let Some(owners) = self.named.get_mut(trigger) {
                owners.retain(|(owner, _)| *owner != name);
                self.named_changed.push(trigger.clone());
            }
        }
        for directive in new {
            let Directive::Interest { trigger, no_await } = directive else { continue };
            if trigger.starts_with('/') {
                self.paths.retain(|(path, owner, _)| path != trigger || *owner != name);
                self.paths.push((trigger.clone(), name.clone(), *no_await));
                self.paths_changed = true;
            } else {
                let owners = self.named.entry(trigger.clone()).or_default();
                owners.retain(|(owner, _)| *owner != name);
                owners.push((name.clone(), *no_await));
                self.named_changed.push(trigger.clone());
            }
        }
    }

    /// Writes back what changed.
    pub fn write(&self, stage: &mut Stage<'_>) -> Result<(), Error> {
        let tail = |no_await: &bool| if *no_await { "/noawait" } else { "" };
        if self.paths_changed {
            let text: String = self
                .paths
                .iter()
                .map(|(path, package, no)| format!("{path} {package}{}\n", tail(no)))
                .collect();
            stage.write(&format!("{FOLDER}/File"), text.into_bytes(), Set::default())?;
        }
        for name in &self.named_changed {
            let owners = self.named.get(name).map(Vec::as_slice).unwrap_or_default();
            let path = format!("{FOLDER}/{name}");
            if owners.is_empty() {
                stage.remove(&path)?;
                continue;
            }
            let text: String =
                owners.iter().map(|(package, no)| format!("{package}{}\n", tail(no))).collect();
            stage.write(&path, text.into_bytes(), Set::default())?;
        }
        Ok(())
    }

    /// The packages that a change of the file `path` concerns, with the trigger's name.
    pub fn of_path<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.paths
            .iter()
            .filter(move |(interest, ..)| {
                path.strip_prefix(interest.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .map(|(interest, package, _)| (package.as_str(), interest.as_str()))
    }

    /// The packages that the trigger `name` concerns.
    pub fn of_name<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.named.get(name).into_iter().flatten().map(|(package, _)| package.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MemoryTree;
    use crate::dpkg::control::Stanza;

    #[test]
    fn interests_are_found_and_kept() {
        let tree = MemoryTree::new()
            .file("/var/lib/dpkg/triggers/File", "/usr/share/man man-db/noawait\n/usr/lib/x lib:amd64\n")
            .file("/var/lib/dpkg/triggers/ldconfig", "libc-bin\n")
            .file("/var/lib/dpkg/triggers/Unincorp", "")
            .file("/var/lib/dpkg/triggers/Lock", "");
        let mut stage = Stage::new(&tree);
        let mut interests = Interests::read(&stage).unwrap();
        assert_eq!(
            interests.of_path("/usr/share/man/man1/a.gz").collect::<Vec<_>>(),
            [("man-db", "/usr/share/man")]
        );
        assert_eq!(interests.of_path("/usr/share/manx").count(), 0);
        assert_eq!(interests.of_name("ldconfig").collect::<Vec<_>>(), ["libc-bin"]);

        let text = "# c\ninterest-noawait /opt/y\ninterest shout\nactivate-noawait ldconfig\n";
        let new = directives(text, "x.deb").unwrap();
        let stanza = Stanza::parse("Package: x\nVersion: 1\nArchitecture: amd64\n", "x", 1).unwrap();
        let package = Package::from_stanza(&stanza, "x").unwrap();
        interests.replace(&package, &[], &new);
        interests.write(&mut stage).unwrap();
        assert_eq!(
            stage.read_text("/var/lib/dpkg/triggers/File").unwrap().unwrap(),
            "/usr/share/man man-db/noawait\n/usr/lib/x lib:amd64\n/opt/y x/noawait\n"
        );
        assert_eq!(stage.read_text("/var/lib/dpkg/triggers/shout").unwrap().unwrap(), "x\n");
        assert!(directives("interest ../x", "x.deb").is_err());
        assert!(directives("shout x", "x.deb").is_err());
    }
}
