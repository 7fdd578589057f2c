//! Operations that take something away or bring it elsewhere, once.

use hardtack_guest::FileType;

use super::record::Records;
use super::{At, is_directory, matching};
use crate::{Context, StepError};

/// `delete`: what the pattern names goes, with all below.
pub(super) fn delete(
    at: &At,
    pattern: &str,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let found = matching(pattern, cx)?;
    if found.is_empty() {
        if records.led(digest).is_some() {
            return Ok(());
        }
        return Err(at
            .absent(format!("nothing in the image matches {pattern}"))
            .hint("`optional: true` takes that for done"));
    }
    if found.iter().any(|path| path.name().is_none()) {
        return Err(at.usage("the root directory itself cannot be deleted"));
    }
    for path in &found {
        cx.stage.remove(path.as_str())?;
    }
    let mut paths: Vec<String> = records.led(digest).unwrap_or_default().to_vec();
    paths.extend(found.iter().map(ToString::to_string));
    paths.sort();
    paths.dedup();
    records.add(at.name, digest, paths);
    Ok(())
}

/// `scrub`: a file goes; what its blocks hold is overwritten when the image is written.
pub(super) fn scrub(
    at: &At,
    path: &str,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    match cx.stage.lstat(path)?.map(|found| found.kind) {
        None if records.led(digest).is_some() => return Ok(()),
        None => return Err(at.missing(path)),
        Some(FileType::Regular) => {}
        Some(FileType::Symlink) => {
            return Err(at
                .refused(format!("{path} is a symbolic link: its target would stay, or the link dangle"))
                .hint("name the file that it leads to"));
        }
        Some(kind) => {
            let what = format!("{path} is {} in the image, not a file", kind.describe());
            return Err(at.refused(what).hint("`delete` removes directories"));
        }
    }
    let place = cx.stage.resolve_parent(path)?.to_string();
    cx.stage.remove(&place)?;
    records.add(at.name, digest, vec![place]);
    Ok(())
}

/// `copy`, as `cp -a`.
pub(super) fn copy(
    at: &At,
    from: &str,
    to: &str,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if records.holds(digest, cx)? {
        return Ok(());
    }
    let Some(found) = cx.stage.lstat(from)? else { return Err(at.missing(from)) };
    // Where it came the last time it belongs now, even if that is a directory by now.
    let place = match records.led(digest) {
        Some([place]) => place.clone(),
        _ => destination(at, from, to, cx)?,
    };
    // A file that is there is overwritten, and keeps its place behind a link, as cp does.
    if found.kind != FileType::Directory
        && cx.stage.lstat(&place)?.is_some_and(|found| found.kind == FileType::Directory)
    {
        return Err(at.refused(format!("{place} is a directory in the image, and {from} is none")));
    }
    cx.stage.copy_tree(from, &place)?;
    let place = cx.stage.resolve_parent(&place)?.to_string();
    records.add(at.name, digest, vec![place]);
    Ok(())
}

/// `move`, as `mv`.
pub(super) fn relocate(
    at: &At,
    from: &str,
    to: &str,
    digest: &str,
    records: &mut Records,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let led = match records.led(digest) {
        Some([place]) => Some(place.clone()),
        _ => None,
    };
    let Some(found) = cx.stage.lstat(from)? else {
        return match led {
            Some(_) if records.holds(digest, cx)? => Ok(()),
            Some(place) if cx.stage.lstat(&place)?.is_some() => Err(at
                .refused(format!(
                    "{from} was moved to {place} by an earlier build, and what is there has been changed since"
                ))
                .hint("build from the image that has the file in its old place")),
            Some(place) => Err(at.refused(format!(
                "{from} was moved to {place} by an earlier build, and neither is there any more"
            ))),
            None => Err(at.missing(from)),
        };
    };
    // Where it came the last time it belongs now, even if that is a directory by now.
    let place = match led {
        Some(place) => place,
        None => destination(at, from, to, cx)?,
    };
    let there = cx.stage.lstat(&place)?.map(|found| found.kind);
    if there.is_some_and(|there| (there == FileType::Directory) != (found.kind == FileType::Directory)) {
        let what = "one of them is a directory in the image and the other is none";
        return Err(at.refused(format!("{from} cannot take the place of {place}: {what}")));
    }
    if there == Some(FileType::Directory)
        && !cx.stage.list(&place)?.is_empty()
        && records.led(digest).is_none()
    {
        return Err(at.refused(format!("{place} is a directory in the image that is not empty")));
    }
    cx.stage.move_tree(from, &place)?;
    let place = cx.stage.resolve_parent(&place)?.to_string();
    records.add(at.name, digest, vec![place]);
    Ok(())
}

/// `to`, or the name of `from` in it where it is a directory.
fn destination(at: &At, from: &str, to: &str, cx: &Context<'_, '_>) -> Result<String, StepError> {
    if is_directory(to, cx)? {
        let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        return Ok(format!("{}/{name}", to.trim_end_matches('/')));
    }
    at.parent(to, cx)?;
    Ok(to.to_owned())
}
