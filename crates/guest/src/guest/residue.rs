//! What a disk holds that no file owns: deleted files, old versions, copies in a journal.

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{BlockWrite, Window};
use hardtack_ext4::Ext4;
use hardtack_partition::{FsKind, read_table};

use super::{Guest, partition_error};
use crate::volume::Place;
use crate::volume::fat::FatVolume;
use crate::{Error, FileSystem, GuestPath, Residue, volume};

impl Guest {
    /// Byte ranges of the disk that hold nothing any more, ascending; asked after
    /// [`finish_all`](Self::finish_all).
    ///
    /// # Errors
    /// When an allocation map cannot be read.
    pub fn residue(&self, which: Residue) -> Result<Vec<Range<u64>>, Error> {
        let mut ranges = Vec::new();
        for mounted in &self.mounts {
            let Some(volume) =
                self.volumes.iter().find(|volume| volume.mount.as_ref() == Some(&mounted.mount))
            else {
                continue;
            };
            let start = volume.range.start;
            let free = mounted.fs.residue(which)?;
            ranges.extend(free.into_iter().map(|range| start + range.start..start + range.end));
        }
        ranges.sort_unstable_by_key(|range| range.start);
        Ok(ranges)
    }

    /// The partition of the root file system.
    #[must_use]
    pub fn root_volume(&self) -> &super::Volume {
        self.locate(&GuestPath::root()).0
    }
}

/// What nobody owns on one partition.
pub struct VolumeResidue {
    /// The file system and its place: "ext4 on partition 1".
    pub name: String,
    /// The partition's bytes on the disk.
    pub range: Range<u64>,
    /// Byte ranges of the disk, ascending, or why they cannot be told.
    pub ranges: Result<Vec<Range<u64>>, String>,
}

/// What no file owns on the ext4 and FAT file systems of a disk, without asking what system is on it. An
/// ext4 file system that was not unmounted cleanly is recovered on `disk` for that.
///
/// # Errors
/// When the partition table cannot be read.
pub fn disk_residue(disk: Arc<dyn BlockWrite>) -> Result<Vec<VolumeResidue>, Error> {
    let table = read_table(&disk).map_err(partition_error)?;
    let mut all = Vec::new();
    for partition in table.partitions {
        let window = Window::new(disk.clone(), partition.range.clone())?;
        let kind = FsKind::detect(&window).map_err(partition_error)?.kind;
        let name = volume::describe(kind, partition.number);
        let window = Arc::new(window);
        let ranges = match kind {
            FsKind::Fat => {
                let place = Place { name: name.clone(), mount: GuestPath::root() };
                let fat = FatVolume::open(window, 0, place, &[]);
                fat.and_then(|fs| fs.residue(Residue::All)).map_err(|error| error.to_string())
            }
            kind if kind.is_ext() => {
                Ext4::open(window, 0).and_then(|fs| fs.unowned()).map_err(|error| error.to_string())
            }
            FsKind::Erofs | FsKind::Squashfs | FsKind::Iso | FsKind::Swap | FsKind::Unknown => continue,
            _ => Err("what is free in it is not known".to_owned()),
        };
        let start = partition.range.start;
        let on_disk = |range: Range<u64>| start + range.start..start + range.end;
        all.push(VolumeResidue {
            name,
            ranges: ranges.map(|ranges| ranges.into_iter().map(on_disk).collect()),
            range: partition.range,
        });
    }
    Ok(all)
}
