//! `hardtack cp`: out of the image, and nowhere but below the target.
//!
//! Everything below the target is opened by a directory's handle and never through a link, so that neither a
//! link of the image nor one that lies there leads anywhere else.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hardtack_guest::{FileType, GuestPath, Metadata, Stage};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::place::{Images, Looked};
use super::{DEEPEST, data, pieces};
use crate::args::CpArgs;
use crate::error::CliError;
use crate::talk;
use crate::terminal::safe;

pub(super) fn run(arguments: &CpArgs) -> Result<u8, CliError> {
    let mut images = Images::new(&arguments.place);
    let is_directory = arguments.to.is_dir();
    let mut several = arguments.at.len() > 1;
    let ends_with_slash = arguments.to.as_os_str().as_encoded_bytes().ends_with(b"/");
    for given in &arguments.at {
        let (looked, path) = images.open(given)?;
        let stage = Stage::new(&*looked.tree);
        let found = looked.resolve(&stage, &path, false)?;
        several |= found.len() > 1;
        if !is_directory && (several || ends_with_slash) {
            return Err(CliError::new(
                crate::error::LOCAL_IO,
                format!("{}: is no directory", arguments.to.display()),
            ));
        }
        let mut copy = Copy { looked: &looked, arguments, left_out: 0 };
        for path in found {
            copy.one(&path, is_directory)?;
        }
        if copy.left_out > 0 {
            talk::note(&format!("{}: {} devices, pipes or sockets are left out", looked.name, copy.left_out));
        }
    }
    Ok(0)
}

struct Copy<'a> {
    looked: &'a Looked,
    arguments: &'a CpArgs,
    left_out: usize,
}

impl Copy<'_> {
    fn one(&mut self, path: &GuestPath, into: bool) -> Result<(), CliError> {
        let to = &self.arguments.to;
        let metadata = self.looked.existing(path)?;
        // The root has no name of its own: what is in it goes into the target.
        let (parent, name) = match (into, path.name()) {
            (true, Some(name)) => (to.as_path(), name.to_owned()),
            (true, None) => {
                let target = open_target(to)?;
                return self.directory(path, &target, to);
            }
            (false, _) => {
                let name = to.file_name().and_then(|name| name.to_str());
                let name =
                    name.ok_or_else(|| CliError::usage(format!("{}: is no name for a copy", to.display())))?;
                let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
                (parent.unwrap_or(Path::new(".")), name.to_owned())
            }
        };
        let directory = open_target(parent)?;
        self.entry(path, &metadata, &directory, &name, &parent.join(&name))?;
        if metadata.kind == FileType::Directory {
            let made =
                open_below(&directory, &name).map_err(|error| fail(&parent.join(&name), "open", error))?;
            self.directory(path, &made, &parent.join(&name))?;
            self.finish(&metadata, &directory, &name);
        }
        Ok(())
    }

    /// Copies what is in a directory.
    fn directory(&mut self, top: &GuestPath, target: &OwnedFd, shown: &Path) -> Result<(), CliError> {
        struct Level {
            path: GuestPath,
            handle: OwnedFd,
            left: std::vec::IntoIter<String>,
            own: Option<(Metadata, String)>,
        }
        let names = |path: &GuestPath| -> Result<std::vec::IntoIter<String>, CliError> {
            let entries = self.looked.tree.read_dir(path)?;
            Ok(entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>().into_iter())
        };
        let handle = target.try_clone().map_err(|error| CliError::io(shown, "open", error))?;
        let mut stack = vec![Level { path: top.clone(), handle, left: names(top)?, own: None }];
        while let Some(level) = stack.last_mut() {
            let Some(name) = level.left.next() else {
                let done = stack.pop().and_then(|level| level.own);
                if let (Some((metadata, name)), Some(above)) = (done, stack.last()) {
                    self.finish(&metadata, &above.handle, &name);
                }
                continue;
            };
            let path = level.path.join(&name);
            let Some(metadata) = self.looked.tree.lstat(&path)? else { continue };
            let inside = path.strip_prefix(top).unwrap_or_default().to_owned();
            let place = shown.join(inside);
            self.entry(&path, &metadata, &level.handle, &name, &place)?;
            if metadata.kind == FileType::Directory {
                if stack.len() >= DEEPEST {
                    let text =
                        format!("{}: directories are deeper than {DEEPEST} levels", safe(path.as_str()));
                    return Err(CliError::refused(text));
                }
                let above = &stack[stack.len() - 1].handle;
                let handle = open_below(above, &name).map_err(|error| fail(&place, "open", error))?;
                let entries = self.looked.tree.read_dir(&path)?;
                let left = entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>().into_iter();
                stack.push(Level { path, handle, left, own: Some((metadata, name)) });
            }
        }
        Ok(())
    }

    /// Makes one name in a directory.
    fn entry(
        &mut self,
        path: &GuestPath,
        metadata: &Metadata,
        directory: &OwnedFd,
        name: &str,
        shown: &Path,
    ) -> Result<(), CliError> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(CliError::refused(format!("{}: is no name for a file here", safe(path.as_str()))));
        }
        match metadata.kind {
            FileType::Directory => {
                match rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(directory_mode(metadata))) {
                    // Into one that is there; a link to one is none.
                    Ok(()) | Err(Errno::EXIST) => Ok(()),
                    Err(error) => Err(fail(shown, "make the directory", error)),
                }
            }
            FileType::Symlink => {
                let target = self.looked.tree.read_link(path)?;
                self.clear(directory, name, shown)?;
                rustix::fs::symlinkat(target, directory, name)
                    .map_err(|error| fail(shown, "make the link", error))
            }
            FileType::Regular => {
                self.vacant(directory, name, shown)?;
                let mode = Mode::from_raw_mode(file_mode(metadata));
                let (file, part) =
                    Part::make(directory, mode).map_err(|error| fail(shown, "make the file", error))?;
                let mut end = 0;
                pieces(&*self.looked.tree, path, &mut |piece| {
                    put(&file, piece, end).map_err(|error| CliError::io(shown, "write", error))?;
                    end += piece.len() as u64;
                    Ok(())
                })?;
                // What comes last may be a hole.
                file.set_len(end).map_err(|error| CliError::io(shown, "write", error))?;
                if self.arguments.preserve {
                    rustix::fs::fchmod(&file, Mode::from_raw_mode(metadata.mode & 0o777))
                        .map_err(|error| fail(shown, "set the mode", error))?;
                    rustix::fs::futimens(&file, &times(metadata))
                        .map_err(|error| fail(shown, "set the time", error))?;
                }
                part.finish(name, self.arguments.force).map_err(|error| fail(shown, "name the file", error))
            }
            FileType::Special => {
                self.left_out += 1;
                Ok(())
            }
        }
    }

    /// Takes away what `--force` may replace.
    fn clear(&self, directory: &OwnedFd, name: &str, shown: &Path) -> Result<(), CliError> {
        if self.vacant(directory, name, shown)? {
            return Ok(());
        }
        // Never a directory: unlinkat(2) refuses that.
        rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(|error| fail(shown, "replace", error))
    }

    /// Whether nothing has the name; something that may not be replaced is an error.
    fn vacant(&self, directory: &OwnedFd, name: &str, shown: &Path) -> Result<bool, CliError> {
        let exists = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => true,
            Err(Errno::NOENT) => false,
            Err(error) => return Err(fail(shown, "look at it", error)),
        };
        if exists && !self.arguments.force {
            let error = CliError::new(
                crate::error::LOCAL_IO,
                format!("{}: exists", safe(&shown.display().to_string())),
            );
            return Err(error.hint("--force replaces it"));
        }
        Ok(!exists)
    }

    /// Mode and time of a directory, when all is in it.
    fn finish(&self, metadata: &Metadata, above: &OwnedFd, name: &str) {
        if self.arguments.preserve
            && let Ok(handle) = open_below(above, name)
        {
            // The copy is complete without them.
            let _ = rustix::fs::fchmod(&handle, Mode::from_raw_mode(metadata.mode & 0o777));
            let _ = rustix::fs::futimens(&handle, &times(metadata));
        }
    }
}

/// A file under a name of its own until it is whole; without [`Part::finish`] it goes again.
struct Part<'a> {
    directory: &'a OwnedFd,
    name: String,
}

impl<'a> Part<'a> {
    fn make(directory: &'a OwnedFd, mode: Mode) -> Result<(File, Self), Errno> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let name = format!(".hardtack-{}-{serial}.part", std::process::id());
            match rustix::fs::openat(directory, &name, flags, mode) {
                Ok(file) => return Ok((File::from(file), Self { directory, name })),
                // Left by a process that had this number.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its name; only with `force` one that is taken.
    fn finish(self, name: &str, force: bool) -> Result<(), Errno> {
        if force {
            return rustix::fs::renameat(self.directory, &self.name, self.directory, name);
        }
        // Not every file system knows renameat2(2)'s flag; a second name and one less do the same.
        rustix::fs::linkat(self.directory, &self.name, self.directory, name, AtFlags::empty()).or_else(
            |error| {
                let flags = RenameFlags::NOREPLACE;
                match error {
                    Errno::EXIST => Err(error),
                    _ => rustix::fs::renameat_with(self.directory, &self.name, self.directory, name, flags),
                }
            },
        )
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing under it.
        let _ = rustix::fs::unlinkat(self.directory, &self.name, AtFlags::empty());
    }
}

/// Writes what is not zero; what is stays a hole.
fn put(file: &File, piece: &[u8], at: u64) -> std::io::Result<()> {
    for range in data(piece) {
        file.write_all_at(&piece[range.clone()], at + range.start as u64)?;
    }
    Ok(())
}

/// What not everybody may read in the image only its new owner can read here.
fn file_mode(metadata: &Metadata) -> u32 {
    let readable = if metadata.mode & 0o004 == 0 { 0o600 } else { 0o644 };
    if metadata.mode & 0o100 == 0 { readable } else { readable | (readable & 0o444) >> 2 }
}

fn directory_mode(metadata: &Metadata) -> u32 {
    if metadata.mode & 0o005 == 0o005 { 0o755 } else { 0o700 }
}

fn times(metadata: &Metadata) -> Timestamps {
    let time = Timespec { tv_sec: metadata.mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// The directory that people named; links to it are theirs.
fn open_target(path: &Path) -> Result<OwnedFd, CliError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|error| fail(path, "open the directory", error))
}

fn open_below(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

fn fail(path: &Path, action: &str, error: Errno) -> CliError {
    CliError::io(Path::new(&safe(&path.display().to_string())), action, error.into())
}
