//! Which bytes of a disk nobody can read anything from: by the allocation maps of its file systems and by its
//! partition table.
//!
//! It is for snapshots whose missing blocks read as noise (an encrypted one of EBS). So what is free here must be
//! provably never read: by the kernel, by a boot loader, by the recovery of a journal. Unlike
//! [`disk_residue`](super::disk_residue), which says what need not be carried on and reads as zeros then. A journal is
//! in use, an unknown file system is in use as a whole, and so is one that would be recovered at its next mount: what
//! the recovery gives back, it reads before.

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::ranges::merge;
use hardtack_disk::{BlockSource, Overlay, Window};
use hardtack_ext4::Ext4;
use hardtack_partition::{FsKind, Partition, free_gaps, read_table};

use crate::volume::Place;
use crate::volume::fat::FatVolume;
use crate::{Error, GuestPath, volume};

/// The partition type of CoreOS' and Flatcar's `/usr`: dm-verity has the digests of all of it, free blocks included.
const COREOS_USR: &str = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";
/// What the superblock of a dm-verity hash tree begins with (cryptsetup, `lib/verity/verity.c`).
const VERITY: &[u8; 8] = b"verity\0\0";

/// What is free on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreeMap {
    /// Byte ranges of the disk, ascending and disjoint.
    pub ranges: Vec<Range<u64>>,
    /// What was taken as in use without a look into it, and why, in sentences for people.
    pub notes: Vec<String>,
}

/// What nobody reads on `disk`. Nothing is written. What cannot be told is in use.
///
/// # Errors
/// When the disk cannot be read.
pub fn free_map(disk: Arc<dyn BlockSource>) -> Result<FreeMap, Error> {
    let mut map = FreeMap::default();
    let table = match read_table(&disk) {
        Ok(table) => table,
        Err(hardtack_partition::Error::Disk(error)) => return Err(error.into()),
        Err(error) => {
            map.notes.push(format!("all of the disk counts as in use: {error}"));
            return Ok(map);
        }
    };
    for partition in &table.partitions {
        if begins_with_verity(&disk, partition)? {
            map.notes.push(format!(
                "all of the disk counts as in use: partition {} has digests of whole partitions (dm-verity)",
                partition.number
            ));
            return Ok(map);
        }
    }
    let mut ranges = match free_gaps(&disk, &table) {
        Ok(gaps) => gaps,
        Err(hardtack_partition::Error::Disk(error)) => return Err(error.into()),
        Err(_) => Vec::new(),
    };
    // Recoveries write there, and nowhere else.
    let overlay = Arc::new(Overlay::new(disk));
    for partition in &table.partitions {
        match of_partition(&overlay, partition) {
            Ok(free) => {
                let start = partition.range.start;
                ranges.extend(free.into_iter().map(|range| start + range.start..start + range.end));
            }
            Err(Reason::Disk(error)) => return Err(error.into()),
            Err(Reason::InUse(why)) => map.notes.push(why),
        }
    }
    map.ranges = merge(ranges);
    Ok(map)
}

/// Why nothing of a partition is free.
enum Reason {
    Disk(hardtack_disk::Error),
    InUse(String),
}

impl From<hardtack_disk::Error> for Reason {
    fn from(error: hardtack_disk::Error) -> Self {
        Self::Disk(error)
    }
}

fn begins_with_verity(disk: &dyn BlockSource, partition: &Partition) -> Result<bool, Error> {
    let mut magic = [0; 8];
    if partition.range.end - partition.range.start >= 8 {
        disk.read_at(partition.range.start, &mut magic)?;
    }
    Ok(&magic == VERITY)
}

/// The free ranges of a partition, in bytes from its start.
fn of_partition(
    disk: &Arc<Overlay<Arc<dyn BlockSource>>>,
    partition: &Partition,
) -> Result<Vec<Range<u64>>, Reason> {
    let window = Window::new(disk.clone(), partition.range.clone())?;
    let kind = match FsKind::detect(&window) {
        Ok(content) => content.kind,
        Err(hardtack_partition::Error::Disk(error)) => return Err(Reason::Disk(error)),
        Err(error) => return Err(Reason::InUse(error.to_string())),
    };
    let name = volume::describe(kind, partition.number);
    let in_use = |why: String| Reason::InUse(format!("{name} counts as in use as a whole: {why}"));
    if partition.type_guid.as_deref() == Some(COREOS_USR) {
        return Err(in_use("its type says that dm-verity has digests of it".to_owned()));
    }
    let window = Arc::new(window);
    let free = match kind {
        FsKind::Fat => {
            let place = Place { name: name.clone(), mount: GuestPath::root() };
            match FatVolume::open(window, 0, place, &[]).and_then(|fs| fs.free()) {
                Err(Error::Disk(error)) => return Err(Reason::Disk(error)),
                free => free.map_err(|error| error.to_string()),
            }
        }
        kind if kind.is_ext() => match Ext4::open(window, 0) {
            Ok(fs) => match (fs.read_only_reason(), fs.free()) {
                (Some(why), _) => Err(why.to_owned()),
                (None, Err(hardtack_ext4::Error::Disk(error))) => return Err(Reason::Disk(error)),
                (None, free) => free.map_err(|error| error.to_string()),
            },
            Err(hardtack_ext4::Error::Disk(error)) => return Err(Reason::Disk(error)),
            Err(error) => Err(error.to_string()),
        },
        // GRUB's second stage and the like: nothing to say about it.
        FsKind::Unknown | FsKind::Swap => return Ok(Vec::new()),
        _ => Err("what is free in it is not known here".to_owned()),
    };
    let free = free.map_err(in_use)?;
    if !disk.changed_ranges(partition.range.clone()).is_empty() {
        return Err(in_use(
            "it was not unmounted cleanly, and its recovery reads what is free after it".to_owned(),
        ));
    }
    Ok(free)
}
