//! Operations that bring trees of the host.

use hardtack_guest::dpkg::deb::{EntryKind, TarEntry};
use hardtack_guest::{FileType, Set};

use super::At;
use crate::model::operation::{HostEntry, HostKind};
use crate::{Context, StepError};

/// `copy-in`: the tree, under its own name, in a directory that exists.
pub(super) fn copy_in(
    at: &At,
    tree: &[HostEntry],
    to: &str,
    mode: Option<u32>,
    owner: &str,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    at.directory(to, cx)?;
    let owner = Some(at.owner(owner, (0, 0), cx)?);
    for entry in tree {
        let path = format!("{}/{}", to.trim_end_matches('/'), entry.path);
        match &entry.kind {
            HostKind::Directory => directory(at, &path, Set { mode: Some(entry.mode), owner }, cx)?,
            HostKind::File(content) => {
                let set = Set { mode: Some(mode.unwrap_or(entry.mode)), owner };
                file(at, &path, cx)?;
                cx.stage.write_shared(&path, std::sync::Arc::clone(content), set)?;
            }
            HostKind::Link(target) => link(at, &path, target, owner, cx)?,
        }
    }
    Ok(())
}

/// `tar-in`: what is in the archive, below a directory that exists. A link to a directory stays where
/// the archive has a directory (merged /usr).
pub(super) fn tar_in(
    at: &At,
    entries: &[TarEntry],
    to: &str,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    at.directory(to, cx)?;
    let place = |path: &str| format!("{}{path}", to.trim_end_matches('/'));
    for entry in entries {
        let path = place(&entry.path);
        let set = Set { mode: Some(entry.mode), owner: Some(entry.owner) };
        match &entry.kind {
            // `./`: the directory itself keeps what it has.
            EntryKind::Directory if entry.path == "/" => {}
            EntryKind::Directory => directory(at, &path, set, cx)?,
            EntryKind::File(content) => {
                file(at, &path, cx)?;
                cx.stage.write(&path, content.clone(), set)?;
            }
            EntryKind::Symlink(target) => link(at, &path, target, set.owner, cx)?,
            EntryKind::HardLink(original) => {
                let original = place(original);
                if cx.stage.lstat(&original)?.is_none_or(|found| found.kind != FileType::Regular) {
                    let what = format!("{path} is a hard link to {original}, which is no file");
                    return Err(at.refused(what));
                }
                file(at, &path, cx)?;
                cx.stage.copy_tree(&original, &path)?;
            }
        }
    }
    Ok(())
}

/// A directory that is there stays as it is, behind a link too, and gets mode and owner only where
/// it is none of the image's.
fn directory(at: &At, path: &str, set: Set, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    match cx.stage.stat(path)?.map(|found| found.kind) {
        Some(FileType::Directory)
            if cx.stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Symlink) =>
        {
            return Ok(());
        }
        Some(FileType::Directory) | None => {}
        Some(kind) => {
            return Err(at.refused(format!("{path} is {} in the image, not a directory", kind.describe())));
        }
    }
    Ok(cx.stage.mkdir(path, set)?)
}

/// Makes room for a file: a link there goes, as tar has it, and is not written through.
fn file(at: &At, path: &str, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    match cx.stage.lstat(path)?.map(|found| found.kind) {
        Some(FileType::Symlink) => Ok(cx.stage.remove(path)?),
        Some(FileType::Regular) | None => Ok(()),
        Some(kind) => Err(at.refused(format!("{path} is {} in the image, not a file", kind.describe()))),
    }
}

fn link(
    at: &At,
    path: &str,
    target: &str,
    owner: Option<(u32, u32)>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if cx.stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Directory) {
        return Err(at.refused(format!("{path} is a directory in the image, which a link does not replace")));
    }
    cx.stage.symlink(path, target)?;
    if let Some((uid, gid)) = owner {
        cx.stage.set_owner(path, uid, gid)?;
    }
    Ok(())
}
