//! Files, directories and links (`cloudinit/util.py`: `write_file`, `append_file`, `ensure_dir`, `sym_link`,
//! `del_file`).
//!
//! cloud-init opens the path and writes, so a symbolic link is followed: `/etc/resolv.conf` stays a link, and the
//! file behind it is what changes. That holds here. What is different: an ordinary file is not cut and filled but
//! replaced by a new one that is complete, with the old one's owner, mode and extended attributes. Where that
//! would be another thing than writing into it, it is written into: other names of the same file (hard links),
//! devices and pipes, a file that something is mounted on (the hosts file of a container).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use hardtack_modules::Owner;
use rustix::fs::OFlags;

use super::Execution;
use super::owners::{self, Numbers};
use crate::error::AgentError;
use crate::host::Host;

/// Mode of files that nobody gave one.
const USUAL: u32 = 0o644;
/// Mode of directories that nobody gave one, whatever the agent's own mask is.
const DIRECTORY: u32 = 0o755;
/// As many links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;
/// Attributes longer than this are none that anything sets.
const LARGEST_ATTRIBUTE: usize = 64 << 10;

/// Writes a file whole.
pub(super) fn write(
    cx: &Execution<'_>,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
    owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let numbers = numbers(cx.host, owner)?;
    let full = place(cx.host, path)?;
    make_above(&full)?;
    match full.metadata() {
        Ok(old) if old.is_dir() => {
            Err(AgentError::text(format!("{path}: a directory stands where the file is to be written")))
        }
        Ok(old) if old.is_file() && old.nlink() == 1 => {
            match replace(&full, bytes, mode, numbers, Some(&old)) {
                // Something is mounted on it, or its directory takes nothing new.
                Err(_) => write_into(&full, bytes, mode, numbers),
                done => done,
            }
        }
        Ok(_) => write_into(&full, bytes, mode, numbers),
        Err(error) if error.kind() == ErrorKind::NotFound => replace(&full, bytes, mode, numbers, None),
        Err(error) => Err(AgentError::io("read", &full, error)),
    }
}

/// A new file in place of the old one, or of none.
fn replace(
    full: &Path,
    bytes: &[u8],
    mode: Option<u32>,
    (uid, gid): Numbers,
    old: Option<&fs::Metadata>,
) -> Result<(), AgentError> {
    let mut name = full.file_name().unwrap_or_default().to_owned();
    name.push(".hardtack-new");
    // Longer names than a file system takes are rather ours than the user's.
    let temporary =
        if name.len() > 255 { full.with_file_name(".hardtack-new") } else { full.with_file_name(name) };
    let _ = fs::remove_file(&temporary);
    let uid = uid.or_else(|| old.map(MetadataExt::uid));
    let gid = gid.or_else(|| old.map(MetadataExt::gid));
    let mode = mode.or_else(|| old.map(|old| old.mode() & 0o7777)).unwrap_or(USUAL);
    let work = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        if old.is_some() {
            copy_attributes(full, &file);
        }
        own(&file, uid, gid)?;
        // Behind chown, which takes the bits of set-user-id away.
        file.set_permissions(Permissions::from_mode(mode))?;
        drop(file);
        fs::rename(&temporary, full)
    };
    work().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        AgentError::io("write", full, error)
    })
}

/// Writes into what is there.
fn write_into(full: &Path, bytes: &[u8], mode: Option<u32>, numbers: Numbers) -> Result<(), AgentError> {
    fill(full, mode, numbers, OpenOptions::new().write(true).create(true).truncate(true), |file| {
        file.write_all(bytes)
    })
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
    let full = place(cx.host, path)?;
    make_above(&full)?;
    fill(&full, mode, numbers, OpenOptions::new().append(true).create(true), pour)
}

fn fill(
    full: &Path,
    mode: Option<u32>,
    (uid, gid): Numbers,
    how: &mut OpenOptions,
    pour: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), AgentError> {
    let is_new = !full.exists();
    // A pipe that nobody reads must not hold the boot, nor a terminal become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let how = how.mode(0o600).custom_flags(i32::try_from(flags).unwrap_or(0));
    let work = || -> std::io::Result<()> {
        let mut file = how.open(full)?;
        pour(&mut file)?;
        own(&file, uid, gid)?;
        match mode.or(is_new.then_some(USUAL)) {
            Some(mode) => file.set_permissions(Permissions::from_mode(mode)),
            None => Ok(()),
        }
    };
    work().map_err(|error| AgentError::io("write", full, error))
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
fn copy_attributes(from: &Path, to: &File) {
    let mut names = vec![0; LARGEST_ATTRIBUTE];
    let Ok(length) = rustix::fs::listxattr(from, &mut names[..]) else { return };
    let mut value = vec![0; LARGEST_ATTRIBUTE];
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0) {
        if name.is_empty() {
            continue;
        }
        if let Ok(length) = rustix::fs::getxattr(from, name, &mut value[..]) {
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
    let full = place(cx.host, path)?;
    make(&full)?;
    let work = || -> std::io::Result<()> {
        let opened = File::open(&full)?;
        own(&opened, numbers.0, numbers.1)?;
        opened.set_permissions(Permissions::from_mode(mode))
    };
    work().map_err(|error| AgentError::io("set owner and mode of", &full, error))
}

/// Makes a symbolic link in place of what is there, unless that is a directory.
pub(super) fn link(cx: &Execution<'_>, path: &str, target: &str) -> Result<(), AgentError> {
    let full = beside(cx.host, path)?;
    make_above(&full)?;
    if full.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        return Err(AgentError::text(format!("{path}: a directory stands where the link is to be made")));
    }
    let mut name = full.file_name().unwrap_or_default().to_owned();
    name.push(".hardtack-new");
    let temporary = full.with_file_name(name);
    let _ = fs::remove_file(&temporary);
    symlink(target, &temporary).and_then(|()| fs::rename(&temporary, &full)).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        AgentError::io("link", &full, error)
    })
}

/// Removes a file or a link, if it is there.
pub(super) fn remove(cx: &Execution<'_>, path: &str) -> Result<(), AgentError> {
    let full = beside(cx.host, path)?;
    match fs::remove_file(&full) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(AgentError::io("remove", &full, error)),
        _ => Ok(()),
    }
}

/// Where writing to `path` ends up: at the end of all links, also where nothing is there yet.
pub(super) fn place(host: &Host, path: &str) -> Result<PathBuf, AgentError> {
    let lost = || AgentError::text(format!("{path}: its links lead in a circle"));
    if path.is_empty() || path.contains('\0') {
        return Err(AgentError::text(format!("{path:?} is not the path of a file")));
    }
    if !host.is_live() {
        // Links below another root mean that root.
        return crate::machine::Tree::new(host.path("")).resolve(path).ok_or_else(lost);
    }
    let mut full = host.path(path);
    for _ in 0..LINKS {
        match fs::read_link(&full) {
            Ok(target) => full = full.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(full),
        }
    }
    Err(lost())
}

/// Where `path` itself is: links on the way are followed, its last name is not.
fn beside(host: &Host, path: &str) -> Result<PathBuf, AgentError> {
    if host.is_live() {
        return Ok(host.path(path));
    }
    let (above, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    if above.is_empty() {
        return Ok(host.path(name));
    }
    Ok(place(host, above)?.join(name))
}

fn make_above(full: &Path) -> Result<(), AgentError> {
    full.parent().map_or(Ok(()), make)
}

/// Makes a directory and what is missing above it, root's, for everybody to look into.
fn make(full: &Path) -> Result<(), AgentError> {
    if full.is_dir() {
        return Ok(());
    }
    let missing: Vec<&Path> = full.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.into_iter().rev() {
        match fs::create_dir(path) {
            Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIRECTORY))
                .map_err(|error| AgentError::io("set the mode of", path, error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(AgentError::io("create", path, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
