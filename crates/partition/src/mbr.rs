//! MBR tables with logical partitions, as the kernel reads them (`block/partitions/msdos.c`).

use std::collections::BTreeSet;

use hardtack_disk::BlockSource;

use crate::table::byte_range;
use crate::{Error, Kind, Partition, Table};

pub(crate) const SECTOR: u64 = 512;
/// Announces a GPT.
const PROTECTIVE: u8 = 0xee;
/// Tables without a partition that the kernel follows in a row; a chain of millions takes forever.
const EMPTY_LINKS: u32 = 100;
/// The kernel gives a disk at most 256 device numbers.
const LAST_NUMBER: u32 = 255;

/// What the first sector of a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An MBR that announces a GPT.
    Protective,
    /// A partition table.
    Table,
    /// Something else, a boot sector of a bare file system included.
    None,
}

/// An entry of a table, primary or logical.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    status: u8,
    kind: u8,
    /// First sector: of the disk, or relative to the table's or the extended partition's start.
    pub(crate) first: u64,
    /// Sectors.
    pub(crate) count: u64,
}

impl Entry {
    pub(crate) fn is_extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    pub(crate) fn is_used(self) -> bool {
        self.kind != 0 && self.count != 0
    }

    pub(crate) fn is_protective(self) -> bool {
        self.kind == PROTECTIVE
    }

    /// Windows' dynamic disks: a database of their own lies at the disk's end.
    pub(crate) fn is_dynamic(self) -> bool {
        self.kind == 0x42
    }
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(crate) fn entries(sector: &[u8; 512]) -> [Entry; 4] {
    [0, 1, 2, 3].map(|slot| {
        let at = 446 + slot * 16;
        Entry {
            status: sector[at],
            kind: sector[at + 4],
            first: u64::from(le32(sector, at + 8)),
            count: u64::from(le32(sector, at + 12)),
        }
    })
}

fn is_signed(sector: &[u8; 512]) -> bool {
    sector[510..] == [0x55, 0xaa]
}

/// A boot sector of a bare FAT or ext4 is signed too. Code and text where a table would be give
/// themselves away by their status bytes, which are 0 or 0x80 in a table.
pub(crate) fn classify(sector: &[u8; 512], disk: u64) -> Class {
    let entries = entries(sector);
    if !is_signed(sector) {
        return Class::None;
    }
    let sane = entries.iter().all(|entry| entry.status & 0x7f == 0);
    if entries.iter().any(|entry| entry.kind == PROTECTIVE && (sane || entry.first == 1)) {
        return Class::Protective;
    }
    let inside = |entry: &Entry| entry.is_used() && entry.first > 0 && entry.first < disk / SECTOR;
    if sane && entries.iter().any(inside) { Class::Table } else { Class::None }
}

/// True when sector 0 announces a GPT.
pub(crate) fn announces_gpt(disk: &dyn BlockSource) -> Result<bool, Error> {
    let mut first = [0; 512];
    if disk.len() < SECTOR {
        return Ok(false);
    }
    disk.read_at(0, &mut first)?;
    Ok(classify(&first, disk.len()) == Class::Protective)
}

/// True for a signed sector whose four entries are all zeros: a table without partitions, or
/// a boot sector that leaves its end empty.
pub(crate) fn signed_but_empty(sector: &[u8; 512]) -> bool {
    is_signed(sector) && sector[446..510].iter().all(|byte| *byte == 0)
}

/// Collects partitions of one disk.
struct Reader<'a> {
    disk: &'a dyn BlockSource,
    signature: u32,
    partitions: Vec<Partition>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn add(&mut self, number: u32, entry: Entry, first: u64) {
        match byte_range(self.disk.len(), SECTOR, first, entry.count) {
            Ok(range) => self.partitions.push(Partition {
                number,
                range,
                mbr_type: Some(entry.kind),
                partition_guid: Some(format!("{:08x}-{number:02x}", self.signature)),
                bootable: entry.status == 0x80,
                ..Partition::default()
            }),
            Err(reason) => self.warnings.push(format!("MBR partition {number} {reason}; it is ignored")),
        }
    }

    /// Follows the chain of logical partitions. Every link lies in the extended partition and
    /// relative to its start; `seen` ends a chain that bites its tail.
    fn logical(&mut self, extended: Entry, next_number: &mut u32) -> Result<(), Error> {
        let mut at = extended.first;
        let mut seen = BTreeSet::new();
        let mut empty = 0;
        loop {
            let offset = at * SECTOR;
            if offset + SECTOR > self.disk.len() {
                self.warnings.push(format!(
                    "the chain of logical partitions leaves the disk at sector {at}; the rest is ignored"
                ));
                return Ok(());
            }
            if !seen.insert(at) {
                let what = format!("the chain of logical partitions comes back to sector {at}");
                return Err(Error::Damaged { format: "MBR", what });
            }
            let mut sector = [0; 512];
            self.disk.read_at(offset, &mut sector)?;
            if !is_signed(&sector) {
                self.warnings.push(format!(
                    "no logical partition table at sector {at}; the rest of the chain is ignored"
                ));
                return Ok(());
            }
            let entries = entries(&sector);
            empty += 1;
            for entry in entries.iter().filter(|entry| entry.is_used() && !entry.is_extended()) {
                empty = 0;
                if *next_number > LAST_NUMBER {
                    let what = format!("more than {LAST_NUMBER} partitions");
                    return Err(Error::Damaged { format: "MBR", what });
                }
                self.add(*next_number, *entry, at + entry.first);
                *next_number += 1;
            }
            if empty > EMPTY_LINKS {
                self.warnings.push(format!(
                    "the chain of logical partitions has {EMPTY_LINKS} empty tables before sector {at}; the rest is ignored"
                ));
                return Ok(());
            }
            match entries.iter().find(|entry| entry.is_used() && entry.is_extended()) {
                Some(link) => at = extended.first + link.first,
                None => return Ok(()),
            }
        }
    }
}

/// Reads the table that starts with `sector`. Extended partitions are not in the result: what
/// they hold are the logical ones, numbered from 5.
pub(crate) fn read(disk: &dyn BlockSource, sector: &[u8; 512]) -> Result<Table, Error> {
    let mut reader =
        Reader { disk, signature: le32(sector, 440), partitions: Vec::new(), warnings: Vec::new() };
    let primary = entries(sector);
    let mut next_number = 5;
    for (number, entry) in (1..).zip(primary) {
        if entry.is_used() && entry.is_extended() {
            reader.logical(entry, &mut next_number)?;
        } else if entry.is_used() {
            reader.add(number, entry, entry.first);
        }
    }
    Ok(Table {
        kind: Kind::Mbr,
        sector_size: SECTOR,
        partitions: reader.partitions,
        warnings: reader.warnings,
    })
}

/// A table of the chain of logical partitions.
pub(crate) struct Link {
    /// The sector that holds it.
    pub(crate) at: u64,
    /// The primary slot (0 to 3) of the extended partition that it lies in.
    pub(crate) container: usize,
    pub(crate) entries: [Entry; 4],
    /// The sector of the next table.
    pub(crate) leads_to: Option<u64>,
    /// The number of its first partition.
    first_number: u32,
}

impl Link {
    /// Slot and first sector of partition `number`, when it is one of this table's.
    pub(crate) fn entry_at(&self, number: u32) -> Option<(usize, u64)> {
        let index = number.checked_sub(self.first_number)? as usize;
        let used = |(_, entry): &(usize, &Entry)| entry.is_used() && !entry.is_extended();
        let (slot, entry) = self.entries.iter().enumerate().filter(used).nth(index)?;
        Some((slot, self.at + entry.first))
    }
}

/// Every table of logical partitions, in the order of their numbers. Ends where [`read`] ends, which
/// has accepted the chain before.
pub(crate) fn chain(disk: &dyn BlockSource, primary: &[Entry; 4]) -> Result<Vec<Link>, Error> {
    let mut links: Vec<Link> = Vec::new();
    let mut first_number = 5;
    for (container, extended) in primary.iter().enumerate() {
        let mut empty = 0;
        let mut next = (extended.is_used() && extended.is_extended()).then_some(extended.first);
        while let Some(at) = next {
            let known = links.iter().any(|link| link.at == at && link.container == container);
            if known || first_number > LAST_NUMBER || at * SECTOR + SECTOR > disk.len() {
                break;
            }
            let mut sector = [0; 512];
            disk.read_at(at * SECTOR, &mut sector)?;
            if !is_signed(&sector) {
                break;
            }
            let entries = entries(&sector);
            let onward = entries.iter().find(|entry| entry.is_used() && entry.is_extended());
            next = onward.map(|link| extended.first + link.first);
            links.push(Link { at, container, entries, leads_to: next, first_number });
            let own = entries.iter().filter(|entry| entry.is_used() && !entry.is_extended()).count();
            first_number += own as u32;
            empty = if own == 0 { empty + 1 } else { 0 };
            if empty > EMPTY_LINKS {
                break;
            }
        }
    }
    Ok(links)
}
