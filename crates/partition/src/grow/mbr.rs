//! Growing the last partition of an MBR: the count of its sectors and its CHS end are patched, and
//! for a logical one also the extended container and the link that leads to it.

use std::ops::Range;

use hardtack_disk::BlockWrite;

use super::chs;
use crate::Error;
use crate::mbr::{Entry, SECTOR, chain, entries};
use crate::table::Partition;

/// The most sectors that an entry's 32 bits can reach: 2 TiB.
const REACH: u64 = 1 << 32;

pub(super) fn grow(
    disk: &dyn BlockWrite,
    target: &Partition,
    notes: &mut Vec<String>,
) -> Result<Range<u64>, Error> {
    let end = disk.len() / SECTOR;
    let cannot = |what: String| Error::CannotGrow { number: target.number, what };
    if end > REACH {
        return Err(cannot(format!(
            "the disk has {end} sectors of 512 bytes, and an MBR cannot reach beyond {REACH} (2 TiB): it needs a GPT"
        )));
    }
    let mut first = [0; 512];
    disk.read_at(0, &mut first)?;
    let primary = entries(&first);
    let last = |except: usize| {
        primary
            .iter()
            .enumerate()
            .filter(|(slot, entry)| entry.is_used() && *slot != except)
            .map(|(_, entry)| entry.first)
            .max()
    };
    if let Some(slot @ 0..4) = (target.number as usize).checked_sub(1) {
        let start = primary[slot].first;
        if let Some(behind) = last(slot).filter(|other| *other > start) {
            return Err(cannot(format!("another entry of the table begins behind it, at sector {behind}")));
        }
        set_end(disk, 0, slot, primary[slot], 0, end)?;
        return Ok(target.range.start..end * SECTOR);
    }
    let links = chain(disk, &primary)?;
    let link = links.iter().find(|link| {
        link.entry_at(target.number).is_some_and(|(_, first)| first * SECTOR == target.range.start)
    });
    let (Some(link), Some((slot, _))) = (link, link.and_then(|link| link.entry_at(target.number))) else {
        return Err(cannot("its place in the chain of logical partitions was not found".to_owned()));
    };
    let container = primary[link.container];
    if let Some(behind) = last(link.container).filter(|other| *other > container.first) {
        return Err(cannot(format!("a primary partition lies behind its extended one, at sector {behind}")));
    }
    if links.iter().any(|other| other.at > link.at && other.container == link.container) {
        return Err(cannot("another logical partition's table lies behind it".to_owned()));
    }
    set_end(disk, 0, link.container, container, 0, end)?;
    set_end(disk, link.at, slot, link.entries[slot], link.at, end)?;
    if let Some(parent) =
        links.iter().find(|other| other.leads_to == Some(link.at) && other.container == link.container)
        && let Some(slot) = parent.entries.iter().position(|entry| entry.is_used() && entry.is_extended())
    {
        set_end(disk, parent.at, slot, parent.entries[slot], container.first, end)?;
    }
    notes.push(format!("extended partition {} grew with its last logical one", link.container + 1));
    Ok(target.range.start..end * SECTOR)
}

/// Has entry `slot` of the table in sector `at` end before sector `end`; its start counts from `base`.
fn set_end(
    disk: &dyn BlockWrite,
    at: u64,
    slot: usize,
    entry: Entry,
    base: u64,
    end: u64,
) -> Result<(), Error> {
    let mut sector = [0; 512];
    disk.read_at(at * SECTOR, &mut sector)?;
    let place = 446 + slot * 16;
    // At most 2^32 - 1: the start is at least sector 1.
    let count = u32::try_from(end.saturating_sub(base + entry.first)).unwrap_or(u32::MAX);
    if u64::from(count) <= entry.count {
        return Ok(());
    }
    sector[place + 12..place + 16].copy_from_slice(&count.to_le_bytes());
    sector[place + 5..place + 8].copy_from_slice(&chs(end - 1));
    disk.write_at(at * SECTOR, &sector)?;
    Ok(())
}
