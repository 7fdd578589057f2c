//! Operations on the content of single files.

use hardtack_guest::{FileType, GuestPath, Set};
use regex::bytes::Regex;

use super::record::Records;
use super::{At, MOST_PATHS, SECRET_MODE, hide};
use crate::model::Content;
use crate::steps::files::replace;
use crate::{Context, StepError};

/// So much of a file tells how its lines end.
const GUESS: usize = 8192;

/// `append-line`: the file has this line. A last line without its end gets it.
pub(super) fn append(at: &At, path: &str, line: &Content, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    hide(line, cx);
    let exists = at.writable(path, cx)?;
    let content = if exists { cx.stage.read(path)?.unwrap_or_default() } else { Vec::new() };
    let wanted = line.text.as_bytes();
    let end = line_end(&content);
    let ended = content.is_empty() || content.ends_with(end) || content.ends_with(b"\n");
    let mut lines: Vec<&[u8]> = split(&content, end);
    if ended {
        // What follows the last line's end is no line.
        lines.pop();
    }
    if !lines.contains(&wanted) {
        let before: &[u8] = if ended { b"" } else { end };
        let added = [before, wanted, end].concat();
        if exists {
            cx.stage.append_bytes(path, added)?;
        } else {
            let mode = line.secret.then_some(SECRET_MODE);
            cx.stage.write(path, added, Set { mode, owner: None })?;
        }
    }
    if line.secret {
        cx.stage.hide_content(path)?;
        at.exposed(path, cx)?;
    }
    Ok(())
}

/// How the file's lines end: CR LF, LF or CR.
fn line_end(content: &[u8]) -> &'static [u8] {
    let start = &content[..content.len().min(GUESS)];
    if start.windows(2).any(|pair| pair == b"\r\n") {
        b"\r\n"
    } else if start.contains(&b'\n') || !start.contains(&b'\r') {
        b"\n"
    } else {
        b"\r"
    }
}

fn split<'c>(content: &'c [u8], end: &[u8]) -> Vec<&'c [u8]> {
    let last = end.last().copied().unwrap_or(b'\n');
    content
        .split(|byte| *byte == last)
        .map(|line| if last == b'\n' { line.strip_suffix(b"\r").unwrap_or(line) } else { line })
        .collect()
}

/// `write`: the file has this content.
pub(super) fn write(
    at: &At,
    path: &str,
    content: &Content,
    mode: Option<u32>,
    owner: Option<&str>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    hide(content, cx);
    let exists = at.writable(path, cx)?;
    let now = cx.stage.stat(path)?.map_or((0, 0), |found| (found.uid, found.gid));
    let owner = match owner {
        Some(owner) => Some(at.owner(owner, now, cx)?),
        None => None,
    };
    let mode = if mode.is_none() && content.secret && !exists { Some(SECRET_MODE) } else { mode };
    cx.stage.write(path, content.text.as_bytes(), Set { mode, owner })?;
    if content.secret {
        cx.stage.hide_content(path)?;
        at.exposed(path, cx)?;
    }
    Ok(())
}

/// `touch`: the file exists. Times of one that does are left alone: they would be others at each build.
pub(super) fn touch(at: &At, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    match cx.stage.lstat(path)?.map(|found| found.kind) {
        Some(FileType::Regular) => Ok(()),
        Some(kind) => Err(at.refused(format!("{path} is {} in the image, not a file", kind.describe()))),
        None => {
            at.parent(path, cx)?;
            Ok(cx.stage.write(path, Vec::new(), Set::default())?)
        }
    }
}

/// `truncate`: the file is empty.
pub(super) fn truncate(at: &At, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    at.file(path, cx)?;
    Ok(cx.stage.write(path, Vec::new(), Set::default())?)
}

/// `truncate-recursive`: all files below are empty. Links are passed over.
pub(super) fn truncate_below(at: &At, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    at.existing(path, cx)?;
    let mut pending = vec![cx.stage.resolve(path)?];
    let mut seen = 0_usize;
    while let Some(path) = pending.pop() {
        seen += 1;
        if seen > MOST_PATHS {
            return Err(at.refused(format!("more than {MOST_PATHS} paths are below it")));
        }
        let Some(found) = cx.stage.lstat(path.as_str())? else { continue };
        match found.kind {
            FileType::Directory => {
                let names = cx.stage.list(path.as_str())?;
                pending.extend(names.iter().map(|entry| GuestPath::join(&path, &entry.name)));
            }
            FileType::Regular if found.size > 0 => {
                cx.stage.write(path.as_str(), Vec::new(), Set::default())?
            }
            FileType::Regular | FileType::Symlink | FileType::Special => {}
        }
    }
    Ok(())
}

/// What `edit` does.
pub(super) struct Edit<'a> {
    pub(super) path: &'a str,
    pub(super) pattern: &'a Regex,
    pub(super) with: &'a Content,
    pub(super) expect: Option<u32>,
}

/// `edit`: every match is replaced once, line by line; the lines' ends are never touched. A replacement of several
/// lines gets the ends that the file has.
pub(super) fn edit(
    at: &At,
    edit: &Edit<'_>,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let Edit { path, pattern, with, .. } = *edit;
    hide(with, cx);
    at.file(path, cx)?;
    let old = cx.stage.read(path)?.unwrap_or_default();
    let done = Replaced::of(&old, pattern, &with.text);
    let stands = done.holds || with.text.is_empty() && done.matches == 0;
    if records.led(digest).is_some() && stands {
        // Done in an earlier build, and it still is.
    } else {
        check(at, edit, &done)?;
        if done.text != old {
            cx.stage.write(path, done.text.clone(), Set::default())?;
        }
        let again = Replaced::of(&done.text, pattern, &with.text);
        // The same operation again would be refused, or change it once more.
        if again.text != done.text || check(at, edit, &again).is_err() {
            let place = cx.stage.resolve(path)?.to_string();
            records.add(at.name, digest, vec![place]);
        }
    }
    if with.secret {
        cx.stage.hide_content(path)?;
        at.exposed(path, cx)?;
    }
    Ok(())
}

fn check(at: &At, edit: &Edit<'_>, done: &Replaced) -> Result<(), StepError> {
    let (path, pattern) = (edit.path, edit.pattern.as_str());
    match edit.expect {
        Some(wanted) if done.matches != wanted as usize => {
            let found = done.matches;
            let what = format!("{path}: `{pattern}` matches {found} times, and {wanted} were expected");
            Err(if found == 0 { at.absent(what) } else { at.refused(what) })
        }
        None if done.matches == 0 && !done.holds => Err(at
            .absent(format!("{path}: nothing matches `{pattern}`"))
            .hint("look at the file in the image; `append-line` adds a line that is not there")),
        _ => Ok(()),
    }
}

/// A text in which everything was replaced.
struct Replaced {
    text: Vec<u8>,
    matches: usize,
    /// A line looks like what the replacement makes.
    holds: bool,
}

impl Replaced {
    fn of(old: &[u8], pattern: &Regex, with: &str) -> Self {
        let ends = if replace::uses_crlf(old) { "\r\n" } else { "\n" };
        let with = with.replace('\n', ends);
        let wanted = replace::wanted(pattern.as_str(), &with);
        let several = with.contains('\n');
        let holds = several && wanted.as_ref().is_some_and(|wanted| wanted.is_match(old));
        let mut made = Self { text: Vec::with_capacity(old.len()), matches: 0, holds };
        for line in old.split_inclusive(|byte| *byte == b'\n') {
            let (text, end) = replace::cut(line);
            made.matches += pattern.find_iter(text).count();
            made.holds |=
                !several && !with.is_empty() && wanted.as_ref().is_some_and(|wanted| wanted.is_match(text));
            made.text.extend_from_slice(&pattern.replace_all(text, with.as_bytes()));
            made.text.extend_from_slice(end);
        }
        made
    }
}
