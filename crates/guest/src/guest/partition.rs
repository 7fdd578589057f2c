//! Partitions by number, without asking what system is on the disk.

use std::sync::Arc;

use hardtack_disk::{BlockWrite, Window};
use hardtack_partition::{FsKind, read_table};

use super::{Volume, facts, open, partition_error};
use crate::volume::root::Candidate;
use crate::{Error, FileSystem, GuestPath};

/// The partitions of a disk and what they hold, and what was ignored in its table.
pub(super) fn candidates(disk: &Arc<dyn BlockWrite>) -> Result<(Vec<Candidate>, Vec<String>), Error> {
    let table = read_table(disk).map_err(partition_error)?;
    let mut candidates = Vec::new();
    for partition in table.partitions {
        let window = Window::new(disk.clone(), partition.range.clone())?;
        let content = FsKind::detect(&window).map_err(partition_error)?;
        candidates.push(Candidate {
            partition,
            kind: content.kind,
            label: content.label,
            uuid: content.uuid,
        });
    }
    Ok((candidates, table.warnings))
}

/// The partitions of a disk, by number; nothing is mounted.
///
/// # Errors
/// When the partition table cannot be read.
pub fn partitions(disk: &Arc<dyn BlockWrite>) -> Result<Vec<Volume>, Error> {
    Ok(candidates(disk)?.0.iter().map(facts).collect())
}

/// The file system on the partition `number`, or with 0 on a disk without partitions: ext2, ext3, ext4 or
/// FAT. An ext4 file system that was not unmounted cleanly is recovered on `disk` for that.
///
/// # Errors
/// When there is no such partition, or it cannot be read.
pub fn open_partition(disk: &Arc<dyn BlockWrite>, number: u32) -> Result<Box<dyn FileSystem>, Error> {
    let (candidates, _) = candidates(disk)?;
    let Some(found) = candidates.iter().find(|candidate| candidate.partition.number == number) else {
        let all: Vec<String> = candidates.iter().map(|one| one.partition.number.to_string()).collect();
        let what = match all.as_slice() {
            [only] if only == "0" => "the disk has no partitions: 0 names the whole of it".to_owned(),
            _ => format!("the disk has the partitions {}", all.join(", ")),
        };
        return Err(Error::Refused(format!("there is no partition {number}; {what}")));
    };
    open(disk, found, &GuestPath::root(), 0, &[])
}
