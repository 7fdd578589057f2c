//! Growing a partition of a disk that has become larger, with every other byte of the table kept.
//!
//! The new end is the last sector that the table allows, as growpart(8) and sgdisk(8) choose it and
//! not a multiple of 1 MiB: for a GPT the last usable sector, for an MBR the disk's last. Nothing is
//! moved: a partition that has another one behind it does not grow.

mod gpt;
mod mbr;

use std::ops::Range;

use hardtack_disk::BlockWrite;

use crate::Error;
use crate::table::{Kind, Partition, Table, read_table};

/// What becomes of a GPT whose primary or backup half is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// It is refused.
    #[default]
    Refuse,
    /// The sound half is copied over the damaged one first.
    FromSoundHalf,
}

/// What [`grow_partition`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The partition's number; 0 is a disk without a table.
    pub number: u32,
    /// Its bytes on the disk before.
    pub old: Range<u64>,
    /// Its bytes on the disk now: the same start.
    pub new: Range<u64>,
    /// What else was changed or passed over, in sentences for people.
    pub notes: Vec<String>,
}

impl Growth {
    /// Bytes that the partition gained; 0 when there was no room behind it.
    #[must_use]
    pub fn gained(&self) -> u64 {
        self.new.end.saturating_sub(self.old.end)
    }

    /// One sentence: which partition, and its old and new end.
    #[must_use]
    pub fn describe(&self) -> String {
        let name = match self.number {
            0 => "the disk without partitions".to_owned(),
            number => format!("partition {number}"),
        };
        match self.gained() {
            0 => format!("{name} reaches to the disk's end already (byte {})", self.old.end),
            gained => format!("{name} ends at byte {} instead of {} (+{gained})", self.new.end, self.old.end),
        }
    }
}

/// Extends partition `number` to the end of `disk`, which is larger than the `old_length` bytes that
/// its table was made for (or as large: then only room that was left is used).
///
/// GPT: the backup header and its entries move to the disk's new end (their old sectors become zeros),
/// the protective MBR announces the new size; entry numbers, names, GUIDs, attributes and a hybrid MBR
/// stay. MBR: only the entry's size and its CHS end change; with a logical partition also its extended
/// container and the link to it. A disk without a table (number 0) has nothing to write.
///
/// # Errors
/// [`Error::CannotGrow`] when there is no such partition, another one lies behind it, or an MBR cannot
/// express the new size (2 TiB); [`Error::Damaged`] when the table is, and for a half-damaged GPT unless
/// `repair` says otherwise. Nothing has been written then.
pub fn grow_partition(
    disk: &dyn BlockWrite,
    old_length: u64,
    number: u32,
    repair: Repair,
) -> Result<Growth, Error> {
    let source: &dyn hardtack_disk::BlockSource = &disk;
    let halves = gpt::Halves::read(source, old_length)?;
    if let Some(halves) = &halves {
        halves.judge(repair)?;
    }
    let table = match &halves {
        // The half that counts may lie where `read_table` does not look.
        Some(halves) => halves.table(source)?,
        None => read_table(source)?,
    };
    let target = find(&table, number)?;
    let behind = table.partitions.iter().filter(|other| other.range.start >= target.range.end);
    if let Some(behind) = behind.min_by_key(|other| other.range.start) {
        return Err(in_the_way(target, behind));
    }
    let mut notes = table.warnings.clone();
    let new = match (&table.kind, halves) {
        (Kind::Gpt, Some(halves)) => gpt::grow(disk, &halves, target, &mut notes)?,
        (Kind::Gpt, None) => return Err(Error::gpt("its header cannot be found again")),
        (Kind::Mbr, _) => mbr::grow(disk, target, &mut notes)?,
        (Kind::Bare, _) => 0..disk.len(),
    };
    // A disk without a table was read at its new size.
    let old = target.range.start..target.range.end.min(old_length.max(new.start));
    Ok(Growth { number, old, new, notes })
}

fn find(table: &Table, number: u32) -> Result<&Partition, Error> {
    table.partitions.iter().find(|partition| partition.number == number).ok_or_else(|| {
        let known: Vec<_> = table.partitions.iter().map(|partition| partition.number.to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Error::CannotGrow { number, what: format!("the table has no such partition (it has {known})") }
    })
}

fn in_the_way(target: &Partition, behind: &Partition) -> Error {
    let name = match behind.name.as_str() {
        "" => String::new(),
        name => format!(" {name:?}"),
    };
    Error::CannotGrow {
        number: target.number,
        what: format!(
            "partition {}{name} lies behind it (bytes {:#x} to {:#x}): only the last one of the disk can grow",
            behind.number, behind.range.start, behind.range.end
        ),
    }
}

/// Cylinder, head and sector of a sector's number as an MBR stores them (255 heads, 63 sectors, the
/// geometry that fdisk and sgdisk assume); what lies beyond 1024 cylinders is 1023, 254, 63.
fn chs(sector: u64) -> [u8; 3] {
    let (track, in_track) = (sector / 63, sector % 63 + 1);
    let (cylinder, head) = (track / 255, track % 255);
    let (cylinder, head, in_track) =
        if cylinder > 1023 { (1023, 254, 63) } else { (cylinder, head, in_track) };
    [head as u8, in_track as u8 | (cylinder >> 2 & 0xc0) as u8, cylinder as u8]
}
