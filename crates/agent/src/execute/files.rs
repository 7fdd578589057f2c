//! Files, directories and links (`cloudinit/util.py`: `write_file`, `append_file`, `ensure_dir`, `sym_link`,
//! `del_file`).
//!
//! cloud-init opens the path and writes, so a symbolic link is followed: `/etc/resolv.conf` stays a link, and the
//! file behind it is what changes. That holds here, within the bounds of [`place`](super::place). What is different:
//! an ordinary file is not cut and filled but replaced by a new one that is complete, with the old one's owner, mode
//! and extended attributes. Where that would be another thing than writing into it, it is written into: other names
//! of the same file (hard links), devices and pipes, a file that something is mounted on (the hosts file of a
//! container). Not so in directories that others than root may write to: who laid the name there is not known.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use hardtack_modules::Owner;
use rustix::fs::{FileType, OFlags, Stat};

use super::Execution;
use super::owners::{self, Numbers};
use super::place::{Place, Way};
use crate::error::AgentError;
use crate::host::Host;

/// Mode of files that nobody gave one.
const USUAL: u32 = 0o644;
/// Attributes longer than this are none that anything sets.
const LARGEST_ATTRIBUTE: usize = 64 << 10;
/// What a program may do says nothing of another content; writing into the file takes it away, too.
const CAPABILITIES: &[u8] = b"security.capability";

/// Writes a file whole.
pub(super) fn write(
    cx: &Execution<'_>,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
    owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let numbers = numbers(cx.host, owner)?;
    let place = found(Place::find(cx.host, path, Way::Through)?)?;
    let Some(old) = place.stat()? else { return replace(&place, bytes, mode, numbers, None) };
    match FileType::from_raw_mode(old.st_mode) {
        FileType::Directory => {
            Err(AgentError::text(format!("{path}: a directory stands where the file is to be written")))
        }
        FileType::RegularFile if place.is_open => replace(&place, bytes, mode, numbers, Some(&old)),
        FileType::RegularFile if old.st_nlink == 1 => {
            match replace(&place, bytes, mode, numbers, Some(&old)) {
                // Something is mounted on it, or its directory takes nothing new.
                Err(_) => write_into(&place, bytes, mode, numbers),
                done => done,
            }
        }
        _ => write_into(&place, bytes, mode, numbers),
    }
}

/// A new file in place of the old one, or of none.
fn replace(
    place: &Place,
    bytes: &[u8],
    mode: Option<u32>,
    (uid, gid): Numbers,
    old: Option<&Stat>,
) -> Result<(), AgentError> {
    let uid = uid.or_else(|| old.map(|old| old.st_uid));
    let gid = gid.or_else(|| old.map(|old| old.st_gid));
    let mode = mode.or_else(|| old.map(|old| old.st_mode & 0o7777)).unwrap_or(USUAL);
    appear(place, |temporary| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = temporary.open(flags, 0o600)?;
        file.write_all(bytes)?;
        if old.is_some() {
            copy_attributes(place, &file);
        }
        own(&file, uid, gid)?;
        // Behind chown, which takes the bits of set-user-id away.
        file.set_permissions(Permissions::from_mode(mode))
    })
    .map_err(|error| AgentError::io("write", &place.shown, error))
}

/// Makes something under another name, which then becomes the right one.
fn appear(place: &Place, make: impl FnOnce(&Place) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut name = place.name.clone();
    name.push(".hardtack-new");
    // Longer names than a file system takes are rather ours than the user's.
    let temporary = place.beside(if name.len() > 255 { ".hardtack-new".into() } else { name })?;
    temporary.unlink()?;
    make(&temporary).and_then(|()| temporary.rename(place)).inspect_err(|_| {
        let _ = temporary.unlink();
    })
}

/// Writes into what is there.
fn write_into(place: &Place, bytes: &[u8], mode: Option<u32>, numbers: Numbers) -> Result<(), AgentError> {
    fill(place, mode, numbers, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, |file| file.write_all(bytes))
}

/// Writes at the end of a file.
pub(super) fn append(
    cx: &Execution<'_>,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
    owner: Option<&Owner>,
) -> Result<(), AgentError> {
    append_with(cx, path, mode, owner, |file| file.write_all(bytes))
}

/// Lets `pour` write at the end of a file.
pub(super) fn append_with(
    cx: &Execution<'_>,
    path: &str,
    mode: Option<u32>,
    owner: Option<&Owner>,
    pour: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), AgentError> {
    let numbers = numbers(cx.host, owner)?;
    let place = found(Place::find(cx.host, path, Way::Through)?)?;
    fill(&place, mode, numbers, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, pour)
}

fn fill(
    place: &Place,
    mode: Option<u32>,
    (uid, gid): Numbers,
    flags: OFlags,
    pour: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), AgentError> {
    let is_new = match place.stat()? {
        // Through another name of it, or at a pipe's other end, somebody else might read or lose what is theirs.
        Some(old)
            if place.is_open
                && (old.st_nlink != 1 || FileType::from_raw_mode(old.st_mode) != FileType::RegularFile) =>
        {
            return Err(AgentError::text(format!(
                "{}: not a file of one name, in a directory that others than root write to",
                place.shown.display()
            )));
        }
        old => old.is_none(),
    };
    let work = || -> std::io::Result<()> {
        let mut file = place.open(flags, 0o600)?;
        pour(&mut file)?;
        own(&file, uid, gid)?;
        match mode.or(is_new.then_some(USUAL)) {
            Some(mode) => file.set_permissions(Permissions::from_mode(mode)),
            None => Ok(()),
        }
    };
    work().map_err(|error| AgentError::io("write", &place.shown, error))
}

/// What every way but one that only looks leads to.
fn found(place: Option<Place>) -> Result<Place, AgentError> {
    place.ok_or_else(|| AgentError::text("a directory went away while something was written into it"))
}

/// What `chown` is given.
fn numbers(host: &Host, owner: Option<&Owner>) -> Result<Numbers, AgentError> {
    owner.map_or(Ok((None, None)), |owner| owners::numbers(host, owner))
}

fn own(file: &File, uid: Option<u32>, gid: Option<u32>) -> std::io::Result<()> {
    let now = file.metadata()?;
    // Who is not root may still keep what is.
    let same = uid.is_none_or(|uid| uid == now.uid()) && gid.is_none_or(|gid| gid == now.gid());
    if same { Ok(()) } else { fchown(file, uid, gid) }
}

/// Labels of SELinux, access lists and the like. A file system without them is none to complain about.
fn copy_attributes(from: &Place, to: &File) {
    let Ok(from) = from.open(OFlags::RDONLY, 0) else { return };
    let mut names = vec![0; LARGEST_ATTRIBUTE];
    let Ok(length) = rustix::fs::flistxattr(&from, &mut names[..]) else { return };
    let mut value = vec![0; LARGEST_ATTRIBUTE];
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0) {
        if name.is_empty() || name == CAPABILITIES {
            continue;
        }
        if let Ok(length) = rustix::fs::fgetxattr(&from, name, &mut value[..]) {
            let bytes = value.get(..length).unwrap_or_default();
            let _ = rustix::fs::fsetxattr(to, name, bytes, rustix::fs::XattrFlags::empty());
        }
    }
}

/// Makes a directory and those above it.
pub(super) fn directory(
    cx: &Execution<'_>,
    path: &str,
    mode: u32,
    owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let numbers = numbers(cx.host, owner)?;
    let place = found(Place::find(cx.host, path, Way::Through)?)?;
    let work = || -> std::io::Result<()> {
        let opened = place.directory()?;
        own(&opened, numbers.0, numbers.1)?;
        opened.set_permissions(Permissions::from_mode(mode))
    };
    work().map_err(|error| AgentError::io("set owner and mode of", &place.shown, error))
}

/// Makes a symbolic link in place of what is there, unless that is a directory.
pub(super) fn link(cx: &Execution<'_>, path: &str, target: &str) -> Result<(), AgentError> {
    let place = found(Place::find(cx.host, path, Way::To)?)?;
    if place.stat()?.is_some_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::Directory) {
        return Err(AgentError::text(format!("{path}: a directory stands where the link is to be made")));
    }
    appear(&place, |temporary| Ok(rustix::fs::symlinkat(target, &temporary.directory, &temporary.name)?))
        .map_err(|error| AgentError::io("link", &place.shown, error))
}

/// Removes a file or a link, if it is there.
pub(super) fn remove(cx: &Execution<'_>, path: &str) -> Result<(), AgentError> {
    let Some(place) = Place::find(cx.host, path, Way::Look)? else { return Ok(()) };
    place.unlink().map_err(|error| AgentError::io("remove", &place.shown, error))
}

#[cfg(test)]
mod tests;
