//! GPT, through the `gpt` crate, which is kept from what it does not survive.
//!
//! `gpt` 4.1 allocates the entry array by what the header claims and asserts an entry size of
//! 128 bytes, so headers are judged here between its two steps. It looks for the backup only
//! at the disk's last sector; a disk that was enlarged has it where the primary header says.

use std::ops::Range;

use gpt::disk::LogicalBlockSize;
use gpt::header::{Header, read_header_from_arbitrary_device};
use gpt::partition::file_read_partitions;
use hardtack_disk::BlockSource;

use crate::device::Device;
use crate::table::byte_range;
use crate::{Error, Kind, Partition, Table};

/// Size of an entry in bytes: the kernel reads no other.
const ENTRY: u32 = 128;
/// The kernel's limit of the entry array (4 MiB) in entries.
const ENTRIES: u32 = 32_768;
/// Attribute bit 2: legacy BIOS bootable.
const BOOTABLE: u64 = 1 << 2;

/// A failed attempt: the disk's own error ends everything, a bad header only this attempt.
enum Attempt {
    Disk(hardtack_disk::Error),
    Bad(String),
}

/// Reads and checks the header at `lba` and the entries that it names.
fn attempt(
    disk: &dyn BlockSource,
    size: LogicalBlockSize,
    lba: u64,
) -> Result<(Header, Vec<(u32, gpt::partition::Partition)>), Attempt> {
    let sector = size.as_u64();
    // The crate reads a header at sector 1 of what it is given.
    let base = lba.checked_sub(1).and_then(|before| before.checked_mul(sector)).unwrap_or(u64::MAX);
    if base.checked_add(2 * sector).is_none_or(|end| end > disk.len()) {
        return Err(Attempt::Bad(format!("no header at sector {lba}, beyond the disk's end")));
    }
    let mut device = Device::new(disk, base);
    let header = read_header_from_arbitrary_device(&mut device, size);
    if let Some(error) = device.failure.take() {
        return Err(Attempt::Disk(error));
    }
    let header = header.map_err(|error| Attempt::Bad(format!("header at sector {lba}: {error}")))?;
    let last = disk.len() / sector - 1;
    let bad = |what: String| Err(Attempt::Bad(format!("header at sector {lba}: {what}")));
    if header.current_lba != lba {
        return bad(format!("it says that it lies at sector {}", header.current_lba));
    }
    if header.part_size != ENTRY {
        return bad(format!("entries of {} bytes, where {ENTRY} are known", header.part_size));
    }
    if header.num_parts > ENTRIES {
        return bad(format!("{} entries, where {ENTRIES} are the most", header.num_parts));
    }
    if header.last_usable > last || header.first_usable > last {
        return bad(format!(
            "its last usable sector is {}, but the disk's last is {last}: is the image truncated?",
            header.last_usable
        ));
    }
    let array = byte_range(disk.len(), sector, header.part_start, 1).map(|range| range.start);
    let end = array.ok().and_then(|start| start.checked_add(u64::from(header.num_parts) * u64::from(ENTRY)));
    if end.is_none_or(|end| end > disk.len()) {
        return bad(format!("its entries at sector {} reach beyond the disk's end", header.part_start));
    }
    let mut device = Device::new(disk, 0);
    let entries = file_read_partitions(&mut device, &header, size);
    match (entries, device.failure.take()) {
        (_, Some(error)) => Err(Attempt::Disk(error)),
        (Ok(entries), None) => Ok((header, entries.into_iter().collect())),
        (Err(error), None) => Err(Attempt::Bad(format!("header at sector {lba}: {error}"))),
    }
}

/// True when a GPT header's signature is where a header can be.
pub(crate) fn is_there(disk: &dyn BlockSource) -> Result<bool, Error> {
    Ok(signed(disk)?.is_some())
}

/// The sector size whose header carries the signature; 512 when none does.
fn sector_size(disk: &dyn BlockSource) -> Result<LogicalBlockSize, Error> {
    Ok(signed(disk)?.unwrap_or(LogicalBlockSize::Lb512))
}

/// The size of the sectors, in bytes, that the table's signature gives away.
pub(crate) fn signed_sector(disk: &dyn BlockSource) -> Result<Option<u64>, Error> {
    Ok(signed(disk)?.map(|size| size.as_u64()))
}

/// The same for a backup header in the last sector of what is the disk up to `length`.
pub(crate) fn signed_at_end(disk: &dyn BlockSource, length: u64) -> Result<Option<u64>, Error> {
    signed_sector(&hardtack_disk::Window::new(disk, 0..length)?)
}

fn signed(disk: &dyn BlockSource) -> Result<Option<LogicalBlockSize>, Error> {
    for size in [LogicalBlockSize::Lb512, LogicalBlockSize::Lb4096] {
        let sector = size.as_u64();
        let Some(last) = (disk.len() / sector).checked_sub(1) else { continue };
        for lba in [1, last] {
            let mut magic = [0; 8];
            if lba > 0 && lba <= last {
                disk.read_at(lba * sector, &mut magic)?;
            }
            if &magic == b"EFI PART" {
                return Ok(Some(size));
            }
        }
    }
    Ok(None)
}

/// Bytes of a disk that a GPT speaks of.
pub(crate) struct Layout {
    /// What it leaves to partitions.
    pub(crate) usable: Range<u64>,
    /// What its own halves take.
    pub(crate) own: Vec<Range<u64>>,
    /// What lies behind both halves, on a disk that was enlarged.
    pub(crate) behind: Range<u64>,
}

/// What a GPT takes and leaves. `None` unless both halves are sound and say the same.
pub(crate) fn layout(disk: &dyn BlockSource) -> Result<Option<Layout>, Error> {
    let size = sector_size(disk)?;
    let sector = size.as_u64();
    let half = |lba| match attempt(disk, size, lba) {
        Ok((header, _)) => Ok(Some(header)),
        Err(Attempt::Disk(error)) => Err(Error::from(error)),
        Err(Attempt::Bad(_)) => Ok(None),
    };
    let Some(primary) = half(1)? else { return Ok(None) };
    let Some(backup) = half(primary.backup_lba)? else { return Ok(None) };
    let limits = |header: &Header| (header.first_usable, header.last_usable);
    if limits(&primary) != limits(&backup) || primary.last_usable < primary.first_usable {
        return Ok(None);
    }
    let mut own = Vec::new();
    for header in [&primary, &backup] {
        // The numbers were judged: they lie inside the disk.
        let entries = header.part_start * sector;
        own.push(header.current_lba * sector..(header.current_lba + 1) * sector);
        own.push(entries..entries + u64::from(header.num_parts) * u64::from(ENTRY));
    }
    own.push(0..sector);
    let usable = primary.first_usable * sector..(primary.last_usable + 1) * sector;
    let end = own.iter().map(|range| range.end).fold(usable.end, u64::max);
    Ok(Some(Layout { behind: end..disk.len().max(end), usable, own }))
}

pub(crate) fn read(disk: &dyn BlockSource) -> Result<Table, Error> {
    let size = sector_size(disk)?;
    let sector = size.as_u64();
    let last = (disk.len() / sector).saturating_sub(1);
    let mut warnings = Vec::new();
    let entries = match attempt(disk, size, 1) {
        Ok((_, entries)) => entries,
        Err(Attempt::Disk(error)) => return Err(error.into()),
        Err(Attempt::Bad(primary)) => match attempt(disk, size, last) {
            Ok((_, entries)) => {
                warnings.push(format!(
                    "the primary GPT is damaged ({primary}); its backup at the disk's end is used here, but the guest's kernel refuses it unless booted with \"gpt\": repair it in gdisk's recovery menu (`r`)"
                ));
                entries
            }
            Err(Attempt::Disk(error)) => return Err(error.into()),
            Err(Attempt::Bad(backup)) => return Err(Error::gpt(format!("{primary}; backup: {backup}"))),
        },
    };
    let mut partitions = Vec::new();
    for (number, entry) in entries {
        let type_guid = entry.part_type_guid.guid;
        if type_guid.is_nil() {
            continue;
        }
        let count =
            entry.last_lba.checked_sub(entry.first_lba).and_then(|more| more.checked_add(1)).unwrap_or(0);
        match byte_range(disk.len(), sector, entry.first_lba, count) {
            Ok(range) => partitions.push(Partition {
                number,
                range,
                type_guid: Some(type_guid.to_string()),
                mbr_type: None,
                partition_guid: Some(entry.part_guid.to_string()),
                name: entry.name,
                bootable: entry.flags & BOOTABLE != 0,
            }),
            Err(reason) => warnings.push(format!("GPT partition {number} {reason}; it is ignored")),
        }
    }
    Ok(Table { kind: Kind::Gpt, sector_size: sector, partitions, warnings })
}
