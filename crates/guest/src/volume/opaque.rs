//! A file system that the guest mounts and that cannot be read here: a closed door in the tree.
//!
//! Without it a path below the mount point would be looked for, or written, in the directory that
//! the mount hides.

use crate::volume::Place;
use crate::{DirEntry, Error, FileSystem, FileType, GuestPath, Metadata, Tree};

/// The mount point is a directory; everything below it is refused with the reason.
pub(crate) struct Opaque {
    place: Place,
    reason: String,
}

impl Opaque {
    pub(crate) fn new(place: Place, reason: String) -> Self {
        Self { place, reason }
    }

    fn refuse<T>(&self) -> Result<T, Error> {
        Err(Error::Refused(format!(
            "{} ({}) cannot be read: {}",
            self.place.mount, self.place.name, self.reason
        )))
    }
}

impl Tree for Opaque {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        if *path != GuestPath::root() {
            return self.refuse();
        }
        Ok(Some(Metadata { kind: FileType::Directory, mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 }))
    }

    fn read_dir(&self, _: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        self.refuse()
    }

    fn read_at(&self, _: &GuestPath, _: u64, _: &mut [u8]) -> Result<usize, Error> {
        self.refuse()
    }

    fn read_link(&self, _: &GuestPath) -> Result<String, Error> {
        self.refuse()
    }

    fn xattrs(&self, _: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.refuse()
    }
}

impl FileSystem for Opaque {
    fn describe(&self) -> String {
        self.place.name.clone()
    }

    fn read_only(&self) -> Option<String> {
        Some(self.reason.clone())
    }
}
