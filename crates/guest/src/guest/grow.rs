//! A root that fills a disk which has become larger: the partition first, then the file system.

use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite, Window};
use hardtack_ext4::Ext4;
use hardtack_partition::{Growth, Repair, grow_partition};

use super::{Guest, partition_error};
use crate::Error;

/// What [`grow_root`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The partition's old and new end.
    pub partition: Growth,
    /// Size of the file system before, in bytes.
    pub old: u64,
    /// Size of the file system now, in bytes.
    pub new: u64,
}

/// Grows the root partition and its file system to the end of `disk`, which was `old_length` bytes long
/// when it was partitioned.
///
/// # Errors
/// As [`Guest::open`]; [`Error::Refused`] when another partition lies behind the root, and
/// [`Error::FileSystem`] when the file system has no room for the descriptors of so many groups.
pub fn grow_root(disk: &Arc<dyn BlockWrite>, old_length: u64, epoch: i64) -> Result<Grown, Error> {
    // As long as it was: a backup of the partition table is looked for where it lies.
    let guest = Guest::open(Arc::new(Window::new(disk.clone(), 0..old_length)?), epoch)?;
    let root = guest.root_volume().clone();
    drop(guest);
    let partition = grow_partition(disk, old_length, root.number, Repair::Refuse).map_err(partition_error)?;
    let failed = |error: hardtack_ext4::Error| Error::FileSystem {
        file_system: root.describe(),
        what: format!("cannot grow: {error}"),
    };
    let window = Arc::new(Window::new(disk.clone(), partition.new.clone())?);
    let length = window.len();
    let mut fs = Ext4::open(window, epoch).map_err(failed)?;
    let old = fs.superblock().bytes();
    let new = fs.grow(length).map_err(failed)?;
    fs.finish().map_err(failed)?;
    Ok(Grown { partition, old, new })
}
