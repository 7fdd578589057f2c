//! Carrying out one line of the table.

use std::collections::BTreeSet;

use hardtack_guest::glob::glob;
use hardtack_guest::{Error, FileType, GuestPath, Set, Stage};

use super::STEP;
use super::homes::is_directory;
use super::way::{leads_out, meant, way};
use crate::Context;
use crate::model::generalize::Target;

/// What a link leads to is taken away only outside of these: programs, what package managers know,
/// and what is no disk.
const NOT_THROUGH_LINKS: [&str; 14] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/boot",
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/pacman",
    "/var/lib/apk",
];
/// A link to it says that nothing shall be kept, and holds nothing.
const NOWHERE: &str = "/dev/null";

/// Takes away what `target` is about.
pub(super) fn clear(cx: &mut Context<'_, '_>, target: Target, homes: &BTreeSet<String>) -> Result<(), Error> {
    let (Target::Tree(pattern)
    | Target::File(pattern)
    | Target::Inside(pattern)
    | Target::Below(pattern)
    | Target::Empty(pattern)
    | Target::EmptyBelow(pattern)) = target;
    if let Some(rest) = pattern.strip_prefix("~/") {
        return homes.iter().try_for_each(|home| at_home(cx, target, home, rest));
    }
    let enters = matches!(target, Target::Inside(_) | Target::Below(_) | Target::EmptyBelow(_));
    for path in glob(cx.stage, pattern)? {
        if let Some(path) = meant(cx, &path, enters)? {
            of_the_system(cx.stage, target, path.as_str())?;
        }
    }
    Ok(())
}

fn of_the_system(stage: &mut Stage<'_>, target: Target, path: &str) -> Result<(), Error> {
    match target {
        Target::Tree(_) => tree(stage, path)?,
        Target::File(_) => file(stage, path)?,
        Target::Inside(_) => {
            for name in names(stage, path)? {
                stage.remove(&format!("{path}/{name}"))?;
            }
        }
        Target::Below(_) => {
            for file in files_below(stage, path)? {
                stage.remove(&file)?;
            }
        }
        Target::Empty(_) => empty(stage, path)?,
        Target::EmptyBelow(_) => {
            for file in files_below(stage, path)? {
                if is_put_away(&file) { stage.remove(&file)? } else { empty(stage, &file)? }
            }
        }
    }
    Ok(())
}

/// Takes away what is at `rest` in `home`. Who has the home may have put any link there, so a link
/// goes itself, and what it leads to only where that is the same user's, in the same home.
fn at_home(cx: &mut Context<'_, '_>, target: Target, home: &str, rest: &str) -> Result<(), Error> {
    let root = GuestPath::new(home);
    let Some(owner) = cx.stage.lstat(home)?.map(|found| found.uid) else { return Ok(()) };
    let whole = matches!(target, Target::Tree(_));
    let goes = |kind: FileType| whole || kind != FileType::Directory;
    for path in glob(cx.stage, &format!("{}/{rest}", literal(home)))? {
        let Some(way) = way(cx.stage, &path, false)? else { continue };
        let place = way.to;
        if !is_below(&place, &root) {
            cx.info(STEP, leads_out(&path, &place));
            continue;
        }
        let Some(found) = cx.stage.lstat(place.as_str())? else { continue };
        if found.kind == FileType::Symlink {
            if cx.stage.read_link(place.as_str())?.as_deref() == Some(NOWHERE) {
                continue;
            }
            let led = match cx.stage.resolve(place.as_str()) {
                Err(Error::LinkLoop { .. }) => None,
                led => Some(led?),
            };
            if let Some(led) = led.filter(|led| is_below(led, &root))
                && let Some(found) = cx.stage.lstat(led.as_str())?
                && found.uid == owner
                && goes(found.kind)
            {
                cx.stage.remove(led.as_str())?;
            }
        }
        if goes(found.kind) {
            cx.stage.remove(place.as_str())?;
        }
    }
    Ok(())
}

fn is_below(path: &GuestPath, directory: &GuestPath) -> bool {
    path != directory && path.starts_with(directory)
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
/// somebody wanted the data to be there. Whoever made the link has the file, too: in places where
/// everybody may put links nobody can have another's file removed.
fn through(stage: &Stage<'_>, path: &str) -> Result<Option<String>, Error> {
    let Some(link) = stage.lstat(path)?.filter(|found| found.kind == FileType::Symlink) else {
        return Ok(None);
    };
    let target = match stage.resolve(path) {
        Ok(target) => target,
        Err(Error::LinkLoop { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let below = |path: &GuestPath, top: &str| path.starts_with(&GuestPath::new(top));
    let kept = NOT_THROUGH_LINKS.iter().any(|no| below(&target, no))
        // Configuration is named itself where it goes.
        || below(&target, "/etc") && !below(&GuestPath::new(path), "/etc");
    let regular = !kept
        && stage
            .lstat(target.as_str())?
            .is_some_and(|found| found.kind == FileType::Regular && found.uid == link.uid);
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
