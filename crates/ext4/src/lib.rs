//! Editing ext4 file systems inside disk images, and reading them back with a second
//! implementation.
//!
//! [`Ext4`] reads and changes one file system on a [`BlockWrite`](hardtack_disk::BlockWrite) disk
//! (an in-memory overlay over the image); [`ViewTree`] reads it through an independent crate.
//!
//! * [`superblock`]: what the superblock says, and which file systems are refused, by name;
//! * `fs`, `edit`, `grow`, `residue`: the operations, by path and on the whole;
//! * `volume`: the blocks, descriptors and inodes, and the operation under way;
//! * `allocate`, `map`, `directory`, `xattr`, `inline`: what an inode consists of;
//! * `journal`, `orphan`: what an unclean shutdown left behind;
//! * [`view`]: the second opinion, over `ext4-view` 1.0.
//!
//! Paths are absolute and literal: symbolic links are never followed. All times that an edit
//! writes come from the clock given to [`Ext4::open`]; nothing is random, so the same edits on the
//! same bytes give the same bytes. An edit writes no journal: it is made on a private copy that becomes
//! visible as a whole. A journal that an unclean shutdown left is replayed first.

#![forbid(unsafe_code)]

mod allocate;
mod bytes;
mod checksum;
mod directory;
mod edit;
mod error;
mod fs;
mod group;
mod grow;
mod inline;
mod inode;
mod journal;
mod map;
mod orphan;
mod removal;
mod residue;
pub mod superblock;
#[cfg(test)]
mod testing;
pub mod view;
mod volume;
mod xattr;

pub use error::Error;
pub use fs::{Entry, Ext4, Kind, Special, Stat};
pub use superblock::Superblock;
pub use view::{ViewError, ViewTree};
