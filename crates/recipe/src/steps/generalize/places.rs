//! Carrying out one line of the table.

use std::collections::BTreeSet;

use hardtack_guest::glob::glob;
use hardtack_guest::{Error, FileType, GuestPath, Set, Stage};

use super::homes::is_directory;
use crate::model::generalize::Target;

/// What a link leads to is taken away only outside of these: programs, and what is no disk.
const NOT_THROUGH_LINKS: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/dev", "/proc", "/sys", "/run"];

/// Takes away what `target` is about.
pub(super) fn clear(stage: &mut Stage<'_>, target: Target, homes: &BTreeSet<String>) -> Result<(), Error> {
    match target {
        Target::Tree(pattern) => each(stage, pattern, homes, |stage, path| tree(stage, path)),
        Target::File(pattern) => each(stage, pattern, homes, |stage, path| file(stage, path)),
        Target::Inside(pattern) => each(stage, pattern, homes, |stage, path| {
            for name in names(stage, path)? {
                stage.remove(&format!("{path}/{name}"))?;
            }
            Ok(())
        }),
        Target::Below(pattern) => each(stage, pattern, homes, |stage, path| {
            for file in files_below(stage, path)? {
                stage.remove(&file)?;
            }
            Ok(())
        }),
        Target::Empty(pattern) => each(stage, pattern, homes, |stage, path| empty(stage, path)),
        Target::EmptyBelow(pattern) => each(stage, pattern, homes, |stage, path| {
            for file in files_below(stage, path)? {
                if is_put_away(&file) { stage.remove(&file)? } else { empty(stage, &file)? }
            }
            Ok(())
        }),
    }
}

fn each(
    stage: &mut Stage<'_>,
    pattern: &str,
    homes: &BTreeSet<String>,
    mut act: impl FnMut(&mut Stage<'_>, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let patterns: Vec<String> = match pattern.strip_prefix("~/") {
        Some(rest) => homes.iter().map(|home| format!("{}/{rest}", literal(home))).collect(),
        None => vec![pattern.to_owned()],
    };
    for pattern in patterns {
        for path in glob(stage, &pattern)? {
            act(stage, &path)?;
        }
    }
    Ok(())
}

/// A path as a pattern that matches nothing else.
fn literal(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for character in path.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | ',' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn tree(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    match through(stage, path)? {
        Some(target) => stage.remove(&target),
        None if is_link(stage, path)? => Ok(()),
        None => stage.remove(path),
    }
}

fn file(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    let Some(found) = stage.lstat(path)? else { return Ok(()) };
    match found.kind {
        FileType::Directory => Ok(()),
        _ => tree(stage, path),
    }
}

/// A file without content stays as it is, with owner, mode and label; links are not followed.
fn empty(stage: &mut Stage<'_>, path: &str) -> Result<(), Error> {
    match stage.lstat(path)? {
        Some(found) if found.kind == FileType::Regular && found.size > 0 => {
            stage.write(path, Vec::new(), Set::default())
        }
        _ => Ok(()),
    }
}

fn is_link(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    Ok(stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Symlink))
}

/// The regular file that the link `path` leads to, where that may be taken away. The link stays:
/// somebody wanted the data to be there.
fn through(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    if !is_link(stage, path)? {
        return Ok(None);
    }
    let target = match stage.resolve(path) {
        Ok(target) => target,
        Err(Error::LinkLoop { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept = NOT_THROUGH_LINKS.iter().any(|no| target.starts_with(&GuestPath::new(no)));
    let regular =
        !kept && matches!(stage.lstat(target.as_str())?, Some(found) if found.kind == FileType::Regular);
    Ok(regular.then(|| target.as_str().to_owned()))
}

fn names(stage: &Stage<'_>, path: &str) -> Result<Vec<String>, Error> {
    if !is_directory(stage, path)? {
        return Ok(Vec::new());
    }
    Ok(stage.list(path)?.into_iter().map(|entry| entry.name).collect())
}

/// The regular files below `path`; links on the way down are not followed.
pub(super) fn files_below(stage: &Stage<'_>, path: &str) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    if !is_directory(stage, path)? {
        return Ok(files);
    }
    let mut pending = vec![path.trim_end_matches('/').to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in stage.list(&directory)? {
            let path = format!("{directory}/{}", entry.name);
            match entry.kind {
                FileType::Directory => pending.push(path),
                FileType::Regular => files.push(path),
                FileType::Symlink | FileType::Special => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// `x.1`, `x.2.gz`, `x-20260131`, `x.old`: what logrotate(8) and its like put away.
fn is_put_away(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let packed = [".gz", ".xz", ".bz2", ".zst", ".old"].iter().find_map(|end| name.strip_suffix(end));
    let digits =
        |end: &str, least: usize| end.len() >= least && end.bytes().all(|byte| byte.is_ascii_digit());
    packed.is_some()
        || name.rsplit_once('.').is_some_and(|(head, end)| !head.is_empty() && digits(end, 1))
        || name.rsplit_once('-').is_some_and(|(head, end)| !head.is_empty() && digits(end, 8))
}
