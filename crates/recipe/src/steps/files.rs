//! `files`: operations on single files of the guest.
//!
//! Every operation describes a state and does nothing where that state holds already, so a second
//! build changes nothing. All of them work on the stage, which follows links as the guest's kernel
//! does and never leaves the image.

mod owner;
pub(super) mod replace;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hardtack_guest::{FileType, Set};

use crate::model::{Content, FileAction, FileOp};
use crate::{Context, StepError};

pub use replace::references;

const STEP: &str = "files";

/// A file that holds a secret and did not exist before.
const SECRET_MODE: u32 = 0o600;

/// So many lines of one secret are looked for in other files of the plan.
const MOST_LINES: usize = 1000;

/// Carries the operations out in the order written.
///
/// # Errors
/// The first one that cannot be done, with its line in the recipe.
pub fn apply(operations: &[FileOp], cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for operation in operations {
        let at = At { line: operation.line, name: operation.action.name(), path: operation.action.path() };
        match &operation.action {
            FileAction::Write { path, content, mode, owner } => {
                hide(content, cx);
                let mode = match (mode, content.secret) {
                    (None, true) if cx.stage.stat(path)?.is_none() => Some(SECRET_MODE),
                    _ => *mode,
                };
                put(&at, content.text.as_bytes(), mode, owner.as_deref(), cx)?;
                if content.secret {
                    cx.stage.hide_content(path)?;
                    exposed(&at, cx)?;
                }
            }
            FileAction::Copy { content, mode, owner, .. } => {
                put(&at, Arc::clone(content), *mode, owner.as_deref(), cx)?;
            }
            FileAction::Append { line, .. } => append(&at, line, cx)?,
            FileAction::Replace { pattern, with, .. } => {
                hide(with, cx);
                replace::apply(&at, pattern, with, cx)?;
            }
            FileAction::Mkdir { path, mode, owner } => {
                let kind = cx.stage.stat(path)?.map(|metadata| metadata.kind);
                if let Some(kind) = kind.filter(|kind| *kind != FileType::Directory) {
                    return Err(at.refused(format!("is {} in the image, not a directory", kind.describe())));
                }
                let set = Set { mode: *mode, owner: owner::resolve(&at, owner.as_deref(), cx)? };
                cx.stage.mkdir(path, set)?;
            }
            FileAction::Link { path, target } => {
                let kind = cx.stage.lstat(path)?.map(|metadata| metadata.kind);
                if kind == Some(FileType::Directory) {
                    return Err(at
                        .refused("is a directory in the image, which a link does not replace")
                        .hint("remove it in an earlier build, or link another path"));
                }
                cx.stage.symlink(path, target)?;
            }
            FileAction::Remove { path } => cx.stage.remove(path)?,
        }
    }
    Ok(())
}

/// Which operation this is, for messages.
struct At<'a> {
    line: usize,
    name: &'static str,
    path: &'a str,
}

impl At<'_> {
    fn refused(&self, what: impl AsRef<str>) -> StepError {
        StepError::refused(STEP, self.say(what.as_ref()))
    }

    fn usage(&self, what: impl AsRef<str>) -> StepError {
        StepError::usage(STEP, self.say(what.as_ref()))
    }

    fn say(&self, what: &str) -> String {
        format!("{} {} (recipe line {}): {what}", self.name, self.path, self.line)
    }
}

fn hide(content: &Content, cx: &mut Context<'_, '_>) {
    if !content.secret {
        return;
    }
    cx.stage.add_secret(content.text.trim_end_matches(['\n', '\r']));
    // Differences are shown line by line; those of the file itself are hidden whole.
    for line in content.text.lines().filter(|line| !line.trim().is_empty()).take(MOST_LINES) {
        cx.stage.add_secret(line);
    }
}

fn put(
    at: &At<'_>,
    content: impl Into<Arc<[u8]>>,
    mode: Option<u32>,
    owner: Option<&str>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    regular(at, cx)?;
    let set = Set { mode, owner: owner::resolve(at, owner, cx)? };
    Ok(cx.stage.write_shared(at.path, content.into(), set)?)
}

/// The content, where the path is a file; `None` where there is nothing.
fn regular(at: &At<'_>, cx: &Context<'_, '_>) -> Result<bool, StepError> {
    match cx.stage.stat(at.path)? {
        None => Ok(false),
        Some(metadata) if metadata.kind == FileType::Regular => Ok(true),
        Some(metadata) => {
            Err(at.refused(format!("is {} in the image, not a file", metadata.kind.describe())))
        }
    }
}

/// Adds the line unless the file has it. A missing file is made: `/etc/sysctl.conf` is a file on
/// Debian 12 and none on 13.
fn append(at: &At<'_>, line: &Content, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    hide(line, cx);
    let existing = if regular(at, cx)? { cx.stage.read(at.path)? } else { None };
    let wanted = line.text.as_bytes();
    let content = existing.as_deref().unwrap_or_default();
    let has = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // What follows the last line's end is no line.
    let ended = content.is_empty() || content.ends_with(b"\n");
    let lines = if ended { count(content) } else { count(content) + 1 };
    if !has.take(lines).any(|line| line == wanted) {
        let end: &[u8] = if replace::uses_crlf(content) { b"\r\n" } else { b"\n" };
        let before: &[u8] = if ended { b"" } else { end };
        let added = [before, wanted, end].concat();
        match existing {
            // Only what is added is written: holes of the file stay holes.
            Some(_) => cx.stage.append_bytes(at.path, added)?,
            None => {
                let mode = line.secret.then_some(SECRET_MODE);
                cx.stage.write(at.path, added, Set { mode, owner: None })?;
            }
        }
    }
    if line.secret {
        cx.stage.hide_content(at.path)?;
        exposed(at, cx)?;
    }
    Ok(())
}

fn count(content: &[u8]) -> usize {
    content.iter().filter(|byte| **byte == b'\n').count()
}

/// Says so when a secret lies in a file that others can read.
fn exposed(at: &At<'_>, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if let Some(metadata) = cx.stage.stat(at.path)?
        && metadata.mode & 0o044 != 0
    {
        let text = format!(
            "{} holds a value from outside the recipe and has mode {:04o}: others can read it",
            at.path, metadata.mode
        );
        cx.warn(STEP, text);
    }
    Ok(())
}
