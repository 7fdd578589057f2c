//! The guest's file systems: one [`FileSystem`](crate::FileSystem) each, and the fstab that says
//! where they belong.

pub(crate) mod ext4;
pub(crate) mod fat;
pub(crate) mod fstab;
pub(crate) mod opaque;
pub(crate) mod root;
pub(crate) mod usr;

use hardtack_partition::FsKind;

use crate::{Error, GuestPath};

/// Which file system, for people, and where it is mounted: what its errors say.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// "ext4 on partition 1".
    pub(crate) name: String,
    /// Where the guest sees it.
    pub(crate) mount: GuestPath,
}

impl Place {
    /// The path as the guest sees it.
    pub(crate) fn outside(&self, inside: &str) -> GuestPath {
        GuestPath::new(&format!("{}/{inside}", self.mount))
    }

    pub(crate) fn error(&self, what: impl ToString) -> Error {
        Error::FileSystem { file_system: self.name.clone(), what: what.to_string() }
    }
}

/// A file system and its place, for people: "ext4 on partition 1", "XFS on the whole disk".
pub(crate) fn describe(kind: FsKind, number: u32) -> String {
    let kind = if kind == FsKind::Unknown { "an unknown file system" } else { kind.name() };
    match number {
        0 => format!("{kind} on the whole disk"),
        number => format!("{kind} on partition {number}"),
    }
}
