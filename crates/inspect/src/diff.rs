//! Two trees compared: names, types, modes, owners, attributes, content.
//!
//! One directory of each is in memory at a time, and one piece of a file; what differs is given away as it is found.

use hardtack_guest::{DirEntry, Error, FileType, GuestPath, Identity, Metadata, Tree};
use serde::Serialize;
use sha2::{Digest, Sha256};
use similar::TextDiff;

use crate::model::{Disk, Inspection};

/// Bytes that are compared at once.
const PIECE: usize = 1 << 20;
/// Directories below each other.
const DEEPEST: usize = 256;
/// Text is compared line by line up to this many bytes and lines of each file.
const TEXT_LIMIT: u64 = 256 << 10;
const LINE_LIMIT: usize = 4000;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Times of change count.
    pub times: bool,
    /// Text is compared line by line.
    pub text: bool,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it.
    Changed,
    /// It cannot be read.
    Unreadable,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// What differs, each as "mode 0644 -> 0600"; of one that is new or gone what it is.
    pub what: Vec<String>,
    /// Digests of the content, SHA-256, before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<(String, String)>,
    /// The text, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Compares what two trees have at `top`; returns how many differences there were.
///
/// # Errors
/// Those of `take`; what cannot be read is a difference.
pub fn trees<E: From<Error>>(
    (a, b): (&dyn Tree, &dyn Tree),
    top: &GuestPath,
    options: Options,
    take: &mut dyn FnMut(Difference) -> Result<(), E>,
) -> Result<usize, E> {
    let mut count = 0;
    let mut pending = vec![top.clone()];
    while let Some(path) = pending.pop() {
        if path.components().count() > DEEPEST {
            return Err(
                Error::Refused(format!("{path}: directories are deeper than {DEEPEST} levels")).into()
            );
        }
        let found = match one((a, b), &path, options) {
            Ok(found) => found,
            Err(error) => Some(unreadable(&path, &error)),
        };
        if let Some(found) = found {
            count += 1;
            take(found)?;
        }
        match below((a, b), &path) {
            Ok(names) => pending.extend(names.into_iter().rev().map(|name| path.join(&name))),
            Err(error) => {
                count += 1;
                take(unreadable(&path, &error))?;
            }
        }
    }
    Ok(count)
}

fn unreadable(path: &GuestPath, error: &Error) -> Difference {
    Difference {
        path: path.as_str().to_owned(),
        change: Change::Unreadable,
        what: vec![error.to_string()],
        sha256: None,
        text: None,
    }
}

/// The names below `path` in both, each once; those of a directory that only one has too.
fn below((a, b): (&dyn Tree, &dyn Tree), path: &GuestPath) -> Result<Vec<String>, Error> {
    let names = |tree: &dyn Tree| -> Result<Vec<DirEntry>, Error> {
        match tree.lstat(path) {
            Ok(Some(found)) if found.kind == FileType::Directory => tree.read_dir(path),
            // What is wrong with it was told.
            _ => Ok(Vec::new()),
        }
    };
    let mut all: Vec<String> = names(a)?.into_iter().chain(names(b)?).map(|entry| entry.name).collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn one(
    (a, b): (&dyn Tree, &dyn Tree),
    path: &GuestPath,
    options: Options,
) -> Result<Option<Difference>, Error> {
    let alone = |change, tree: &dyn Tree, found: &Metadata| -> Result<Option<Difference>, Error> {
        Ok(Some(Difference {
            path: path.as_str().to_owned(),
            change,
            what: vec![describe(tree, path, found)?],
            sha256: None,
            text: None,
        }))
    };
    let (old, new) = match (a.lstat(path)?, b.lstat(path)?) {
        (None, None) => return Ok(None),
        (Some(old), None) => return alone(Change::Removed, a, &old),
        (None, Some(new)) => return alone(Change::Added, b, &new),
        (Some(old), Some(new)) => (old, new),
    };
    let mut what = Vec::new();
    let (mut sha256, mut text) = (None, None);
    if old.kind != new.kind {
        what.push(format!("{} -> {}", describe(a, path, &old)?, describe(b, path, &new)?));
    } else {
        match old.kind {
            FileType::Regular => {
                if old.size != new.size {
                    what.push(format!("size {} -> {}", old.size, new.size));
                }
                if old.size != new.size || !same_content((a, b), path)? {
                    what.push("content".to_owned());
                    sha256 = Some((digest(a, path)?, digest(b, path)?));
                    // What not everybody may read in both is nothing for a terminal, or a log.
                    if options.text && old.mode & new.mode & 0o004 != 0 {
                        text = lines((a, b), path, old.size.max(new.size))?;
                    }
                }
            }
            FileType::Symlink => {
                let (was, is) = (a.read_link(path)?, b.read_link(path)?);
                if was != is {
                    what.push(format!("target {was} -> {is}"));
                }
            }
            FileType::Special => {
                let special = |tree: &dyn Tree| -> Result<_, Error> {
                    Ok(tree.identity(path)?.and_then(|identity: Identity| identity.special))
                };
                if special(a)? != special(b)? {
                    what.push("device numbers or kind".to_owned());
                }
            }
            FileType::Directory => {}
        }
        if old.mode != new.mode {
            what.push(format!("mode {:04o} -> {:04o}", old.mode, new.mode));
        }
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        what.push(format!("owner {}:{} -> {}:{}", old.uid, old.gid, new.uid, new.gid));
    }
    if options.times && old.mtime != new.mtime {
        what.push(format!("time {} -> {}", old.mtime, new.mtime));
    }
    let (was, is) = (a.xattrs(path)?, b.xattrs(path)?);
    for (name, value) in &was {
        match is.iter().find(|(other, _)| other == name) {
            None => what.push(format!("attribute {name} removed")),
            Some((_, other)) if other != value => what.push(format!("attribute {name}")),
            Some(_) => {}
        }
    }
    for (name, _) in is.iter().filter(|(name, _)| !was.iter().any(|(other, _)| other == name)) {
        what.push(format!("attribute {name} added"));
    }
    if what.is_empty() {
        return Ok(None);
    }
    Ok(Some(Difference { path: path.as_str().to_owned(), change: Change::Changed, what, sha256, text }))
}

fn describe(tree: &dyn Tree, path: &GuestPath, found: &Metadata) -> Result<String, Error> {
    Ok(match found.kind {
        FileType::Regular => {
            format!("file, {} bytes, {:04o} {}:{}", found.size, found.mode, found.uid, found.gid)
        }
        FileType::Directory => format!("directory, {:04o} {}:{}", found.mode, found.uid, found.gid),
        FileType::Symlink => format!("link to {}", tree.read_link(path)?),
        FileType::Special => "special file".to_owned(),
    })
}

/// As many bytes as there are, up to the piece's end.
fn fill(tree: &dyn Tree, path: &GuestPath, offset: u64, piece: &mut [u8]) -> Result<usize, Error> {
    let mut done = 0;
    while done < piece.len() {
        let count = tree.read_at(path, offset + done as u64, &mut piece[done..])?;
        if count == 0 {
            break;
        }
        done += count;
    }
    Ok(done)
}

fn same_content((a, b): (&dyn Tree, &dyn Tree), path: &GuestPath) -> Result<bool, Error> {
    let (mut one, mut other) = (vec![0; PIECE], vec![0; PIECE]);
    let mut offset = 0;
    loop {
        let (left, right) = (fill(a, path, offset, &mut one)?, fill(b, path, offset, &mut other)?);
        if one[..left] != other[..right] {
            return Ok(false);
        }
        if left < PIECE {
            return Ok(true);
        }
        offset += left as u64;
    }
}

fn digest(tree: &dyn Tree, path: &GuestPath) -> Result<String, Error> {
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let count = fill(tree, path, offset, &mut piece)?;
        digest.update(&piece[..count]);
        if count < PIECE {
            return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        offset += count as u64;
    }
}

fn lines((a, b): (&dyn Tree, &dyn Tree), path: &GuestPath, size: u64) -> Result<Option<String>, Error> {
    if size > TEXT_LIMIT {
        return Ok(None);
    }
    let text = |tree: &dyn Tree| -> Result<Option<String>, Error> {
        let text = String::from_utf8(tree.read_file(path, TEXT_LIMIT)?).ok();
        Ok(text
            .filter(|text| !text.contains('\0') && text.lines().take(LINE_LIMIT + 1).count() <= LINE_LIMIT))
    };
    let (Some(old), Some(new)) = (text(a)?, text(b)?) else { return Ok(None) };
    let diff = TextDiff::from_lines(&old, &new);
    Ok(Some(
        diff.unified_diff().context_radius(3).header(&format!("a{path}"), &format!("b{path}")).to_string(),
    ))
}

/// What differs of two images besides their files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Table and partitions.
    pub disk: Vec<String>,
    /// What is started.
    pub boot: Vec<String>,
    /// Packages: "bash 5.1 -> 5.2".
    pub packages: Vec<String>,
}

impl Settings {
    /// Nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disk.is_empty() && self.boot.is_empty() && self.packages.is_empty()
    }
}

/// Compares two images by what was found in them, packages by their lists.
#[must_use]
pub fn settings(a: &Inspection, b: &Inspection) -> Settings {
    let mut settings = Settings { disk: disks(&a.disk, &b.disk), ..Settings::default() };
    let boot = |one: &Inspection| -> Vec<(&'static str, String)> {
        let Some(boot) = one.system.as_ref().map(|system| &system.boot) else { return Vec::new() };
        let entry = boot.entry.as_ref();
        let kernels: Vec<&str> = boot.kernels.iter().map(|kernel| kernel.version.as_str()).collect();
        vec![
            ("firmware", boot.mode.to_owned()),
            ("kernel", entry.map(|entry| entry.kernel.clone()).unwrap_or_default()),
            ("initramfs", entry.map(|entry| entry.initrds.join(" ")).unwrap_or_default()),
            ("command line", entry.map(|entry| entry.command_line.clone()).unwrap_or_default()),
            ("kernels", kernels.join(" ")),
        ]
    };
    compare(&boot(a), &boot(b), &mut settings.boot);
    let packages = |one: &Inspection| -> Vec<(String, String)> {
        let list = one.system.as_ref().map(|system| system.packages.list.as_slice()).unwrap_or_default();
        // Several of one name are several versions of one thing (kernels of rpm).
        let mut all: Vec<(String, String)> = Vec::new();
        let mut sorted: Vec<_> = list
            .iter()
            .map(|package| (format!("{} ({})", package.name, package.architecture), &package.version))
            .collect();
        sorted.sort();
        for (name, version) in sorted {
            match all.last_mut() {
                Some((last, versions)) if *last == name => *versions = format!("{versions}, {version}"),
                _ => all.push((name, version.clone())),
            }
        }
        all
    };
    compare(&packages(a), &packages(b), &mut settings.packages);
    settings
}

fn disks(a: &Disk, b: &Disk) -> Vec<String> {
    let facts = |disk: &Disk| -> Vec<(String, String)> {
        let mut facts =
            vec![("table".to_owned(), disk.table.to_owned()), ("size".to_owned(), disk.size.to_string())];
        for one in &disk.partitions {
            let text = format!(
                "{} bytes at {}, type {}, name {:?}, {}, label {}, UUID {}, PARTUUID {}{}",
                one.size,
                one.start,
                one.partition_type,
                one.name,
                one.content,
                one.label.as_deref().unwrap_or("none"),
                one.uuid.as_deref().unwrap_or("none"),
                one.partition_uuid.as_deref().unwrap_or("none"),
                if one.bootable { ", bootable" } else { "" },
            );
            facts.push((format!("partition {}", one.number), text));
        }
        facts
    };
    let mut found = Vec::new();
    compare(&facts(a), &facts(b), &mut found);
    found
}

fn compare<N: AsRef<str> + Ord>(a: &[(N, String)], b: &[(N, String)], found: &mut Vec<String>) {
    use std::collections::BTreeMap;
    let map = |list: &[(N, String)]| -> BTreeMap<String, String> {
        list.iter().map(|(name, value)| (name.as_ref().to_owned(), value.clone())).collect()
    };
    let (a, b) = (map(a), map(b));
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        match (a.get(name), b.get(name)) {
            (Some(old), Some(new)) if old != new => found.push(format!("{name}: {old} -> {new}")),
            (Some(old), None) => found.push(format!("{name}: {old} removed")),
            (None, Some(new)) => found.push(format!("{name}: {new} added")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::MemoryTree;

    use super::*;

    fn differences(a: &MemoryTree, b: &MemoryTree) -> Vec<(String, Change, Vec<String>, Option<String>)> {
        let mut all = Vec::new();
        let options = Options { times: false, text: true };
        let count =
            trees((a, b), &GuestPath::root(), options, &mut |found: Difference| -> Result<(), Error> {
                all.push((found.path, found.change, found.what, found.text));
                Ok(())
            })
            .unwrap();
        assert_eq!(count, all.len());
        all
    }

    #[test]
    fn what_differs_is_named() {
        let base = MemoryTree::new().file("/same", "x").dir("/d");
        let a = base
            .clone()
            .file("/etc/hosts", "one\ntwo\n")
            .link("/l", "x")
            .file("/gone/deep/x", "")
            .file_as("/shadow", "old", 0o640, 0, 42);
        let b = base
            .file_as("/etc/hosts", "one\nthree\n", 0o644, 1, 2)
            .link("/l", "y")
            .file("/new", "12")
            .file_as("/shadow", "new", 0o600, 0, 42)
            .file("/d/e", "");
        let found = differences(&a, &b);
        let named: Vec<_> =
            found.iter().map(|(path, change, what, _)| (path.as_str(), *change, what.join("; "))).collect();
        assert_eq!(
            named,
            [
                ("/d/e", Change::Added, "file, 0 bytes, 0644 0:0".to_owned()),
                ("/etc/hosts", Change::Changed, "size 8 -> 10; content; owner 0:0 -> 1:2".to_owned()),
                ("/gone", Change::Removed, "directory, 0755 0:0".to_owned()),
                ("/gone/deep", Change::Removed, "directory, 0755 0:0".to_owned()),
                ("/gone/deep/x", Change::Removed, "file, 0 bytes, 0644 0:0".to_owned()),
                ("/l", Change::Changed, "target x -> y".to_owned()),
                ("/new", Change::Added, "file, 2 bytes, 0644 0:0".to_owned()),
                ("/shadow", Change::Changed, "content; mode 0640 -> 0600".to_owned()),
            ]
        );
        let text = found[1].3.as_deref().unwrap();
        assert!(text.contains("-two\n") && text.contains("+three\n"), "{text}");
        assert_eq!(found[7].3, None, "what not everybody may read is not shown");
        assert!(differences(&a, &a).is_empty());
    }
}
