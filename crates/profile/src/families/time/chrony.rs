//! chrony's configuration.

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use super::daemon::Kind;
use crate::merged::{Assignment, files, text};
use crate::{Bench, Error, Finding, Measure, View};

/// Files that include each other are read to this depth (chrony's own limit is 10).
const DEPTH: usize = 10;
/// And so many at most.
const MOST: usize = 256;

/// The main file: Debian's, or that of RHEL.
pub(super) fn main(stage: &Stage<'_>) -> Result<Option<&'static str>, Error> {
    for path in ["/etc/chrony/chrony.conf", "/etc/chrony.conf"] {
        if stage.stat(path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// All directives, in the order read: the word, and what is behind it.
pub(super) fn directives(stage: &Stage<'_>) -> Result<Vec<(String, Assignment)>, Error> {
    let mut found = Vec::new();
    let mut read = 0;
    if let Some(path) = main(stage)? {
        add(stage, path, DEPTH, &mut read, &mut found)?;
    }
    Ok(found)
}

fn add(
    stage: &Stage<'_>,
    path: &str,
    depth: usize,
    read: &mut usize,
    found: &mut Vec<(String, Assignment)>,
) -> Result<(), Error> {
    *read += 1;
    if depth == 0 || *read > MOST {
        return Ok(());
    }
    for (index, line) in text(stage, path).unwrap_or_default().lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!', ';', '%']) {
            continue;
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let (word, rest) = (word.to_ascii_lowercase(), rest.trim());
        let suffix = match word.as_str() {
            "confdir" => Some(".conf"),
            "sourcedir" => Some(".sources"),
            _ => None,
        };
        if let Some(suffix) = suffix {
            let directories: Vec<&str> = rest.split_whitespace().collect();
            for path in files(stage, &directories, suffix)? {
                add(stage, &path, depth - 1, read, found)?;
            }
        } else if word == "include" {
            add(stage, rest, depth - 1, read, found)?;
        }
        let assignment = Assignment { value: rest.to_owned(), path: path.to_owned(), line: index + 1 };
        found.push((word, assignment));
    }
    Ok(())
}

/// It runs as a user of its own.
pub(super) struct User;

impl User {
    /// What says that it runs as root.
    fn root(stage: &Stage<'_>) -> Result<Option<Assignment>, Error> {
        let last = directives(stage)?.into_iter().rfind(|(word, _)| word == "user");
        Ok(last.map(|(_, user)| user).filter(|user| matches!(user.value.as_str(), "root" | "0")))
    }
}

impl Measure for User {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // Both distributions' programs have a user built in.
        if let Some(user) = Self::root(bench.stage)? {
            let content = bench.stage.read_text(&user.path)?.unwrap_or_default();
            let kept: String = content
                .lines()
                .enumerate()
                .map(
                    |(index, line)| {
                        if index + 1 == user.line { format!("# {line}\n") } else { format!("{line}\n") }
                    },
                )
                .collect();
            crate::conffile::edit(bench.stage, &user.path, kept, Set::default())?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !Kind::Chrony.is_there(view.stage)? {
            return Ok(Finding::NotApplicable("chrony is not in the image".to_owned()));
        }
        let root = Self::root(view.stage)?;
        Ok(Finding::of(
            root.into_iter()
                .map(|user| {
                    (Place { path: user.path, line: Some(user.line) }, "chrony runs as root".to_owned())
                })
                .collect(),
        ))
    }
}
