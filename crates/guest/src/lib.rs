//! One guest over an image: what is in it, and how it is changed.
//!
//! [`Stage`] is where every edit is made first; [`Tree`] and [`FileSystem`] are what it stands on.
//! The other modules are knowledge about guests: they read and write texts of the stage and never
//! touch a disk themselves.

#![forbid(unsafe_code)]

pub mod accounts;
mod apply;
pub mod archive;
pub mod bootloader;
mod confirm;
pub mod dpkg;
pub mod elf;
mod error;
pub mod fstab {
    //! The lines of `/etc/fstab`.

    pub use crate::volume::fstab::{spans, unescape};
}
pub mod glob;
mod guest;
pub mod initramfs;
pub mod kmod;
mod os_release;
pub mod pam;
mod path;
pub mod rpm;
mod selinux;
pub mod ssh_keys;
pub mod sshd;
mod stage;
mod tree;
mod volume;

pub use apply::{Volumes, apply};
pub use confirm::{Confirmation, Location, confirm};
pub use error::Error;
pub use guest::{
    FreeMap, Grown, Guest, Volume, VolumeResidue, disk_residue, efi_programs, free_map, grow_root,
    open_partition, partitions,
};
pub use os_release::OsRelease;
pub use path::GuestPath;
pub use selinux::{FileContexts, Policy};
pub use stage::{Change, Content, Descend, Edit, Maker, Op, READ_LIMIT, Set, Stage, State};
pub use tree::{
    Attributes, DirEntry, FileSystem, FileType, HostTree, Identity, MemoryTree, Metadata, Residue, Special,
    Tree,
};
