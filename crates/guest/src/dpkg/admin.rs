//! What stands beside the status database in `/var/lib/dpkg`: architectures, overridden
//! owners and modes, who owns which file; and the filters of `/etc/dpkg/dpkg.cfg`.
//!
//! Formats: `dpkg-divert(1)`, `dpkg-statoverride(1)`, `dpkg(1)` (`--path-exclude`), and dpkg's
//! `lib/dpkg/db-fsys-*.c`.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::package::{MultiArch, Package};
use super::status::Database;
use crate::{Error, Stage};

/// The directory with a list, scripts and more of every package.
pub const INFO: &str = "/var/lib/dpkg/info";

/// `info/NAME.KIND` of a package.
#[must_use]
pub fn info_file(package: &Package, format: u32, kind: &str) -> String {
    format!("{INFO}/{}.{kind}", info_name(package, format))
}

fn info_name(package: &Package, format: u32) -> String {
    // Before format 1 (dpkg 1.16) no package had its architecture in the name.
    if format == 0 { package.name.clone() } else { package.full_name() }
}

/// The layout of `info/`: 0 without, 1 with architectures in names.
pub fn info_format(stage: &Stage<'_>) -> Result<u32, Error> {
    let Some(text) = stage.read_text(&format!("{INFO}/format"))? else { return Ok(0) };
    match text.trim() {
        "0" => Ok(0),
        "1" => Ok(1),
        other => Err(Error::Refused(format!("{INFO}/format: has {other:?}; 0 and 1 are what is known"))),
    }
}

/// The names of the files in `info/` that belong to a package, as (kind, path), sorted.
pub fn info_files(stage: &Stage<'_>, package: &Package, format: u32) -> Result<Vec<(String, String)>, Error> {
    let start = format!("{}.", info_name(package, format));
    let mut found = Vec::new();
    for entry in stage.list(INFO)? {
        // "libfoo.list" does not belong to the package "libfoo" when "libfoo.list.x" exists; kinds
        // have no dots.
        if let Some(kind) = entry.name.strip_prefix(&start).filter(|kind| !kind.contains('.')) {
            found.push((kind.to_owned(), format!("{INFO}/{}", entry.name)));
        }
    }
    Ok(found)
}

/// The architectures that the image takes: its own, and foreign ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architectures {
    /// The one that dpkg itself was built for.
    pub native: String,
    /// Added with `dpkg --add-architecture`.
    pub foreign: Vec<String>,
}

impl Architectures {
    /// Reads them: the native one is that of the package dpkg.
    pub fn read(stage: &Stage<'_>, database: &Database) -> Result<Self, Error> {
        let listed = stage.read_text("/var/lib/dpkg/arch")?.unwrap_or_default();
        let listed: Vec<String> = listed.split_ascii_whitespace().map(str::to_owned).collect();
        let native = database
            .by_name("dpkg")
            .and_then(|entry| entry.package.as_ref())
            .map(|package| package.architecture.clone())
            .or_else(|| listed.first().cloned())
            .ok_or_else(|| {
                Error::Refused(
                    "/var/lib/dpkg/status: has no package dpkg, so the architecture is unknown".to_owned(),
                )
            })?;
        let foreign = listed.into_iter().filter(|name| *name != native).collect();
        Ok(Self { native, foreign })
    }

    /// True when packages of this architecture can be installed.
    #[must_use]
    pub fn takes(&self, architecture: &str) -> bool {
        architecture == "all"
            || architecture == self.native
            || self.foreign.iter().any(|known| known == architecture)
    }
}

/// Owner and mode that an administrator has set for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// User and group.
    pub owner: (u32, u32),
    /// Permission bits.
    pub mode: u32,
}

/// Names of users and groups of the image, with their numbers.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    users: HashMap<String, u32>,
    groups: HashMap<String, u32>,
}

impl Ids {
    /// Reads `/etc/passwd` and `/etc/group`.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let table = |path: &str| -> Result<HashMap<String, u32>, Error> {
            let content = stage.read(path)?.unwrap_or_default();
            let mut table = HashMap::new();
            for line in String::from_utf8_lossy(&content).lines() {
                let mut fields = line.split(':');
                if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
                    table.entry(name.to_owned()).or_insert(number);
                }
            }
            Ok(table)
        };
        Ok(Self { users: table("/etc/passwd")?, groups: table("/etc/group")? })
    }

    /// The owner of an entry of a package: by name where the image knows it, else by number.
    #[must_use]
    pub fn owner(&self, names: &(String, String), numbers: (u32, u32)) -> (u32, u32) {
        let find =
            |table: &HashMap<String, u32>, name: &str, number| table.get(name).copied().unwrap_or(number);
        (find(&self.users, &names.0, numbers.0), find(&self.groups, &names.1, numbers.1))
    }
}

/// `/var/lib/dpkg/statoverride` by path.
pub fn overrides(stage: &Stage<'_>, ids: &Ids) -> Result<BTreeMap<String, Override>, Error> {
    let path = "/var/lib/dpkg/statoverride";
    let text = stage.read_text(path)?.unwrap_or_default();
    let mut found = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = |what: &str| Error::Refused(format!("{path}:{}: {what}", index + 1));
        let mut words = line.splitn(4, ' ');
        let (Some(user), Some(group), Some(mode), Some(target)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong("is not \"user group mode path\""));
        };
        let number = |table: &HashMap<String, u32>, word: &str| match word.strip_prefix('#') {
            Some(number) => number.parse().ok(),
            None => table.get(word).copied(),
        };
        let uid =
            number(&ids.users, user).ok_or_else(|| wrong("names a user that the image does not have"))?;
        let gid =
            number(&ids.groups, group).ok_or_else(|| wrong("names a group that the image does not have"))?;
        let mode = u32::from_str_radix(mode, 8).map_err(|_| wrong("has a mode that is not octal"))? & 0o7777;
        found.insert(target.to_owned(), Override { owner: (uid, gid), mode });
    }
    Ok(found)
}

/// `path-exclude` and `path-include` of dpkg's configuration: the last match wins.
#[derive(Clone, Debug, Default)]
pub struct Filters(Vec<(bool, String)>);

impl Filters {
    /// Reads `/etc/dpkg/dpkg.cfg.d/*` and then `/etc/dpkg/dpkg.cfg`, in dpkg's order.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut filters = Vec::new();
        let folder = "/etc/dpkg/dpkg.cfg.d";
        let mut files: Vec<String> = stage
            .list(folder)?
            .into_iter()
            .filter(|entry| {
                entry.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            })
            .map(|entry| format!("{folder}/{}", entry.name))
            .collect();
        files.push("/etc/dpkg/dpkg.cfg".to_owned());
        for file in files {
            let content = stage.read(&file)?.unwrap_or_default();
            for line in String::from_utf8_lossy(&content).lines() {
                let line = line.trim();
                let (option, value) = line.split_once(['=', ' ', '\t']).unwrap_or((line, ""));
                let value = value.trim().trim_matches('"');
                match option.trim_start_matches('-') {
                    "path-exclude" => filters.push((false, value.to_owned())),
                    "path-include" => filters.push((true, value.to_owned())),
                    _ => {}
                }
            }
        }
        Ok(Self(filters))
    }

    /// True when dpkg would not unpack this path; `kept_for_below` for directories and links, which
    /// stay when an include could bring back something below them.
    #[must_use]
    pub fn skips(&self, path: &str, kept_for_below: bool) -> bool {
        let last = self.0.iter().rev().find(|(_, pattern)| glob(pattern.as_bytes(), path.as_bytes()));
        if last.is_none_or(|(include, _)| *include) {
            return false;
        }
        if !kept_for_below {
            return true;
        }
        !self.0.iter().filter(|(include, _)| *include).any(|(_, pattern)| {
            let fixed = pattern.find(['*', '?', '[', '\\']).map_or(pattern.as_str(), |end| &pattern[..end]);
            path.starts_with(fixed.trim_end_matches('/'))
        })
    }
}

/// `fnmatch(3)` without flags: `*` and `?` match slashes too.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Going back to the last star is enough, and keeps the time bounded.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            None if t == text.len() => return true,
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(_) if t < text.len() => one(&pattern[p..], text[t]),
            _ => None,
        };
        match (step, star) {
            (Some(width), _) => (p, t) = (p + width, t + 1),
            (None, Some((after, from))) if from < text.len() => {
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// How many bytes of the pattern match this one byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => {
            let (negated, skip) =
                if matches!(rest.first(), Some(b'!' | b'^')) { (true, 1) } else { (false, 0) };
            let inner = &rest[skip..];
            // A bracket right at the start is a member.
            let Some(end) = inner.iter().skip(1).position(|byte| *byte == b']').map(|end| end + 1) else {
                return (byte == b'[').then_some(1);
            };
            let mut members = &inner[..end];
            let mut found = false;
            while let Some(first) = members.first() {
                if let [low, b'-', high, tail @ ..] = members {
                    found |= (*low..=*high).contains(&byte);
                    members = tail;
                } else {
                    found |= *first == byte;
                    members = &members[1..];
                }
            }
            (found != negated).then_some(1 + skip + end + 1)
        }
        [first, ..] => (*first == byte).then_some(1),
        [] => None,
    }
}

/// Which packages have these paths in their lists, by path. The numbers are indices into
/// [`Database::entries`].
pub fn owners(
    stage: &Stage<'_>,
    database: &Database,
    format: u32,
    paths: &HashSet<String>,
) -> Result<HashMap<String, Vec<usize>>, Error> {
    let mut owners: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, entry) in database.entries().iter().enumerate() {
        let Some(package) = &entry.package else { continue };
        let Some(list) = stage.read(&info_file(package, format, "list"))? else { continue };
        for line in list.split(|byte| *byte == b'\n') {
            if let Some(path) = std::str::from_utf8(line).ok().and_then(|line| paths.get(line)) {
                owners.entry(path.clone()).or_default().push(index);
            }
        }
    }
    Ok(owners)
}

/// True when two instances of one package share files: `Multi-Arch: same`.
#[must_use]
pub fn shares_files(a: &Package, b: &Package) -> bool {
    a.name == b.name && a.multi_arch == MultiArch::Same && b.multi_arch == MultiArch::Same
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::diversions::{Diversion, diversions};
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn globs_as_fnmatch() {
        for (pattern, text, wanted) in [
            ("/usr/share/doc/*", "/usr/share/doc/a/b", true),
            ("/usr/share/doc/*", "/usr/share/doc", false),
            ("/a?c", "/a/c", true),
            ("/[a-c]x", "/bx", true),
            ("/[!a-c]x", "/bx", false),
            ("/[]]x", "/]x", true),
            ("*copyright", "/usr/share/doc/x/copyright", true),
            ("/a*b*c", "/aXbYbZc", true),
            ("/a\\*", "/a*", true),
            ("/a\\*", "/ab", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn filters_as_on_minimal_images() {
        let tree = MemoryTree::new()
            .file(
                "/etc/dpkg/dpkg.cfg.d/excludes",
                "# x\npath-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n",
            )
            .file("/etc/dpkg/dpkg.cfg.d/off.bak", "path-exclude=/*\n")
            .file("/etc/dpkg/dpkg.cfg", "no-debsig\nlog /var/log/dpkg.log\n");
        let filters = Filters::read(&Stage::new(&tree)).unwrap();
        assert!(filters.skips("/usr/share/doc/x/changelog.gz", false));
        assert!(!filters.skips("/usr/share/doc/x/copyright", false));
        assert!(!filters.skips("/usr/share/doc/x", true));
        assert!(!filters.skips("/usr/bin/x", false));
    }

    #[test]
    fn reads_diversions_and_overrides() {
        let tree = MemoryTree::new()
            .file("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n")
            .file("/var/lib/dpkg/statoverride", "root mail 2755 /usr/bin/x\n#7 #8 600 /with a blank\n")
            .file("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
            .file("/etc/group", "root:x:0:\nmail:x:8:\n");
        let stage = Stage::new(&tree);
        let found = diversions(&stage).unwrap();
        assert_eq!(found[0].package.as_deref(), Some("dash"));
        assert_eq!(found[1], Diversion { from: "/a".to_owned(), to: "/b".to_owned(), package: None });
        let overrides = overrides(&stage, &Ids::read(&stage).unwrap()).unwrap();
        assert_eq!(overrides["/usr/bin/x"], Override { owner: (0, 8), mode: 0o2755 });
        assert_eq!(overrides["/with a blank"].owner, (7, 8));
    }
}
