//! Modes and owners.
//!
//! Trees of containers (/var/lib/docker and its like) are passed by: they have users of their own.

#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashSet;

use hardtack_guest::Stage;
use hardtack_guest::accounts::group_id;
use hardtack_guest::dpkg::Database;
use hardtack_guest::dpkg::admin::{info_format, owners};
use hardtack_guest::dpkg::diversions::diversions;

use crate::{Bench, Error, Finding, Level, Measure, Rule, View, merged};
pub(crate) use tree::{Seen, set_id_programs};

/// Directories that are links into /usr where the two are merged: dpkg's lists have the old names.
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// A file of root's with at most this mode.
struct File {
    path: &'static str,
    mode: u32,
    /// It may also be the group `shadow`'s, where the image has it.
    shadow: bool,
}

impl File {
    const fn of_root(path: &'static str, mode: u32) -> Self {
        Self { path, mode, shadow: false }
    }

    const fn secret(path: &'static str) -> Self {
        Self { path, mode: 0o640, shadow: true }
    }

    /// The group that it belongs to, and the mode: without a group `shadow`, which only Debian's kin have, nobody but root,
    /// who needs no bits, reads it.
    fn wanted(&self, stage: &Stage<'_>) -> Result<(u32, u32), Error> {
        Ok(match (self.shadow, group_id(stage, "shadow")?) {
            (true, Some(gid)) => (gid, self.mode),
            (true, None) => (0, 0),
            (false, _) => (0, self.mode),
        })
    }
}

impl Measure for File {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(found) = bench.stage.stat(self.path)? else { return Ok(()) };
        let (gid, mode) = self.wanted(bench.stage)?;
        if found.mode & !mode != 0 {
            bench.stage.set_mode(self.path, found.mode & mode)?;
        }
        if found.uid != 0 || (found.gid != gid && found.gid != 0) {
            bench.stage.set_owner(self.path, 0, gid)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(found) = view.stage.stat(self.path)? else {
            return Ok(Finding::NotApplicable(format!("the image has no {}", self.path)));
        };
        let (gid, mode) = self.wanted(view.stage)?;
        let mut faults = Vec::new();
        if found.mode & !mode != 0 {
            faults.push(format!("its mode is {:04o}, not {mode:04o}", found.mode));
        }
        if found.uid != 0 || (found.gid != gid && found.gid != 0) {
            faults.push(format!("it belongs to {}:{}, not 0:{gid}", found.uid, found.gid));
        }
        let place = hardtack_report::Place::file(self.path);
        Ok(Finding::of(faults.into_iter().map(|what| (place.clone(), what)).collect()))
    }
}

/// What everybody can write to.
struct Writable;

impl Measure for Writable {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(tree::seen(view)?.writable())
    }
}

/// What belongs to nobody.
struct Unowned;

impl Measure for Unowned {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(tree::seen(view)?.unowned())
    }
}

/// Programs that run as somebody else.
struct SetId;

impl Measure for SetId {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let seen = tree::seen(view)?;
        if seen.too_many_programs {
            return Ok(Finding::fail("the image has more programs with set-id bits than anybody reviews"));
        }
        let Some(known) = packaged(view.stage, &seen.programs)? else { return Ok(no_database()) };
        let what = "runs as its owner or group, and no package and no statoverride of the image has it";
        Ok(seen.programs(&tree::strangers(&seen.programs, &|path| known.contains(path), what)))
    }
}

/// Programs with capabilities.
struct Capabilities;

impl Measure for Capabilities {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = tree::with_capabilities(view.stage)?;
        let Some(known) = packaged(view.stage, &found)? else { return Ok(no_database()) };
        let what = "has capabilities, and no package of the image has it";
        Ok(tree::seen(view)?.programs(&tree::strangers(&found, &|path| known.contains(path), what)))
    }
}

fn no_database() -> Finding {
    Finding::NotApplicable(
        "the image has no database of dpkg, the only one that is compared with here".to_owned(),
    )
}

/// Those of `paths` that packages have, or that an administrator has given a mode by dpkg-statoverride.
fn packaged(stage: &Stage<'_>, paths: &[String]) -> Result<Option<HashSet<String>>, Error> {
    let Some(database) = Database::read(stage)? else { return Ok(None) };
    let mut merged_away = Vec::new();
    for directory in MERGED {
        let real = stage.resolve(directory)?;
        if real.as_str() != directory {
            merged_away.push((format!("{real}/"), format!("{directory}/")));
        }
    }
    let diverted = diversions(stage).unwrap_or_default();
    // Each path with the names that it may have in dpkg's lists.
    let names = |path: &String| {
        let mut names = vec![path.clone()];
        names.extend(
            merged_away.iter().filter_map(|(real, old)| Some(format!("{old}{}", path.strip_prefix(real)?))),
        );
        let from: Vec<String> = diverted
            .iter()
            .filter(|diversion| names.contains(&diversion.to))
            .map(|diversion| diversion.from.clone())
            .collect();
        names.extend(from);
        names
    };
    let all: HashSet<String> = paths.iter().flat_map(names).collect();
    let listed = owners(stage, &database, info_format(stage)?, &all)?;
    let text = merged::text(stage, "/var/lib/dpkg/statoverride").unwrap_or_default();
    let overridden: HashSet<&str> = text.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let known = |name: &String| listed.contains_key(name) || overridden.contains(name.as_str());
    Ok(Some(paths.iter().filter(|path| names(path).iter().any(known)).cloned().collect()))
}

pub(super) const RULES: &[Rule] = &[
    Rule::new("perm-passwd", "7.1.1", Level::One, "/etc/passwd is written by root only", READ, &File::of_root("/etc/passwd", 0o644))
        .baseline(),
    Rule::new("perm-passwd-", "7.1.2", Level::One, "/etc/passwd- is written by root only", READ, &File::of_root("/etc/passwd-", 0o644))
        .baseline(),
    Rule::new("perm-group", "7.1.3", Level::One, "/etc/group is written by root only", READ, &File::of_root("/etc/group", 0o644))
        .baseline(),
    Rule::new("perm-group-", "7.1.4", Level::One, "/etc/group- is written by root only", READ, &File::of_root("/etc/group-", 0o644))
        .baseline(),
    Rule::new("perm-shadow", "7.1.5", Level::One, "/etc/shadow is read by nobody else", SECRET, &File::secret("/etc/shadow"))
        .baseline(),
    Rule::new("perm-shadow-", "7.1.6", Level::One, "/etc/shadow- is read by nobody else", SECRET, &File::secret("/etc/shadow-"))
        .baseline(),
    Rule::new("perm-gshadow", "7.1.7", Level::One, "/etc/gshadow is read by nobody else", SECRET, &File::secret("/etc/gshadow"))
        .baseline(),
    Rule::new("perm-gshadow-", "7.1.8", Level::One, "/etc/gshadow- is read by nobody else", SECRET, &File::secret("/etc/gshadow-"))
        .baseline(),
    Rule::new("perm-shells", "7.1.9", Level::One, "/etc/shells is written by root only", READ, &File::of_root("/etc/shells", 0o644))
        .baseline(),
    Rule::new(
        "perm-opasswd",
        "7.1.10",
        Level::One,
        "old passwords are read by nobody else",
        SECRET,
        &File::of_root("/etc/security/opasswd", 0o600),
    )
    .baseline(),
    Rule::new(
        "world-writable",
        "7.1.11",
        Level::One,
        "nothing can be written by everybody, but directories with sticky bit",
        "whoever gets any account puts their program into the place of another one; what it is tells how to mend it: nothing \
         is changed by itself",
        &Writable,
    )
    .baseline(),
    Rule::new(
        "unowned",
        "7.1.12",
        Level::One,
        "everything belongs to users and groups of the image",
        "the next account that is made gets the number, and with it the files",
        &Unowned,
    )
    .baseline(),
    Rule::new(
        "suid-audit",
        "7.1.13",
        Level::One,
        "programs that run as somebody else come from packages",
        "a copy of a shell with the set-id bit is the shortest back door",
        &SetId,
    ),
    Rule::new(
        "suid-caps",
        "",
        Level::None,
        "programs with capabilities come from packages",
        "a capability is a part of root's power, and no mode shows it",
        &Capabilities,
    ),
];

const READ: &str = "who can write it is root at the next login";
const SECRET: &str = "its hashes are searched where nobody counts the tries";
