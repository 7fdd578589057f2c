//! Editing ext4 file systems inside disk images, and reading them back with a second
//! implementation.
//!
//! [`Ext4`] reads and changes one file system on a [`BlockWrite`](hardtack_disk::BlockWrite) disk
//! (an in-memory overlay over the image); [`ViewTree`] reads it through an independent crate.
//!
//! * [`superblock`]: what the superblock says, and which file systems are refused, by name;
//! * `fs`, `edit`: the operations, over `rust-fs-ext4` 0.8.0;
//! * [`view`]: the second opinion, over `ext4-view` 1.0.
//!
//! Paths are absolute and literal: symbolic links are never followed. All times that an edit
//! writes come from the clock given to [`Ext4::open`]; nothing is random, so the same edits on the
//! same bytes give the same bytes. The driver's journal is not used: an edit is made on a private
//! copy that becomes visible as a whole, so the journal (which must be empty) stays as it is.

#![forbid(unsafe_code)]
#![allow(dead_code)]

mod allocate;
mod bytes;
mod checksum;
mod device;
mod directory;
mod edit;
mod error;
mod fs;
mod group;
mod inline;
mod inode;
mod journal;
mod map;
mod orphan;
mod removal;
pub mod superblock;
pub mod view;
#[cfg(test)]
mod testing;
mod volume;
mod xattr;

pub use error::Error;
pub use fs::{Entry, Ext4, Kind, Stat};
pub use superblock::Superblock;
pub use view::{ViewError, ViewTree};
