//! A directory of the host as a guest's tree: real Debian roots in tests, unpacked images.

use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::PathBuf;

use super::{DirEntry, FileType, Identity, Metadata, Special, Tree};
use crate::{Error, GuestPath};

/// A read-only view of a directory of the host. Links are never followed by the host.
#[derive(Clone, Debug)]
pub struct HostTree {
    root: PathBuf,
}

impl HostTree {
    /// The tree below the host's directory `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn host(&self, path: &GuestPath) -> PathBuf {
        self.root.join(&path.as_str()[1..])
    }

    fn fail(&self, action: &str, path: &GuestPath, source: io::Error) -> Error {
        Error::Disk(hardtack_disk::Error::Io { action: action.to_owned(), path: self.host(path), source })
    }
}

fn kind(file_type: std::fs::FileType) -> FileType {
    if file_type.is_file() {
        FileType::Regular
    } else if file_type.is_dir() {
        FileType::Directory
    } else if file_type.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Special
    }
}

impl Tree for HostTree {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        match std::fs::symlink_metadata(self.host(path)) {
            Ok(found) => Ok(Some(Metadata {
                kind: kind(found.file_type()),
                mode: found.mode() & 0o7777,
                uid: found.uid(),
                gid: found.gid(),
                size: found.len(),
                mtime: found.mtime(),
            })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(self.fail("stat", path, error)),
        }
    }

    fn identity(&self, path: &GuestPath) -> Result<Option<Identity>, Error> {
        let Ok(found) = std::fs::symlink_metadata(self.host(path)) else { return Ok(None) };
        let (kind, device) = (found.file_type(), found.rdev());
        // As glibc's gnu_dev_major and gnu_dev_minor.
        let low = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
        let major = low((device >> 8 & 0xfff) | (device >> 32 & !0xfff));
        let minor = low((device & 0xff) | (device >> 12 & 0xffff_ff00));
        let special = match kind {
            _ if kind.is_char_device() => Some(Special::Character(major, minor)),
            _ if kind.is_block_device() => Some(Special::Block(major, minor)),
            _ if kind.is_fifo() => Some(Special::Fifo),
            _ if kind.is_socket() => Some(Special::Socket),
            _ => None,
        };
        let links = u32::try_from(found.nlink()).unwrap_or(u32::MAX);
        Ok(Some(Identity { file_system: 0, inode: found.ino(), links, special }))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.host(path)).map_err(|error| self.fail("list", path, error))? {
            let entry = entry.map_err(|error| self.fail("list", path, error))?;
            let file_type = entry.file_type().map_err(|error| self.fail("list", path, error))?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry { name, kind: kind(file_type) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let file = std::fs::File::open(self.host(path)).map_err(|error| self.fail("open", path, error))?;
        file.read_at(buf, offset).map_err(|error| self.fail("read", path, error))
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        let target =
            std::fs::read_link(self.host(path)).map_err(|error| self.fail("read the link", path, error))?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn xattrs(&self, _path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Ok(Vec::new())
    }
}
