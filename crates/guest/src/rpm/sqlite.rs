//! The table `Packages` of an SQLite database: `hnum INTEGER PRIMARY KEY, blob BLOB` (sqlite.org/fileformat2.html).

use std::collections::{BTreeMap, BTreeSet};

use super::{File, HEADER_LIMIT, Take, u16_at, u32_at};
use crate::{Error, FileType, GuestPath};

/// Length of the file's head, on its first page.
const HEAD: usize = 100;
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;
/// The schema is a page or two of rpm's 20 statements.
const SCHEMA_LIMIT: usize = 4096;

pub(super) fn read(file: &File<'_>, take: &mut Take<'_>) -> Result<(), Error> {
    let database = Database::open(file)?;
    let mut root = None;
    let mut seen = 0;
    // The schema: type, name, table, root page, SQL.
    database.table(1, &mut |record| {
        seen += 1;
        if seen > SCHEMA_LIMIT {
            return Err(file.wrong("more tables than rpm has"));
        }
        let values = values(record);
        let text = |index: usize| values.get(index).map(|value| value.bytes).unwrap_or_default();
        if text(0) == b"table" && text(1) == b"Packages" {
            root = values.get(3).and_then(Value::integer).and_then(|page| u32::try_from(page).ok());
        }
        Ok(())
    })?;
    let root = root.ok_or_else(|| file.wrong("has no table Packages"))?;
    database.table(root, &mut |record| match values(record).get(1) {
        Some(value) if !value.bytes.is_empty() => take(value.bytes),
        _ => Err(file.wrong("a package without a header")),
    })
}

struct Database<'f, 't> {
    file: &'f File<'t>,
    page: usize,
    /// What a page is used for, without its reserved end.
    usable: usize,
    /// Pages that the write-ahead log has newer: where they lie in it.
    newer: BTreeMap<u32, u64>,
    log: Option<File<'t>>,
}

impl<'f, 't> Database<'f, 't> {
    fn open(file: &'f File<'t>) -> Result<Self, Error> {
        let head = file.bytes(0, HEAD)?;
        let page = match u16_at(&head, 16, true) {
            1 => 65536,
            size => size,
        };
        if !(512..=65536).contains(&page) || !page.is_power_of_two() {
            return Err(file.wrong(format!("pages of {page} bytes")));
        }
        let usable = page - usize::from(head[20]);
        if usable < 480 {
            return Err(file.wrong(format!("pages with {usable} bytes of use")));
        }
        let mut database = Self { file, page, usable, newer: BTreeMap::new(), log: None };
        database.read_log()?;
        Ok(database)
    }

    /// A machine that was not shut down leaves what it wrote last in the log. Frames count up to the last commit
    /// whose checksums are right, as they do for SQLite.
    fn read_log(&mut self) -> Result<(), Error> {
        let path = GuestPath::new(&format!("{}-wal", self.file.path));
        let Some(found) = self.file.tree.lstat(&path)? else { return Ok(()) };
        if found.kind != FileType::Regular || found.size < 32 {
            return Ok(());
        }
        let log = File { tree: self.file.tree, path, size: found.size };
        let head = log.bytes(0, 32)?;
        let big = match u32_at(&head, 0, true) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Ok(()),
        };
        let mut sum = checksum((0, 0), &head[..24], big);
        if u32_at(&head, 8, true) as usize != self.page
            || sum != (u32_at(&head, 24, true), u32_at(&head, 28, true))
        {
            return Ok(());
        }
        let frame = 24 + self.page;
        let mut pending = BTreeMap::new();
        let mut at = 32;
        while at + frame as u64 <= log.size {
            let bytes = log.bytes(at, frame)?;
            if bytes[8..16] != head[16..24] {
                break;
            }
            sum = checksum(checksum(sum, &bytes[..8], big), &bytes[24..], big);
            if sum != (u32_at(&bytes, 16, true), u32_at(&bytes, 20, true)) {
                break;
            }
            pending.insert(u32_at(&bytes, 0, true), at + 24);
            // The size of the database after a commit; 0 in between.
            if u32_at(&bytes, 4, true) != 0 {
                self.newer.append(&mut pending);
            }
            at += frame as u64;
        }
        self.log = Some(log);
        Ok(())
    }

    fn page(&self, number: u32) -> Result<Vec<u8>, Error> {
        if let (Some(at), Some(log)) = (self.newer.get(&number), &self.log) {
            return log.bytes(*at, self.page);
        }
        match number.checked_sub(1) {
            Some(index) => self.file.bytes(u64::from(index) * self.page as u64, self.page),
            None => Err(self.file.wrong("names page 0")),
        }
    }

    /// Gives every record of the table at `root` away, in order.
    fn table(&self, root: u32, take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut pending = vec![root];
        // Each page once: a tree that is none would go on for ever.
        let mut seen = BTreeSet::new();
        while let Some(number) = pending.pop() {
            if !seen.insert(number) {
                return Err(self.file.wrong(format!("page {number} is in the tree twice")));
            }
            let page = self.page(number)?;
            let head = if number == 1 { HEAD } else { 0 };
            let cells = u16_at(&page, head + 3, true);
            let kind = page.get(head).copied().unwrap_or_default();
            let pointers = head + if kind == INTERIOR { 12 } else { 8 };
            if !matches!(kind, INTERIOR | LEAF) || pointers + cells * 2 > self.usable {
                return Err(self.file.wrong(format!("page {number} is no page of a table")));
            }
            let cell = |index: usize| u16_at(&page, pointers + index * 2, true);
            if kind == INTERIOR {
                pending.push(u32_at(&page, head + 8, true));
                pending.extend((0..cells).rev().map(|index| u32_at(&page, cell(index), true)));
                continue;
            }
            for index in 0..cells {
                let record = self.record(number, &page, cell(index))?;
                take(&record)?;
            }
        }
        Ok(())
    }

    /// The record of a leaf's cell, with what of it lies on pages of its own.
    fn record(&self, number: u32, page: &[u8], at: usize) -> Result<Vec<u8>, Error> {
        let wrong = || self.file.wrong(format!("page {number}: a cell at {at} is damaged"));
        let cell = page.get(at..self.usable).ok_or_else(wrong)?;
        let (length, first) = varint(cell).ok_or_else(wrong)?;
        let (_, second) = varint(&cell[first..]).ok_or_else(wrong)?;
        let length =
            usize::try_from(length).ok().filter(|length| *length <= HEADER_LIMIT).ok_or_else(wrong)?;
        let rest = &cell[first + second..];
        let most = self.usable - 35;
        if length <= most {
            return rest.get(..length).map(<[u8]>::to_vec).ok_or_else(wrong);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let spill = least + (length - least) % (self.usable - 4);
        let local = if spill <= most { spill } else { least };
        let mut record = rest.get(..local).ok_or_else(wrong)?.to_vec();
        let mut next = rest.get(local..local + 4).map(|bytes| u32_at(bytes, 0, true)).ok_or_else(wrong)?;
        while record.len() < length {
            let page = self.page(next)?;
            let count = (length - record.len()).min(self.usable - 4);
            record.extend_from_slice(&page[4..4 + count]);
            next = u32_at(&page, 0, true);
        }
        Ok(record)
    }
}

/// SQLite's checksum of its log, over pairs of words.
fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(u32_at(pair, 0, big)).wrapping_add(two);
        two = two.wrapping_add(u32_at(pair, 4, big)).wrapping_add(one);
    }
    (one, two)
}

/// A number of one to nine bytes, and how many.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// A value of a record: its type, and its bytes.
struct Value<'r> {
    serial: u64,
    bytes: &'r [u8],
}

impl Value<'_> {
    fn integer(&self) -> Option<u64> {
        match self.serial {
            8 => Some(0),
            9 => Some(1),
            1..=6 => Some(self.bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))),
            _ => None,
        }
    }
}

/// The values of a record; those that lie beyond its end are left out.
fn values(record: &[u8]) -> Vec<Value<'_>> {
    let mut values = Vec::new();
    let Some((head, mut at)) = varint(record) else { return values };
    let head = usize::try_from(head).unwrap_or(usize::MAX).min(record.len());
    let mut data = head;
    // rpm's tables have two columns, the schema five.
    while at < head && values.len() < 8 {
        let Some((serial, length)) = varint(&record[at..head]) else { break };
        at += length;
        let size = match serial {
            0 | 8 | 9 => 0,
            1..=4 => serial,
            5 => 6,
            6 | 7 => 8,
            _ => serial.saturating_sub(12) / 2,
        };
        let end = usize::try_from(size).ok().and_then(|size| data.checked_add(size));
        let Some(bytes) = end.and_then(|end| record.get(data..end)) else { break };
        values.push(Value { serial, bytes });
        data += bytes.len();
    }
    values
}
