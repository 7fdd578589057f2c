//! An image or a snapshot of a cloud as a disk that is read block by block.
//!
//! - [`Name`]: what a source is called by. [`resolve`]: which image and snapshot that is.
//! - [`SnapshotSource`]: the snapshot as a disk (EBS direct: `ListSnapshotBlocks`, `GetSnapshotBlock`).

mod access;
mod blocks;
mod index;
mod name;
mod resolve;
#[cfg(test)]
mod tests;

pub use blocks::SnapshotSource;
pub use name::Name;
pub use resolve::{Resolved, resolve};
