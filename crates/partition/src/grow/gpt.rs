//! Growing the last partition of a GPT (UEFI specification 2.10, section 5.3), byte by byte: the
//! table's two halves are patched, never rebuilt, so that what is not understood here stays.

use std::ops::Range;

use hardtack_disk::{BlockSource, BlockWrite};

use super::{Repair, chs};
use crate::table::{Partition, Table, read_table};
use crate::{Error, gpt_table};

/// Bytes of an entry; the reader refuses any other.
const ENTRY: u64 = 128;
/// Bytes of a header; the reader takes the checksum of no other.
const HEADER: usize = 92;
/// The specification's least size of the entry array in bytes.
const LEAST_ARRAY: u64 = 16 * 1024;
/// The reader's limit of entries.
const ENTRIES: u64 = 32_768;

/// Offsets of a header's fields.
mod field {
    pub(super) const SIZE: usize = 12;
    pub(super) const CRC: usize = 16;
    pub(super) const MY_LBA: usize = 24;
    pub(super) const ALTERNATE_LBA: usize = 32;
    pub(super) const FIRST_USABLE: usize = 40;
    pub(super) const LAST_USABLE: usize = 48;
    pub(super) const ENTRIES_LBA: usize = 72;
    pub(super) const ENTRY_COUNT: usize = 80;
    pub(super) const ENTRY_SIZE: usize = 84;
    pub(super) const ENTRIES_CRC: usize = 88;
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// A header's sector and its entries, both as they are on the disk, with sound checksums.
#[derive(Clone)]
pub(super) struct Half {
    header: Vec<u8>,
    entries: Vec<u8>,
}

impl Half {
    /// The half whose header is sector `lba` of `sector` bytes, or why there is none.
    fn read(disk: &dyn BlockSource, sector: u64, lba: u64) -> Result<Result<Self, String>, Error> {
        let bad = |what: String| Ok(Err(format!("the header at sector {lba} {what}")));
        let start = lba
            .checked_mul(sector)
            .filter(|start| lba > 0 && start.checked_add(sector).is_some_and(|end| end <= disk.len()));
        let Some(start) = start else { return bad("would lie outside the disk".to_owned()) };
        let mut header = vec![0; sector as usize];
        disk.read_at(start, &mut header)?;
        if !header.starts_with(b"EFI PART") {
            return bad("has no signature".to_owned());
        }
        let size = le32(&header, field::SIZE) as usize;
        if size != HEADER {
            return bad(format!("says that it is {size} bytes long, where {HEADER} are known"));
        }
        if header_crc(&header) != le32(&header, field::CRC) {
            return bad("has a wrong checksum".to_owned());
        }
        if le64(&header, field::MY_LBA) != lba {
            return bad(format!("says that it lies at sector {}", le64(&header, field::MY_LBA)));
        }
        // What the reader refuses must not be copied over a half that it reads.
        let last = disk.len() / sector - 1;
        for (at, which) in [(field::FIRST_USABLE, "first"), (field::LAST_USABLE, "last")] {
            let usable = le64(&header, at);
            if usable > last {
                return bad(format!(
                    "says that its {which} usable sector is {usable}, but the disk's last is {last}"
                ));
            }
        }
        let (count, entry) =
            (u64::from(le32(&header, field::ENTRY_COUNT)), u64::from(le32(&header, field::ENTRY_SIZE)));
        if entry != ENTRY || count > ENTRIES {
            return bad(format!(
                "has {count} entries of {entry} bytes, where at most {ENTRIES} of {ENTRY} are known"
            ));
        }
        let first = le64(&header, field::ENTRIES_LBA).checked_mul(sector);
        let end = first.and_then(|first| first.checked_add(count * ENTRY));
        let (Some(first), Some(end)) = (first, end) else {
            return bad("has entries outside the disk".to_owned());
        };
        if end > disk.len() || first < sector {
            return bad("has entries outside the disk".to_owned());
        }
        let mut entries = vec![0; (count * ENTRY) as usize];
        disk.read_at(first, &mut entries)?;
        if crc32fast::hash(&entries) != le32(&header, field::ENTRIES_CRC) {
            return bad("has entries with a wrong checksum".to_owned());
        }
        Ok(Ok(Self { header, entries }))
    }

    fn get(&self, at: usize) -> u64 {
        le64(&self.header, at)
    }

    /// Writes the half so that its header is sector `lba` and its entries start at `entries`.
    fn write(
        &self,
        disk: &dyn BlockWrite,
        sector: u64,
        lba: u64,
        entries: u64,
        other: u64,
    ) -> Result<(), Error> {
        let mut header = self.header.clone();
        put64(&mut header, field::MY_LBA, lba);
        put64(&mut header, field::ALTERNATE_LBA, other);
        put64(&mut header, field::ENTRIES_LBA, entries);
        header[field::ENTRIES_CRC..field::ENTRIES_CRC + 4]
            .copy_from_slice(&crc32fast::hash(&self.entries).to_le_bytes());
        let sum = header_crc(&header);
        header[field::CRC..field::CRC + 4].copy_from_slice(&sum.to_le_bytes());
        disk.write_at(entries * sector, &self.entries)?;
        disk.write_at(lba * sector, &header)?;
        Ok(())
    }
}

/// The sum over the header's own length, with the field of the sum taken as zeros.
fn header_crc(header: &[u8]) -> u32 {
    let size = (le32(header, field::SIZE) as usize).min(header.len());
    let mut bytes = header[..size].to_vec();
    bytes[field::CRC..field::CRC + 4].fill(0);
    crc32fast::hash(&bytes)
}

/// Both halves of a table, each as found or the reason why it cannot be used.
pub(super) struct Halves {
    sector: u64,
    primary: Result<Half, String>,
    backup: Result<Half, String>,
    /// Where the backup header was looked for.
    backup_lba: u64,
}

impl Halves {
    /// `None` when the disk has no GPT that its MBR announces.
    pub(super) fn read(disk: &dyn BlockSource, old_length: u64) -> Result<Option<Self>, Error> {
        if !crate::mbr::announces_gpt(disk)? {
            return Ok(None);
        }
        let old_length = old_length.min(disk.len());
        let sector = match gpt_table::signed_sector(disk)? {
            Some(sector) => sector,
            // Only the backup is left, and it lies where the disk ended.
            None => match gpt_table::signed_at_end(disk, old_length)? {
                Some(sector) => sector,
                None => return Err(Error::gpt("neither its primary header nor its backup is there")),
            },
        };
        let primary = Half::read(disk, sector, 1)?;
        let old_last = (old_length / sector).saturating_sub(1);
        let backup_lba = match &primary {
            Ok(primary) => primary.get(field::ALTERNATE_LBA),
            Err(_) => old_last,
        };
        let backup = Half::read(disk, sector, backup_lba)?;
        Ok(Some(Self { sector, primary, backup, backup_lba }))
    }

    /// Refuses a half-damaged table unless it shall be repaired.
    pub(super) fn judge(&self, repair: Repair) -> Result<(), Error> {
        let (half, why) = match (&self.primary, &self.backup) {
            (Ok(_), Ok(_)) => return Ok(()),
            (Err(primary), Err(backup)) => return Err(Error::gpt(format!("{primary}; backup: {backup}"))),
            (Err(why), Ok(_)) => ("primary", why),
            (Ok(_), Err(why)) => ("backup", why),
        };
        if repair == Repair::FromSoundHalf {
            return Ok(());
        }
        Err(Error::gpt(format!(
            "its {half} half is damaged ({why}): repair it first, in gdisk's recovery menu (`r`)"
        )))
    }

    fn sound(&self) -> Result<&Half, Error> {
        self.primary.as_ref().or(self.backup.as_ref()).map_err(|why| Error::gpt(why.clone()))
    }

    /// The table as the sound half has it.
    pub(super) fn table(&self, disk: &dyn BlockSource) -> Result<Table, Error> {
        match (&self.primary, &self.backup) {
            (Err(_), Ok(_)) => {
                // The reader finds a backup at a disk's last sector only.
                let end = (self.backup_lba + 1) * self.sector;
                let old = hardtack_disk::Window::new(disk, 0..end.min(disk.len()))?;
                let mut table = read_table(&old)?;
                table.warnings.clear();
                Ok(table)
            }
            _ => read_table(disk),
        }
    }

    /// The bytes that the backup takes where it is now, when it is sound.
    fn backup_ranges(&self) -> Vec<Range<u64>> {
        let Ok(backup) = &self.backup else { return Vec::new() };
        let entries = backup.get(field::ENTRIES_LBA) * self.sector;
        let header = self.backup_lba * self.sector;
        vec![entries..entries + backup.entries.len() as u64, header..header + self.sector]
    }
}

pub(super) fn grow(
    disk: &dyn BlockWrite,
    halves: &Halves,
    target: &Partition,
    notes: &mut Vec<String>,
) -> Result<Range<u64>, Error> {
    let sector = halves.sector;
    let mut half = halves.sound()?.clone();
    let array = (half.entries.len() as u64).max(LEAST_ARRAY).div_ceil(sector);
    let last = disk.len() / sector - 1;
    let cannot = |what: &str| Error::CannotGrow { number: target.number, what: what.to_owned() };
    if !disk.len().is_multiple_of(sector) {
        // No program would look for the backup there: it is in the disk's last sector.
        return Err(cannot(&format!(
            "the disk would have {} bytes, which are not whole sectors of {sector} bytes; give a multiple",
            disk.len()
        )));
    }
    let new_entries =
        last.checked_sub(array).ok_or_else(|| cannot("the disk is too small for a backup of its GPT"))?;
    let usable = new_entries.saturating_sub(1);
    if usable < half.get(field::LAST_USABLE) && halves.backup_lba != last {
        return Err(cannot("the disk's new end leaves no room for the backup of its GPT"));
    }
    // A table may keep more room at its end than it needs; then nothing becomes less.
    let usable = usable.max(half.get(field::LAST_USABLE));
    let primary_entries = match &halves.primary {
        Ok(primary) => primary.get(field::ENTRIES_LBA),
        Err(_) => 2,
    };
    if (primary_entries * sector).saturating_add(half.entries.len() as u64)
        > half.get(field::FIRST_USABLE).saturating_mul(sector)
    {
        return Err(Error::gpt("its entries reach into the first usable sector"));
    }
    let at = (u64::from(target.number) - 1) * ENTRY;
    let at = usize::try_from(at).ok().filter(|at| half.entries.len() >= at + ENTRY as usize);
    let at = at.ok_or_else(|| Error::gpt(format!("partition {} has no entry", target.number)))?;
    let end = (target.range.end / sector - 1).max(usable);
    put64(&mut half.entries, at + 40, end);
    put64(&mut half.header, field::LAST_USABLE, usable);

    // What was the backup lies inside the grown partition now.
    for range in halves.backup_ranges() {
        zero(disk, range, target)?;
    }
    let backup_entries = if halves.backup_lba == last {
        halves.backup.as_ref().map_or(new_entries, |backup| backup.get(field::ENTRIES_LBA))
    } else {
        new_entries
    };
    half.write(disk, sector, last, backup_entries, 1)?;
    half.write(disk, sector, 1, primary_entries, last)?;
    announce(disk, last, sector, target, end)?;
    if halves.backup_lba != last {
        notes.push(format!("the backup of the GPT moved from sector {} to {last}", halves.backup_lba));
    }
    if halves.primary.is_err() {
        notes.push("the primary GPT was damaged and is a copy of its backup now".to_owned());
    } else if halves.backup.is_err() {
        notes.push("the backup of the GPT was damaged and is a copy of the primary now".to_owned());
    }
    Ok(target.range.start..(end + 1) * sector)
}

/// Zeros in `range`, as far as no partition owns it.
fn zero(disk: &dyn BlockWrite, range: Range<u64>, target: &Partition) -> Result<(), Error> {
    // The target is the disk's last partition: what lies behind it is nobody's.
    let start = range.start.max(target.range.end);
    if start < range.end {
        // At most the reader's limit of entries: 4 MiB.
        disk.write_at(start, &vec![0; (range.end - start) as usize])?;
    }
    Ok(())
}

/// Has the protective MBR cover the new size, as sgdisk does. In a hybrid MBR the protective entry
/// stays, because it covers what lies before the first other entry; one that shows the target grows
/// with it, for otherwise the two tables contradict each other.
fn announce(
    disk: &dyn BlockWrite,
    last: u64,
    sector: u64,
    target: &Partition,
    end: u64,
) -> Result<(), Error> {
    let mut mbr = [0; 512];
    disk.read_at(0, &mut mbr)?;
    let old = mbr;
    let used: Vec<usize> = (0..4).map(|slot| 446 + slot * 16).filter(|at| mbr[at + 4] != 0).collect();
    let first = target.range.start / sector;
    for at in &used {
        let (start, count) = (u64::from(le32(&mbr, at + 8)), u64::from(le32(&mbr, at + 12)));
        let wanted = if used.len() == 1 && start == 1 {
            // Other programs write the largest size whatever the disk's; that stays true.
            if count == u64::from(u32::MAX) { count } else { last.min(u64::from(u32::MAX)) }
        } else if mbr[at + 4] != 0xee && start == first && (start + count) * sector == target.range.end {
            end + 1 - first
        } else {
            continue;
        };
        let Ok(size) = u32::try_from(wanted) else { continue };
        if wanted != count {
            mbr[at + 12..at + 16].copy_from_slice(&size.to_le_bytes());
            if mbr[at + 5..at + 8] != [0xff; 3] {
                mbr[at + 5..at + 8].copy_from_slice(&chs(start + wanted - 1));
            }
        }
    }
    if mbr != old {
        disk.write_at(0, &mbr)?;
    }
    Ok(())
}
