//! What lies between partitions, as far as nobody can read anything from it.
//!
//! Not free, whatever a table says: the table itself with its backup; what a boot sector's code may load (GRUB's
//! `core.img` lies between an MBR and the first partition, `grub-core/kern/partition.c` and GRUB's manual, "BIOS
//! installation"; other loaders do the same before a GPT's); the inside of an extended partition, where each logical
//! one has a table before it; and all of a disk whose table is doubtful, or that is something else besides (an ISO
//! image, a member of a RAID).

use std::ops::Range;

use hardtack_disk::BlockSource;
use hardtack_disk::ranges::{merge, uncovered};

use crate::mbr::{SECTOR, entries};
use crate::{Error, FsKind, Kind, Table, gpt_table};

/// Bytes at the end of a disk in which signatures are looked for.
const LOOKED_AT: u64 = 1 << 20;
/// Bytes of sector 0 that are boot code.
const CODE: usize = 440;

/// The byte ranges of `disk` outside its partitions that nobody reads, ascending. `table` is the disk's. Where there
/// is any doubt, none.
///
/// # Errors
/// When the disk cannot be read.
pub fn free_gaps(disk: &dyn BlockSource, table: &Table) -> Result<Vec<Range<u64>>, Error> {
    let mut first = [0; SECTOR as usize];
    if table.kind == Kind::Bare || !table.warnings.is_empty() || disk.len() < SECTOR {
        return Ok(Vec::new());
    }
    disk.read_at(0, &mut first)?;
    let entries = entries(&first);
    if FsKind::detect(disk)?.kind != FsKind::Unknown || entries.iter().any(|entry| entry.is_dynamic()) {
        return Ok(Vec::new());
    }
    let (usable, behind, mut used) = match table.kind {
        Kind::Gpt => match gpt_table::layout(disk)? {
            Some(gpt) => (gpt.usable, gpt.behind, gpt.own),
            None => return Ok(Vec::new()),
        },
        _ => (SECTOR..disk.len(), 0..0, Vec::new()),
    };
    used.extend(table.partitions.iter().map(|partition| partition.range.clone()));
    // An extended partition, or what a hybrid MBR has beside the GPT.
    for entry in entries.iter().filter(|entry| entry.is_used() && !entry.is_protective()) {
        let end = entry.first.saturating_add(entry.count);
        used.push(entry.first.saturating_mul(SECTOR)..end.saturating_mul(SECTOR));
    }
    if table.kind == Kind::Mbr || first[..CODE].iter().any(|byte| *byte != 0) {
        let starts = table.partitions.iter().map(|partition| partition.range.start);
        used.push(0..starts.min().unwrap_or(disk.len()));
    }
    let used = merge(used);
    // At a disk's end a backup table, and members of a RAID, are looked for.
    let behind = behind.start..behind.end.saturating_sub(LOOKED_AT);
    let mut free = uncovered(&used, usable);
    if !behind.is_empty() {
        free.extend(uncovered(&used, behind));
    }
    Ok(free)
}
