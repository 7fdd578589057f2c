//! What a run left: the lower tree, with the upper one of an overlay over it.

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Difference;
use super::normal::Seed;

/// Caches, logs, the data bases of packages, and what each program keeps for itself alone.
const LEFT_OUT: &[&str] = &[
    "/dev",
    "/etc/cloud/cloud.cfg.d/99_seed.cfg",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/usr/lib/hardtack",
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/lib/hardtack",
    "/var/log",
    "/var/tmp",
];
/// Backups of the data bases of accounts hold the state before the last of several steps, whichever that was;
/// the others are a program's own.
const NAMES_LEFT_OUT: &[&str] = &[
    "passwd-",
    "shadow-",
    "group-",
    "gshadow-",
    "subuid-",
    "subgid-",
    "__pycache__",
    "obj.pkl",
    "datasource.json",
    "python-version",
];

/// A tree after a run.
pub(crate) struct Copy {
    lower: PathBuf,
    upper: PathBuf,
}

impl Copy {
    pub(crate) fn new(lower: &Path, upper: &Path) -> Self {
        Self { lower: lower.to_owned(), upper: upper.to_owned() }
    }

    /// Everything that the run touched.
    fn touched(&self, below: &str, found: &mut BTreeSet<String>) {
        let Ok(entries) = std::fs::read_dir(format!("{}{below}", self.upper.display())) else { return };
        for entry in entries {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{below}/{name}");
            if LEFT_OUT.contains(&path.as_str()) || NAMES_LEFT_OUT.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                self.touched(&path, found);
            }
            found.insert(path);
        }
    }

    /// Where `path` is now, if it is.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let mut upper = self.upper.clone();
        let mut covered = false;
        let names: Vec<&str> = path.split('/').skip(1).collect();
        for (at, name) in names.iter().enumerate() {
            upper.push(name);
            let Ok(metadata) = upper.symlink_metadata() else {
                let lower = self.lower.join(names.join("/"));
                return (!covered && lower.symlink_metadata().is_ok()).then_some(lower);
            };
            // A name that was removed is a character device 0, 0.
            if metadata.file_type().is_char_device() && metadata.rdev() == 0 {
                return None;
            }
            if at + 1 < names.len() {
                if !metadata.is_dir() {
                    return None;
                }
                covered |= opaque(&upper);
            }
        }
        Some(upper)
    }
}

/// Whether a directory stands in place of the one below it.
fn opaque(directory: &Path) -> bool {
    let mut value = [0; 1];
    matches!(rustix::fs::lgetxattr(directory, "trusted.overlay.opaque", &mut value), Ok(1)) && value == *b"y"
}

/// What differs.
pub(crate) fn compare(name: &str, theirs: &Copy, ours: &Copy, seed: &Seed) -> Vec<Difference> {
    let mut paths = BTreeSet::new();
    theirs.touched("", &mut paths);
    ours.touched("", &mut paths);
    let mut differences = Vec::new();
    for path in paths {
        let what = match (theirs.find(&path), ours.find(&path)) {
            (None, None) => Vec::new(),
            (Some(_), None) => vec!["only cloud-init".to_owned()],
            (None, Some(_)) => vec!["only agent".to_owned()],
            (Some(theirs), Some(ours)) if theirs == ours => Vec::new(),
            (Some(theirs), Some(ours)) => both(&path, &theirs, &ours, seed),
        };
        if !what.is_empty() {
            differences.push(Difference { seed: name.to_owned(), path, what });
        }
    }
    // What lies in a directory that only one has goes without saying.
    let alone: Vec<(String, Vec<String>)> = differences
        .iter()
        .filter(|difference| difference.what.len() == 1 && difference.what[0].starts_with("only "))
        .map(|difference| (format!("{}/", difference.path), difference.what.clone()))
        .collect();
    differences.retain(|difference| {
        !alone.iter().any(|(above, what)| difference.path.starts_with(above) && difference.what == *what)
    });
    differences
}

fn both(path: &str, theirs: &Path, ours: &Path, seed: &Seed) -> Vec<String> {
    let (a, b) = (theirs.symlink_metadata().unwrap(), ours.symlink_metadata().unwrap());
    let mut what = Vec::new();
    let mut differ = |name: &str, theirs: String, ours: String| {
        if theirs != ours {
            what.push(format!("{name} {theirs}, agent {ours}"));
        }
    };
    let kind = |metadata: &std::fs::Metadata| metadata.mode() & 0o170_000;
    differ("kind", format!("{:o}", kind(&a)), format!("{:o}", kind(&b)));
    differ("mode", format!("{:o}", a.mode() & 0o7777), format!("{:o}", b.mode() & 0o7777));
    differ("owner", format!("{}:{}", a.uid(), a.gid()), format!("{}:{}", b.uid(), b.gid()));
    if kind(&a) != kind(&b) {
        return what;
    }
    if a.is_symlink() {
        let target = |path: &Path| std::fs::read_link(path).unwrap().display().to_string();
        differ("link", target(theirs), target(ours));
    }
    if a.is_file() {
        let read = |file: &Path| seed.normal(path, &std::fs::read(file).unwrap());
        what.extend(lines(&read(theirs), &read(ours)));
    }
    what
}

/// Lines that only one text has, or `order` where both have the same in another order.
fn lines(theirs: &str, ours: &str) -> Vec<String> {
    let without = |of: &str, other: &str, mark: &str| -> Vec<String> {
        let mut other: Vec<&str> = other.lines().collect();
        let mut rest = Vec::new();
        for line in of.lines() {
            match other.iter().position(|candidate| *candidate == line) {
                Some(at) => drop(other.remove(at)),
                None => rest.push(format!("{mark} {line}")),
            }
        }
        rest
    };
    let mut found = without(theirs, ours, "-");
    found.extend(without(ours, theirs, "+"));
    if found.is_empty() && theirs != ours {
        found.push("order".to_owned());
    }
    found
}
