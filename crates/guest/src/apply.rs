//! Carrying out the difference between a stage and the image on the image's file systems.

use crate::stage::{Content, Edit, State};
use crate::tree::{Attributes, FileSystem, FileType};
use crate::{Error, GuestPath};

/// The attribute that SELinux keeps its label in.
const SELINUX: &str = "security.selinux";

/// Where a path of the guest really lives.
pub trait Volumes {
    /// The file system that holds `path`, and the path inside it.
    fn volume(&mut self, path: &GuestPath) -> Result<(&mut dyn FileSystem, GuestPath), Error>;
}

/// Makes every edited path what it shall be. `edits` come in path order from
/// [`Stage::edits`](crate::Stage::edits); nothing is left half done unless an error is returned, and
/// then the overlay is to be thrown away.
pub fn apply(edits: &[Edit], volumes: &mut dyn Volumes) -> Result<(), Error> {
    // Asked for all of them first: a refusal must come before the first change.
    for edit in edits {
        let (volume, _) = volumes.volume(&edit.path)?;
        if let Some(why) = volume.read_only() {
            let what = format!("{} cannot be changed: {why}", edit.path);
            return Err(Error::FileSystem { file_system: volume.describe(), what });
        }
    }
    // Children before parents, and out of the way of whatever takes their place.
    for edit in edits.iter().rev() {
        if edit.before.is_some_and(|before| Some(before.kind) != wanted_type(&edit.state)) {
            let (volume, path) = volumes.volume(&edit.path)?;
            volume.remove(&path)?;
        }
    }
    for edit in edits {
        let (volume, path) = volumes.volume(&edit.path)?;
        settle(edit, volume, &path)?;
    }
    Ok(())
}

fn wanted_type(state: &State) -> Option<FileType> {
    match state {
        State::Absent => None,
        State::Directory(_) => Some(FileType::Directory),
        State::File(..) => Some(FileType::Regular),
        State::Link(..) => Some(FileType::Symlink),
        State::Special(_) => Some(FileType::Special),
    }
}

fn settle(edit: &Edit, volume: &mut dyn FileSystem, path: &GuestPath) -> Result<(), Error> {
    let kept = edit.before.filter(|before| Some(before.kind) == wanted_type(&edit.state));
    match &edit.state {
        State::Absent => return Ok(()),
        State::Directory(attributes) => {
            if kept.is_none() {
                volume.mkdir(path, *attributes)?;
            }
            set_attributes(volume, path, kept.map(|found| found.attributes()), *attributes)?;
        }
        State::File(content, attributes) => {
            if kept.is_none() {
                volume.create(path, *attributes)?;
            }
            match content {
                Content::Kept => {}
                Content::Bytes(bytes) => volume.set_content(path, bytes)?,
                Content::Appended(tail) => volume.append(path, tail)?,
            }
            // After the content: a write may clear set-id bits.
            set_attributes(volume, path, kept.map(|found| found.attributes()), *attributes)?;
        }
        State::Link(target, attributes) => {
            if kept.is_some() {
                volume.remove(path)?;
            }
            volume.symlink(path, target, *attributes)?;
        }
        State::Special(attributes) => {
            set_attributes(volume, path, kept.map(|found| found.attributes()), *attributes)?;
        }
    }
    if kept.is_none() {
        inherit_label(edit, volume, path)?;
    }
    for (name, value) in &edit.xattrs {
        volume.set_xattr(path, name, value)?;
    }
    Ok(())
}

fn set_attributes(
    volume: &mut dyn FileSystem,
    path: &GuestPath,
    old: Option<Attributes>,
    new: Attributes,
) -> Result<(), Error> {
    let Some(old) = old else { return Ok(()) };
    if (old.uid, old.gid) != (new.uid, new.gid) {
        volume.set_owner(path, new.uid, new.gid)?;
    }
    if old.mode != new.mode {
        volume.set_mode(path, new.mode)?;
    }
    Ok(())
}

/// Where files carry SELinux labels, a new one gets its directory's: a file without a label is
/// out of bounds for every confined program.
fn inherit_label(edit: &Edit, volume: &mut dyn FileSystem, path: &GuestPath) -> Result<(), Error> {
    if edit.xattrs.iter().any(|(name, _)| name == SELINUX) {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    let label = volume.xattrs(&parent)?.into_iter().find(|(name, _)| name == SELINUX);
    match label {
        Some((name, value)) => volume.set_xattr(path, &name, &value),
        None => Ok(()),
    }
}
