//! Diversions: files of packages that go to another place than the package says.
//!
//! Format and rules: `dpkg-divert(1)`, dpkg's `src/divert/main.c` and `lib/dpkg/db-fsys-divert.c`.

use std::collections::HashSet;

use super::admin::{info_format, owners};
use super::status::Database;
use crate::{Error, FileType, Set, Stage};

const DIVERSIONS: &str = "/var/lib/dpkg/diversions";

/// A diversion: files that packages other than `package` have at `from` go to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The path in packages.
    pub from: String,
    /// Where it is put instead.
    pub to: String,
    /// The package whose own file stays at `from`; `None` for a local diversion.
    pub package: Option<String>,
}

/// All diversions.
pub fn diversions(stage: &Stage<'_>) -> Result<Vec<Diversion>, Error> {
    let path = DIVERSIONS;
    let text = stage.read_text(path)?.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    if !lines.len().is_multiple_of(3) {
        return Err(Error::Refused(format!(
            "{path}: has {} lines, not three for each diversion",
            lines.len()
        )));
    }
    Ok(lines
        .chunks_exact(3)
        .map(|three| Diversion {
            from: three[0].to_owned(),
            to: three[1].to_owned(),
            package: (three[2] != ":").then(|| three[2].to_owned()),
        })
        .collect())
}

/// Records that every package's file `from` goes to `to`, as `dpkg-divert --local --no-rename` does.
///
/// # Errors
/// When the image has diverted `from` elsewhere already, or something else from or to the two paths.
pub fn divert(stage: &mut Stage<'_>, from: &str, to: &str) -> Result<(), Error> {
    let mut all = diversions(stage)?;
    let clash =
        |known: &&Diversion| known.from == from || known.from == to || [from, to].contains(&&*known.to);
    match all.iter().find(clash) {
        Some(known) if known.to == to && known.package.is_none() => return Ok(()),
        Some(known) => {
            let by = known.package.as_deref().unwrap_or("an administrator");
            return Err(Error::Refused(format!(
                "{} is diverted to {} by {by} already",
                known.from, known.to
            )));
        }
        None => {}
    }
    all.push(Diversion { from: from.to_owned(), to: to.to_owned(), package: None });
    write_diversions(stage, &all)
}

/// Takes back what [`divert`] recorded; nothing when there is no such diversion.
///
/// # Errors
/// When the image cannot be read.
pub fn undivert(stage: &mut Stage<'_>, from: &str, to: &str) -> Result<(), Error> {
    let mut all = diversions(stage)?;
    let before = all.len();
    all.retain(|known| known.from != from || known.to != to || known.package.is_some());
    if all.len() == before { Ok(()) } else { write_diversions(stage, &all) }
}

fn write_diversions(stage: &mut Stage<'_>, all: &[Diversion]) -> Result<(), Error> {
    let text: String = all
        .iter()
        .map(|one| format!("{}\n{}\n{}\n", one.from, one.to, one.package.as_deref().unwrap_or(":")))
        .collect();
    stage.write(DIVERSIONS, text, Set::default())
}

/// What dpkg has unpacked and not configured is under the diverted name, too.
const UNPACKED: &str = ".dpkg-new";

/// Leaves what `dpkg-divert --local --rename --add` leaves, and a copy at `path`, for whoever edits it: the package's file
/// goes to `PATH.distrib`, now and with every version, whatever `--force-conf…` says (dpkg's
/// `deferred_configure_conffile` works on the diverted name). Ours is nobody's.
///
/// # Errors
/// When something is there already, or diverted.
pub fn set_aside(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    let beside = distrib(path);
    if stage.lstat(&beside)?.is_some() {
        return Err(Error::Refused(format!("{path} cannot be diverted to {beside}, which exists")));
    }
    divert(stage, path, &beside)?;
    copy(stage, path, &beside)?;
    rename(stage, &format!("{path}{UNPACKED}"), &format!("{beside}{UNPACKED}"))?;
    if stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Symlink) {
        // Through the link we would write what the package brings.
        stage.remove(path)?;
        copy(stage, &beside, path)?;
    }
    Ok(())
}

/// Takes back what [`set_aside`] has done, if it has. A newer text of the package goes beside the file, as dpkg does
/// where a conffile was edited.
///
/// # Errors
/// When the image cannot be read.
pub fn give_back(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    let beside = distrib(path);
    let ours = |known: &Diversion| known.from == path && known.to == beside && known.package.is_none();
    if !diversions(stage)?.iter().any(ours) {
        return Ok(());
    }
    undivert(stage, path, &beside)?;
    rename(stage, &format!("{beside}{UNPACKED}"), &format!("{path}{UNPACKED}"))?;
    if differ(stage, path, &beside)? {
        rename(stage, &beside, &format!("{path}.dpkg-dist"))
    } else {
        stage.remove(&beside)
    }
}

/// There are two texts, and they differ.
///
/// # Errors
/// When the image cannot be read.
pub fn differ(stage: &Stage<'_>, path: &str, beside: &str) -> Result<bool, Error> {
    let (Some(one), Some(other)) = (stage.read_text(path)?, stage.read_text(beside)?) else {
        return Ok(false);
    };
    Ok(one.trim_end() != other.trim_end())
}

fn rename(stage: &mut Stage<'_>, from: &str, to: &str) -> Result<(), Error> {
    copy(stage, from, to)?;
    stage.remove(from)
}

/// Copies a file, if there is one, with mode and owner.
fn copy(stage: &mut Stage<'_>, from: &str, to: &str) -> Result<(), Error> {
    if let (Some(found), Some(bytes)) = (stage.stat(from)?, stage.read(from)?) {
        stage.write(to, bytes, Set::all(found.mode & 0o7777, found.uid, found.gid))?;
    }
    Ok(())
}

/// Where `dpkg-divert` puts what it diverts unless told otherwise.
#[must_use]
pub fn distrib(path: &str) -> String {
    format!("{path}.distrib")
}

/// True when a package that is there has `path` as a conffile.
///
/// # Errors
/// When the image or its database cannot be read.
pub fn is_conffile(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    let Some(database) = Database::read(stage)? else { return Ok(false) };
    Ok(has_conffile(&database, path))
}

fn has_conffile(database: &Database, path: &str) -> bool {
    database.entries().iter().flat_map(|entry| &entry.conffiles).any(|conffile| conffile.path == path)
}

/// True when a package brings `path`, as a conffile or as any file: an upgrade may write it.
///
/// # Errors
/// When the image or its database cannot be read.
pub fn is_packaged(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    let Some(database) = Database::read(stage)? else { return Ok(false) };
    if has_conffile(&database, path) {
        return Ok(true);
    }
    let path = HashSet::from([path.to_owned()]);
    Ok(!owners(stage, &database, info_format(stage)?, &path)?.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn a_diversion_of_ours_comes_and_goes_beside_others() {
        let text = "/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n";
        let tree = MemoryTree::new().file("/var/lib/dpkg/diversions", text);
        let mut stage = Stage::new(&tree);
        divert(&mut stage, "/usr/bin/x", "/usr/bin/x.distrib").unwrap();
        divert(&mut stage, "/usr/bin/x", "/usr/bin/x.distrib").unwrap();
        let found = stage.read_text("/var/lib/dpkg/diversions").unwrap().unwrap();
        assert_eq!(found, format!("{text}/usr/bin/x\n/usr/bin/x.distrib\n:\n"));
        for (from, to) in [("/bin/sh", "/bin/sh.ours"), ("/x", "/bin/sh.distrib"), ("/bin/sh.distrib", "/x")]
        {
            let error = divert(&mut stage, from, to).unwrap_err().to_string();
            assert!(error.contains("/bin/sh is diverted to /bin/sh.distrib by dash"), "{error}");
        }
        undivert(&mut stage, "/bin/sh", "/bin/sh.distrib").unwrap();
        undivert(&mut stage, "/usr/bin/x", "/usr/bin/x.distrib").unwrap();
        assert_eq!(stage.read_text("/var/lib/dpkg/diversions").unwrap().unwrap(), text);
    }

    #[test]
    fn whose_a_file_is_says_the_database_or_a_list() {
        let stanza = |name: &str, more: &str| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n{more}\n")
        };
        let status = stanza("a", "Conffiles:\n /etc/a 0123\n") + &stanza("b", "");
        let tree = MemoryTree::new()
            .file("/var/lib/dpkg/status", status)
            .file("/var/lib/dpkg/info/b.list", "/.\n/usr\n/usr/b\n")
            .file("/usr/c", "");
        let stage = Stage::new(&tree);
        for (path, wanted) in [("/etc/a", true), ("/usr/b", true), ("/usr/c", false)] {
            assert_eq!(is_packaged(&stage, path).unwrap(), wanted, "{path}");
        }
        let without = MemoryTree::new().file("/etc/a", "");
        assert!(!is_packaged(&Stage::new(&without), "/etc/a").unwrap());
    }
}
