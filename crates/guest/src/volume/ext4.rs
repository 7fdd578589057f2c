//! An ext4 file system of the guest.

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_ext4::{Error as Ext4Error, Ext4, Kind, Special as Ext4Special, Stat};

use crate::volume::Place;
use crate::{
    Attributes, DirEntry, Error, FileSystem, FileType, GuestPath, Identity, Metadata, Residue, Special, Tree,
};

/// An ext4 file system and where it belongs.
pub(crate) struct Ext4Volume {
    fs: Ext4,
    place: Place,
}

impl Ext4Volume {
    pub(crate) fn open(disk: Arc<dyn BlockWrite>, epoch: i64, place: Place) -> Result<Self, Error> {
        let fs = Ext4::open(disk, epoch).map_err(|error| translate(&place, error))?;
        Ok(Self { fs, place })
    }

    pub(crate) fn set_mount(&mut self, mount: GuestPath) {
        self.place.mount = mount;
    }

    fn failed(&self, error: Ext4Error) -> Error {
        translate(&self.place, error)
    }
}

fn translate(place: &Place, error: Ext4Error) -> Error {
    match error {
        Ext4Error::Disk(error) => Error::Disk(error),
        Ext4Error::Missing { path } => Error::Missing { path: place.outside(&path) },
        Ext4Error::WrongType { path, found, wanted } => {
            Error::WrongType { path: place.outside(&path), found: found.describe(), wanted }
        }
        other => place.error(other),
    }
}

/// The type as a tree of the guest names it.
pub(crate) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Regular => FileType::Regular,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Special => FileType::Special,
    }
}

fn metadata(stat: Stat) -> Metadata {
    Metadata {
        kind: file_type(stat.kind),
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        mtime: stat.mtime,
    }
}

impl Tree for Ext4Volume {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        let stat = self.fs.lstat(path.as_str()).map_err(|error| self.failed(error))?;
        Ok(stat.map(metadata))
    }

    fn identity(&self, path: &GuestPath) -> Result<Option<Identity>, Error> {
        let stat = self.fs.lstat(path.as_str()).map_err(|error| self.failed(error))?;
        let Some(stat) = stat else { return Ok(None) };
        let special = match stat.kind {
            Kind::Special => self.fs.special(path.as_str()).map_err(|error| self.failed(error))?,
            _ => None,
        };
        let special = special.map(|special| match special {
            Ext4Special::Character(major, minor) => Special::Character(major, minor),
            Ext4Special::Block(major, minor) => Special::Block(major, minor),
            Ext4Special::Fifo => Special::Fifo,
            Ext4Special::Socket => Special::Socket,
            Ext4Special::Unknown => Special::Unknown,
        });
        let (inode, links) = (u64::from(stat.inode), u32::from(stat.links));
        Ok(Some(Identity { file_system: 0, inode, links, special }))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let entries = self.fs.read_dir(path.as_str()).map_err(|error| self.failed(error))?;
        Ok(entries
            .into_iter()
            .map(|entry| DirEntry { name: entry.name, kind: file_type(entry.kind) })
            .collect())
    }

    fn read_dir_stat(&self, path: &GuestPath) -> Result<Vec<(String, Metadata)>, Error> {
        let entries = self.fs.read_dir_stat(path.as_str()).map_err(|error| self.failed(error))?;
        Ok(entries.into_iter().map(|(entry, stat)| (entry.name, metadata(stat))).collect())
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.fs.read_at(path.as_str(), offset, buf).map_err(|error| self.failed(error))
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        self.fs.read_link(path.as_str()).map_err(|error| self.failed(error))
    }

    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.fs.xattrs(path.as_str()).map_err(|error| self.failed(error))
    }
}

/// Runs one edit and gives its error the guest's path.
macro_rules! edit {
    ($volume:ident, $($call:tt)*) => {{
        let place = &$volume.place;
        $volume.fs.$($call)*.map_err(|error| translate(place, error))
    }};
}

impl FileSystem for Ext4Volume {
    fn describe(&self) -> String {
        self.place.name.clone()
    }

    fn read_only(&self) -> Option<String> {
        self.fs.read_only_reason().map(str::to_owned)
    }

    fn create(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        edit!(self, create(path.as_str(), attributes.mode, attributes.uid, attributes.gid))
    }

    fn set_content(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        edit!(self, set_content(path.as_str(), content))
    }

    fn append(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        edit!(self, append(path.as_str(), content))
    }

    fn mkdir(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        edit!(self, mkdir(path.as_str(), attributes.mode, attributes.uid, attributes.gid))
    }

    fn symlink(&mut self, path: &GuestPath, target: &str, attributes: Attributes) -> Result<(), Error> {
        edit!(self, symlink(path.as_str(), target, attributes.uid, attributes.gid))
    }

    fn hard_link(&mut self, original: &GuestPath, path: &GuestPath) -> Result<(), Error> {
        edit!(self, hard_link(original.as_str(), path.as_str()))
    }

    fn remove(&mut self, path: &GuestPath) -> Result<(), Error> {
        edit!(self, remove(path.as_str()))
    }

    fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        edit!(self, rename(from.as_str(), to.as_str()))
    }

    fn set_mode(&mut self, path: &GuestPath, mode: u32) -> Result<(), Error> {
        edit!(self, set_mode(path.as_str(), mode))
    }

    fn set_owner(&mut self, path: &GuestPath, uid: u32, gid: u32) -> Result<(), Error> {
        edit!(self, set_owner(path.as_str(), uid, gid))
    }

    fn set_mtime(&mut self, path: &GuestPath, seconds: i64) -> Result<(), Error> {
        edit!(self, set_mtime(path.as_str(), seconds))
    }

    fn set_xattr(&mut self, path: &GuestPath, name: &str, value: &[u8]) -> Result<(), Error> {
        edit!(self, set_xattr(path.as_str(), name, value))
    }

    fn finish(&mut self) -> Result<(), Error> {
        edit!(self, finish())
    }

    fn residue(&self, which: Residue) -> Result<Vec<Range<u64>>, Error> {
        let found = match which {
            Residue::OfEdits => self.fs.given_up(),
            Residue::All => self.fs.unowned(),
        };
        found.map_err(|error| self.failed(error))
    }
}
