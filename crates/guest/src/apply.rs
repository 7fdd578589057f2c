//! Carrying out the difference between a stage and the image on the image's file systems.
//!
//! Where the image has SELinux, what is new gets the label that the image's own policy gives it: a file
//! without one is out of bounds for every confined program. A policy that cannot be read has the guest
//! label everything at its next boot (`/.autorelabel`), and until then a new file has its directory's.
//!
//! A file with several names (hard links) changes under the edited name only: it gets an inode of its
//! own there, as by rename(2). The other names are in no plan, and whoever may put a name somewhere could
//! have any file changed by it.

use std::cell::RefCell;

use crate::selinux::Policy;
use crate::stage::{Content, Edit, State};
use crate::tree::{Attributes, DirEntry, FileSystem, FileType, Metadata, Tree};
use crate::{Error, GuestPath};

/// The attribute that SELinux keeps its label in.
const SELINUX: &str = "security.selinux";
/// The most bytes of a file with several names whose content stays that are held at once.
const MOST_BYTES: u64 = 2 << 30;
/// Has the guest label all files when it boots (fixfiles(8)).
const RELABEL: &str = "/.autorelabel";

/// Where a path of the guest really lives.
pub trait Volumes {
    /// The file system that holds `path`, and the path inside it.
    fn volume(&mut self, path: &GuestPath) -> Result<(&mut dyn FileSystem, GuestPath), Error>;
}

/// Makes every edited path what it shall be. `edits` come in path order from
/// [`Stage::edits`](crate::Stage::edits); nothing is left half done unless an error is returned, and
/// then the overlay is to be thrown away. Answers what is worth telling, in sentences for people.
pub fn apply(edits: &[Edit], volumes: &mut dyn Volumes) -> Result<Vec<String>, Error> {
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
    let mut made = Vec::new();
    for edit in edits {
        let (volume, path) = volumes.volume(&edit.path)?;
        if settle(edit, volume, &path)? {
            made.push(edit);
        }
    }
    // The policy as it is now: an edit may have brought it.
    label(&made, volumes)
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

/// Makes one path what it shall be; answers whether it is new and has no label yet.
fn settle(edit: &Edit, volume: &mut dyn FileSystem, path: &GuestPath) -> Result<bool, Error> {
    let kept = edit.before.filter(|before| Some(before.kind) == wanted_type(&edit.state));
    let mut label = None;
    match &edit.state {
        State::Absent => return Ok(false),
        State::Directory(attributes) => {
            if kept.is_none() {
                volume.mkdir(path, *attributes)?;
            }
            set_attributes(volume, path, kept.map(|found| found.attributes()), *attributes)?;
        }
        State::File(content, attributes) => {
            match kept {
                Some(_) => detach(volume, path, content)?,
                None => volume.create(path, *attributes)?,
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
                // Another link in its place, and still the same one to the guest.
                label = label_of(volume, path)?;
                volume.remove(path)?;
            }
            volume.symlink(path, target, *attributes)?;
            if let Some(label) = &label {
                volume.set_xattr(path, SELINUX, label)?;
            }
        }
        State::Special(attributes) => {
            set_attributes(volume, path, kept.map(|found| found.attributes()), *attributes)?;
        }
    }
    for (name, value) in &edit.xattrs {
        volume.set_xattr(path, name, value)?;
    }
    let is_link = matches!(edit.state, State::Link(..));
    let named = edit.xattrs.iter().any(|(name, _)| name == SELINUX);
    Ok((kept.is_none() || is_link) && label.is_none() && !named)
}

/// Gives the file `path` an inode of its own, where it has other names. What `content` replaces is not
/// copied.
fn detach(volume: &mut dyn FileSystem, path: &GuestPath, content: &Content) -> Result<(), Error> {
    if volume.identity(path)?.is_none_or(|found| found.links < 2) {
        return Ok(());
    }
    let Some(found) = volume.lstat(path)? else { return Ok(()) };
    let old = match content {
        Content::Bytes(_) => Vec::new(),
        Content::Kept | Content::Appended(_) => volume.read_file(path, MOST_BYTES)?,
    };
    let attributes = volume.xattrs(path)?;
    volume.remove(path)?;
    volume.create(path, found.attributes())?;
    volume.set_content(path, &old)?;
    volume.set_mode(path, found.mode)?;
    for (name, value) in &attributes {
        volume.set_xattr(path, name, value)?;
    }
    volume.set_mtime(path, found.mtime)
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

fn label_of(volume: &dyn FileSystem, path: &GuestPath) -> Result<Option<Vec<u8>>, Error> {
    Ok(volume.xattrs(path)?.into_iter().find(|(name, _)| name == SELINUX).map(|(_, value)| value))
}

/// Labels what was made, parents first.
fn label(made: &[&Edit], volumes: &mut dyn Volumes) -> Result<Vec<String>, Error> {
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let policy = Policy::load(&Through(RefCell::new(&mut *volumes)))?;
    let contexts = policy.as_ref().and_then(|policy| policy.contexts.as_ref());
    let enabled = policy.as_ref().is_some_and(|policy| policy.enabled);
    let mut inherited = false;
    for edit in made {
        // `<<none>>` and no rule at all leave a new file to its directory's label, as the kernel does.
        let wanted = contexts
            .zip(wanted_type(&edit.state))
            .and_then(|(contexts, kind)| contexts.label(&edit.path, kind));
        let (volume, path) = volumes.volume(&edit.path)?;
        let above = path.parent().map_or(Ok(None), |parent| label_of(volume, &parent))?;
        let value = match wanted.filter(|_| enabled || above.is_some()) {
            // The kernel keeps the zero byte at the end.
            Some(label) => Some([label.as_bytes(), &[0]].concat()),
            None => {
                inherited |= above.is_some() && contexts.is_none();
                above
            }
        };
        if let Some(value) = value {
            volume.set_xattr(&path, SELINUX, &value)?;
        }
    }
    let Some(policy) = policy else { return Ok(Vec::new()) };
    let mut notes = policy.notes;
    if inherited && enabled {
        mark_for_relabelling(volumes)?;
        notes.push(format!("new files have their directory's SELinux label, and {RELABEL} has the guest label everything when it boots"));
    }
    Ok(notes)
}

fn mark_for_relabelling(volumes: &mut dyn Volumes) -> Result<(), Error> {
    let (volume, path) = volumes.volume(&GuestPath::new(RELABEL))?;
    if volume.lstat(&path)?.is_some() {
        return Ok(());
    }
    volume.create(&path, Attributes { mode: 0o644, uid: 0, gid: 0 })?;
    match label_of(volume, &GuestPath::root())? {
        Some(label) => volume.set_xattr(&path, SELINUX, &label),
        None => Ok(()),
    }
}

/// The volumes as one tree that is read.
struct Through<'v>(RefCell<&'v mut dyn Volumes>);

impl Tree for Through<'_> {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        let mut volumes = self.0.borrow_mut();
        let (volume, path) = volumes.volume(path)?;
        volume.lstat(&path)
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let mut volumes = self.0.borrow_mut();
        let (volume, path) = volumes.volume(path)?;
        volume.read_dir(&path)
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let mut volumes = self.0.borrow_mut();
        let (volume, path) = volumes.volume(path)?;
        volume.read_at(&path, offset, buf)
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        let mut volumes = self.0.borrow_mut();
        let (volume, path) = volumes.volume(path)?;
        volume.read_link(&path)
    }

    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut volumes = self.0.borrow_mut();
        let (volume, path) = volumes.volume(path)?;
        volume.xattrs(&path)
    }
}
