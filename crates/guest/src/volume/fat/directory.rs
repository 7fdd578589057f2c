//! Directories: slots of 32 bytes, where an entry is its long name's slots in reverse order and
//! then the one that counts ("FAT: General Overview of On-Disk Format", sections 6 and 7).

use std::collections::BTreeSet;
use std::ops::Range;

use super::boot::Root;
use super::name::{self, Short};
use super::table::Table;
use crate::Error;
use crate::volume::Place;

/// Bytes of a slot.
pub(super) const SLOT: usize = 32;
/// The format's limit of slots in a directory.
const SLOTS: u64 = 65_536;
/// First byte of a slot that was used once.
const REMOVED: u8 = 0xe5;

/// Attribute bits.
pub(super) mod attribute {
    pub(crate) const READ_ONLY: u8 = 0x01;
    pub(crate) const VOLUME: u8 = 0x08;
    pub(crate) const DIRECTORY: u8 = 0x10;
    pub(crate) const ARCHIVE: u8 = 0x20;
    /// Read-only, hidden, system and volume together: a slot of a long name.
    pub(crate) const LONG: u8 = 0x0f;
}

/// Offsets inside the slot that counts.
pub(super) mod field {
    pub(crate) const ATTRIBUTES: usize = 11;
    pub(crate) const CREATED: usize = 14;
    pub(crate) const ACCESSED: usize = 18;
    pub(crate) const CLUSTER_HIGH: usize = 20;
    pub(crate) const MODIFIED: usize = 22;
    pub(crate) const CLUSTER_LOW: usize = 26;
    pub(crate) const SIZE: usize = 28;
}

/// One entry of a directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// All its slots; the last one counts.
    pub(super) slots: Range<usize>,
    pub(super) name: String,
    pub(super) short: Short,
    /// The slot that counts.
    pub(super) bytes: [u8; SLOT],
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes)
}

impl Entry {
    pub(super) fn is_directory(&self) -> bool {
        self.bytes[field::ATTRIBUTES] & attribute::DIRECTORY != 0
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.bytes[field::ATTRIBUTES] & attribute::READ_ONLY != 0
    }

    /// The first cluster; 0 for an empty file.
    pub(super) fn first(&self) -> u32 {
        u32::from(le16(&self.bytes, field::CLUSTER_HIGH)) << 16
            | u32::from(le16(&self.bytes, field::CLUSTER_LOW))
    }

    /// Length in bytes; 0 for a directory.
    pub(super) fn size(&self) -> u64 {
        u64::from(le16(&self.bytes, field::SIZE)) | u64::from(le16(&self.bytes, field::SIZE + 2)) << 16
    }

    /// Seconds since 1970.
    pub(super) fn modified(&self) -> i64 {
        super::time::seconds(le16(&self.bytes, field::MODIFIED + 2), le16(&self.bytes, field::MODIFIED))
    }

    pub(super) fn is_named(&self, wanted: &str) -> bool {
        name::same(&self.name, wanted) || name::same(&name::text(&self.short, 0), wanted)
    }

    fn is_dot(&self) -> bool {
        self.short == *b".          " || self.short == *b"..         "
    }
}

/// A directory as it is on the disk.
pub(super) struct Directory {
    /// Its clusters; none for the root of FAT12 and FAT16.
    clusters: Vec<u32>,
    /// Where its parts lie, each of `part` bytes.
    places: Vec<u64>,
    part: usize,
    bytes: Vec<u8>,
    place: Place,
}

impl Directory {
    /// The root of the file system.
    pub(super) fn root(table: &Table, place: &Place) -> Result<Self, Error> {
        match &table.geometry.root {
            Root::Cluster(first) => Self::open(table, *first, place),
            Root::Fixed(range) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                table.disk.read_at(range.start, &mut bytes)?;
                let part = bytes.len().max(1);
                Ok(Self {
                    clusters: Vec::new(),
                    places: vec![range.start],
                    part,
                    bytes,
                    place: place.clone(),
                })
            }
        }
    }

    /// The directory whose first cluster is `first`.
    pub(super) fn open(table: &Table, first: u32, place: &Place) -> Result<Self, Error> {
        let cluster = table.geometry.cluster;
        // One cluster more than the format allows, so that a chain that never ends is noticed.
        let limit = (SLOTS * SLOT as u64).div_ceil(cluster);
        let chain = table.chain(first, limit)?;
        if !chain.ended || chain.clusters.is_empty() {
            return Err(place.error(format!(
                "damaged: the directory at cluster {first} has no clusters or more than {limit}: a circle?"
            )));
        }
        let mut bytes = vec![0; chain.clusters.len() * cluster as usize];
        let places: Vec<u64> = chain.clusters.iter().map(|cluster| table.geometry.place(*cluster)).collect();
        for (place, part) in places.iter().zip(bytes.chunks_mut(cluster as usize)) {
            table.disk.read_at(*place, part)?;
        }
        Ok(Self { clusters: chain.clusters, places, part: cluster as usize, bytes, place: place.clone() })
    }

    /// First cluster, as a directory inside this one names it in `..`: 0 for every root.
    pub(super) fn first(&self) -> u32 {
        self.clusters.first().copied().unwrap_or(0)
    }

    fn slot(&self, index: usize) -> Option<&[u8; SLOT]> {
        self.bytes.get(index * SLOT..).and_then(|rest| rest.first_chunk())
    }

    /// The slot from which on nothing is used.
    fn end(&self) -> usize {
        let slots = self.bytes.chunks_exact(SLOT);
        slots.clone().position(|slot| slot[0] == 0).unwrap_or(slots.len())
    }

    /// Every entry but `.`, `..` and the volume's label.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut long = Long::default();
        for index in 0..self.end() {
            let Some(slot) = self.slot(index) else { break };
            let attributes = slot[field::ATTRIBUTES];
            if slot[0] != REMOVED && attributes & 0x3f == attribute::LONG {
                long.add(index, slot);
                continue;
            }
            let long = std::mem::take(&mut long);
            if slot[0] == REMOVED || attributes & attribute::VOLUME != 0 {
                continue;
            }
            let mut short = [0; 11];
            short.copy_from_slice(&slot[..11]);
            let (start, name) = match long.finish(&short) {
                Some((start, name)) => (start, name),
                None => (index, name::text(&short, slot[12])),
            };
            let entry = Entry { slots: start..index + 1, name, short, bytes: *slot };
            if !entry.is_dot() {
                entries.push(entry);
            }
        }
        entries
    }

    pub(super) fn find(&self, name: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.is_named(name))
    }

    /// Writes one slot, here and on the disk.
    pub(super) fn write(&mut self, table: &Table, index: usize, slot: &[u8; SLOT]) -> Result<(), Error> {
        let at = index * SLOT;
        let held = self.bytes.get_mut(at..at + SLOT);
        let (Some(held), Some(place)) = (held, self.places.get(at / self.part)) else {
            return Err(self.place.error(format!("slot {index} lies outside its directory")));
        };
        held.copy_from_slice(slot);
        Ok(table.disk.write_at(place + (at % self.part) as u64, slot)?)
    }

    /// Removes an entry's slots; not even the name is left in them.
    pub(super) fn erase(&mut self, table: &Table, slots: Range<usize>) -> Result<(), Error> {
        let mut empty = [0; SLOT];
        empty[0] = REMOVED;
        slots.into_iter().try_for_each(|index| self.write(table, index, &empty))
    }

    /// Adds an entry for `name` whose counting slot is `bytes` but for the short name. Makes the
    /// directory larger when it has to.
    pub(super) fn add(&mut self, table: &Table, name: &str, mut bytes: [u8; SLOT]) -> Result<(), Error> {
        let taken: BTreeSet<Short> = self.entries().into_iter().map(|entry| entry.short).collect();
        let (short, says_all) = name::shorten(name, &taken)
            .ok_or_else(|| self.place.error("a directory is full of names like that"))?;
        bytes[..11].copy_from_slice(&short);
        // No half in lower case: the long name says it.
        bytes[12] = 0;
        let mut slots = if says_all { Vec::new() } else { long_slots(name, &short) };
        slots.push(bytes);
        let start = self.room(table, slots.len())?;
        let end = self.end();
        for (index, slot) in (start..).zip(&slots) {
            self.write(table, index, slot)?;
        }
        // What follows the new end may never have been cleared.
        let after = start + slots.len();
        if after > end && self.slot(after).is_some_and(|slot| slot[0] != 0) {
            self.write(table, after, &[0; SLOT])?;
        }
        Ok(())
    }

    /// How many slots the entry for `name` needs at most.
    pub(super) fn slots_for(name: &str) -> usize {
        1 + name.encode_utf16().count().div_ceil(PER_SLOT)
    }

    /// Where `count` free slots follow each other; the directory grows when there are none.
    pub(super) fn room(&mut self, table: &Table, count: usize) -> Result<usize, Error> {
        let end = self.end();
        let mut run = 0;
        for index in 0..end {
            run = if self.slot(index).is_some_and(|slot| slot[0] == REMOVED) { run + 1 } else { 0 };
            if run == count {
                return Ok(index + 1 - count);
            }
        }
        let start = end - run;
        let missing = (start + count).saturating_sub(self.bytes.len() / SLOT);
        if missing == 0 {
            return Ok(start);
        }
        if self.clusters.is_empty() {
            return Err(self.place.error(format!(
                "no room: the root directory has {} entries, which cannot become more",
                self.bytes.len() / SLOT
            )));
        }
        let clusters = (missing * SLOT).div_ceil(self.part);
        if ((self.clusters.len() + clusters) * self.part) as u64 > SLOTS * SLOT as u64 {
            return Err(self.place.error(format!("no room: a directory has at most {SLOTS} entries")));
        }
        let old = self.clusters.len();
        table.extend(&mut self.clusters, clusters as u64)?;
        for cluster in &self.clusters[old..] {
            table.zero(*cluster)?;
            self.places.push(table.geometry.place(*cluster));
        }
        self.bytes.resize(self.clusters.len() * self.part, 0);
        Ok(start)
    }

    /// Gives all clusters back.
    pub(super) fn release(mut self, table: &Table) -> Result<(), Error> {
        table.cut(&mut self.clusters, 0)
    }
}

/// Units of UTF-16 in a slot of a long name, and where they are.
const PER_SLOT: usize = 13;
const UNITS: [usize; PER_SLOT] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
/// Set in the number of the slot that comes first on the disk and holds the name's end.
const LAST: u8 = 0x40;

/// The slots of a long name in the order of the disk.
fn long_slots(name: &str, short: &Short) -> Vec<[u8; SLOT]> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let count = units.len().div_ceil(PER_SLOT);
    let mut slots = Vec::with_capacity(count + 1);
    for (index, part) in units.chunks(PER_SLOT).enumerate().rev() {
        let mut slot = [0xff; SLOT];
        slot[0] = (index + 1) as u8 | if index + 1 == count { LAST } else { 0 };
        slot[field::ATTRIBUTES] = attribute::LONG;
        slot[12] = 0;
        slot[13] = name::checksum(short);
        slot[26..28].fill(0);
        // A name that does not fill its slot ends with a zero.
        for (at, unit) in UNITS.iter().zip(part.iter().chain([&0])) {
            slot[*at..*at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        slots.push(slot);
    }
    slots
}

/// A long name on its way through the slots.
#[derive(Default)]
struct Long {
    start: usize,
    /// The number that the next slot must have; 0 when the name is complete.
    expected: u8,
    checksum: u8,
    /// Parts in the order of the disk, the last part of the name first.
    parts: Vec<[u16; PER_SLOT]>,
}

impl Long {
    fn add(&mut self, index: usize, slot: &[u8; SLOT]) {
        let number = slot[0] & !LAST;
        if slot[0] & LAST != 0 && (1..=20).contains(&number) {
            *self = Self { start: index, expected: number, checksum: slot[13], parts: Vec::new() };
        }
        if self.expected == 0 || number != self.expected || slot[13] != self.checksum {
            *self = Self::default();
            return;
        }
        self.expected -= 1;
        self.parts.push(UNITS.map(|at| le16(slot, at)));
    }

    /// First slot and name, when it is whole and belongs to `short`.
    fn finish(self, short: &Short) -> Option<(usize, String)> {
        if self.parts.is_empty() || self.expected != 0 || self.checksum != name::checksum(short) {
            return None;
        }
        let units = self.parts.iter().rev().flatten().copied().take_while(|unit| *unit != 0);
        let name = String::from_utf16_lossy(&units.collect::<Vec<_>>());
        (!name.is_empty()).then_some((self.start, name))
    }
}
