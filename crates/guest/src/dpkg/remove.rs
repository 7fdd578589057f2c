//! Removing a package that has no scripts.
//!
//! Follows dpkg's `removal_bulk_remove_files`, `removal_bulk_remove_configfiles` and
//! `removal_bulk_remove_leftover_dirs` (`src/main/remove.c`).

use std::collections::HashSet;

use super::admin::{info_file, info_files, owners};
use super::install::{Outcome, World};
use super::package::Package;
use super::status::{Conffile, Entry, State};
use super::triggers::directives;
use crate::{Error, FileType, Set, Stage};

/// What people and editors leave beside a configuration file, and dpkg purges with it.
const BESIDE: [&str; 7] = ["~", ".bak", "%", ".dpkg-tmp", ".dpkg-new", ".dpkg-old", ".dpkg-dist"];

impl World {
    /// Removes a package as `dpkg --remove` does, or with `purge` as `dpkg --purge`. That is only
    /// right for one without prerm and postrm. Dependencies are not looked at here.
    ///
    /// # Errors
    /// When the image cannot be read or changed.
    pub fn remove(
        &mut self,
        stage: &mut Stage<'_>,
        package: &Package,
        purge: bool,
    ) -> Result<Outcome, Error> {
        let Some(entry) = self.database.instance(package).cloned() else { return Ok(Outcome::default()) };
        let list_file = info_file(package, self.info_format, "list");
        let list = stage.read_text(&list_file)?.unwrap_or_default();
        let list: Vec<String> = list.lines().map(str::to_owned).collect();
        let run = Run { shared: self.shared(stage, package, &list)?, world: self, package, entry };
        let mut outcome = Outcome::default();
        let mut left = match run.entry.state {
            State::ConfigFiles | State::NotInstalled => list,
            _ => run.files(stage, &list, &mut outcome)?,
        };
        let goes_whole = purge || run.entry.conffiles.is_empty();
        if goes_whole {
            left = run.conffiles(stage, left)?;
            run.directories(stage, left)?;
        } else {
            let text: String = left.iter().map(|path| format!("{path}\n")).collect();
            stage.write(&list_file, text.into_bytes(), Set::all(0o644, 0, 0))?;
        }
        let mut old = Vec::new();
        for (kind, path) in info_files(stage, package, run.world.info_format)? {
            if kind == "triggers" {
                old = directives(&stage.read_text(&path)?.unwrap_or_default(), &path)?;
            }
            if goes_whole || kind != "list" {
                stage.remove(&path)?;
            }
        }
        self.interests.replace(package, &old, &[]);
        outcome.triggers = self.concerned(&outcome.changed, &old, package);
        if goes_whole {
            self.database.forget(package);
        } else {
            self.database.leave_configuration(package)?;
        }
        Ok(outcome)
    }

    /// The paths of the list that another package has, too.
    fn shared(
        &self,
        stage: &Stage<'_>,
        package: &Package,
        list: &[String],
    ) -> Result<HashSet<String>, Error> {
        let paths: HashSet<String> = list.iter().cloned().collect();
        let owners = owners(stage, &self.database, self.info_format, &paths)?;
        let is_other = |index: &usize| {
            let known = self.database.entries()[*index].package.as_ref();
            known.is_some_and(|known| !known.same_instance(package))
        };
        Ok(owners.into_iter().filter(|(_, all)| all.iter().any(is_other)).map(|(path, _)| path).collect())
    }
}

struct Run<'w, 'p> {
    world: &'w World,
    package: &'p Package,
    entry: Entry,
    shared: HashSet<String>,
}

impl Run<'_, '_> {
    fn target(&self, path: &str) -> String {
        self.world.diverted(path, &self.package.name).to_owned()
    }

    /// The files and directories, from the last; what stays on the list.
    fn files(
        &self,
        stage: &mut Stage<'_>,
        list: &[String],
        outcome: &mut Outcome,
    ) -> Result<Vec<String>, Error> {
        let mut left = Left::default();
        for path in list.iter().rev() {
            if self.entry.conffiles.iter().any(|conffile| conffile.path == *path) {
                left.push(path);
                continue;
            }
            let target = self.target(path);
            let is_directory = stage.stat(&target)?.is_some_and(|found| found.kind == FileType::Directory);
            if is_directory {
                if self.has_conffiles(path) || left.is_above(path) {
                    left.push(path);
                    continue;
                }
                if self.shared.contains(path) {
                    continue;
                }
                if path == "/." || !remove_directory(stage, &target)? {
                    left.push(path);
                    continue;
                }
            } else {
                // Only an instance for another architecture has the same files.
                if self.shared.contains(path) {
                    continue;
                }
                for end in [".dpkg-tmp", ".dpkg-new"] {
                    stage.remove(&format!("{target}{end}"))?;
                }
                stage.remove(&target)?;
            }
            outcome.changed.push(target);
        }
        Ok(left.in_order())
    }

    fn has_conffiles(&self, path: &str) -> bool {
        let mut current = self.entry.conffiles.iter().filter(|conffile| !conffile.obsolete);
        current.any(|conffile| is_below(&conffile.path, path))
    }

    /// The configuration files and what lies beside them; the list without them.
    fn conffiles(&self, stage: &mut Stage<'_>, mut left: Vec<String>) -> Result<Vec<String>, Error> {
        for Conffile { path, obsolete, .. } in &self.entry.conffiles {
            if *obsolete && self.shared.contains(path) {
                continue;
            }
            let target = stage.resolve(&self.target(path))?.to_string();
            let (folder, name) = target.rsplit_once('/').unwrap_or(("", &target));
            let folder = if folder.is_empty() { "/" } else { folder };
            if stage.stat(folder)?.is_none_or(|found| found.kind != FileType::Directory) {
                continue;
            }
            for entry in stage.list(folder)? {
                if entry.kind != FileType::Directory && goes_with(name, &entry.name) {
                    stage.remove(&format!("{folder}/{}", entry.name))?;
                }
            }
        }
        left.retain(|path| !self.entry.conffiles.iter().any(|conffile| conffile.path == *path));
        Ok(left)
    }

    /// Directories that have become empty.
    fn directories(&self, stage: &mut Stage<'_>, list: Vec<String>) -> Result<(), Error> {
        for path in list.iter().rev() {
            let target = self.target(path);
            let found = stage.stat(&target)?;
            let is_directory = found.is_some_and(|found| found.kind == FileType::Directory);
            if is_directory && path != "/." && !self.shared.contains(path) {
                remove_directory(stage, &target)?;
            }
        }
        Ok(())
    }
}

/// Removes a directory that is empty, or a link to one; false for one that stays.
fn remove_directory(stage: &mut Stage<'_>, target: &str) -> Result<bool, Error> {
    let is_link = stage.lstat(target)?.is_some_and(|found| found.kind == FileType::Symlink);
    if !is_link && !stage.list(target)?.is_empty() {
        return Ok(false);
    }
    stage.remove(target)?;
    Ok(true)
}

/// Paths that stay, gathered from the last to the first.
#[derive(Default)]
struct Left {
    reversed: Vec<String>,
    /// All directories above them.
    above: HashSet<String>,
}

impl Left {
    fn push(&mut self, path: &str) {
        self.reversed.push(path.to_owned());
        for (index, _) in path.match_indices('/').filter(|(index, _)| *index > 0) {
            self.above.insert(path[..index].to_owned());
        }
    }

    fn is_above(&self, path: &str) -> bool {
        self.above.contains(path)
    }

    fn in_order(mut self) -> Vec<String> {
        self.reversed.reverse();
        self.reversed
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// True for a configuration file `name` and its copies: `name~`, `#name#`, `name.dpkg-old`…
fn goes_with(name: &str, other: &str) -> bool {
    let Some(rest) = other.strip_prefix(name) else {
        return other.strip_prefix('#').and_then(|rest| rest.strip_suffix('#')) == Some(name);
    };
    rest.is_empty() || BESIDE.contains(&rest)
}
