//! Growing a partition in the bytes of a GPT (UEFI specification 2.10, section 5.3) or an MBR: which sectors of
//! the disk change, and to what. Nothing is read or written here.
//!
//! The arithmetic is growpart's: into the free space up to the next partition, up to 33 sectors before the disk's
//! end, and not at all when less than 1 MiB would be won. What is not understood is refused: a table with a damaged
//! half, partitions inside an extended one.
//!
//! `hardtack-partition` grows partitions, too, for images on a builder's disk: it repairs, explains, and stands
//! on the image formats' code, which a guest's program has no room for.

/// What is left at the end of a disk, for the backup of a GPT, in an MBR too.
const TAIL: u64 = 33;
/// Winning less than these bytes is not worth a change.
const FUDGE: u64 = 1 << 20;
/// The least size of a GPT's array of entries.
const LEAST_ARRAY: u64 = 16 << 10;
/// Larger arrays are no table that anybody made.
const MOST_ARRAY: u64 = 1 << 20;

/// Reads bytes of the disk: offset and length.
pub(super) type Read<'a> = &'a dyn Fn(u64, usize) -> Option<Vec<u8>>;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// The partition cannot become larger, or not by enough.
    NoChange,
    /// The bytes to be written, in this order, and the partition's new size.
    Change {
        /// Offset and bytes.
        writes: Vec<(u64, Vec<u8>)>,
        /// First sector.
        start: u64,
        /// Sectors.
        count: u64,
    },
}

/// What it takes to grow partition `number` of a disk of `length` bytes.
pub(super) fn grow(read: Read<'_>, length: u64, sector: u64, number: u32) -> Result<Growth, String> {
    let sectors = length.checked_div(sector).unwrap_or(0);
    if sectors < 2 * TAIL || !(512..=65_536).contains(&sector) {
        return Err("the disk is too small for a partition table".to_owned());
    }
    let mbr = read(0, 512).ok_or("the disk's first sector cannot be read")?;
    if mbr.get(510..512) != Some(&[0x55, 0xaa]) {
        return Err("the disk has no partition table".to_owned());
    }
    let slots: Vec<Slot> = (0..4).filter_map(|slot| Slot::read(&mbr, slot)).collect();
    if slots.iter().any(|slot| slot.kind == 0xee) {
        gpt(read, sectors, sector, number, mbr)
    } else {
        in_mbr(mbr, &slots, sectors, sector, number)
    }
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = at.checked_add(value.len()).and_then(|end| bytes.get_mut(at..end)) {
        place.copy_from_slice(value);
    }
}

/// CRC-32 of IEEE 802.3, bit by bit: a table is 16 KiB.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Where a partition may end: before the next one, before the tail, and before `most`.
fn end(sectors: u64, most: u64, old_end: u64, starts: impl Iterator<Item = u64>) -> u64 {
    let next = starts.filter(|start| *start > old_end).min().unwrap_or(sectors);
    next.min(sectors.saturating_sub(TAIL)).saturating_sub(1).min(most)
}

fn is_worth_it(old_end: u64, new_end: u64, sector: u64) -> bool {
    new_end > old_end && old_end.saturating_add(FUDGE / sector) <= new_end
}

/// A used entry of an MBR.
struct Slot {
    at: usize,
    kind: u8,
    first: u64,
    count: u64,
}

impl Slot {
    fn read(mbr: &[u8], slot: usize) -> Option<Self> {
        let at = 446 + slot * 16;
        let kind = *mbr.get(at + 4)?;
        let (first, count) = (u64::from(le32(mbr, at + 8)?), u64::from(le32(mbr, at + 12)?));
        (kind != 0 && count != 0).then_some(Self { at, kind, first, count })
    }
}

fn in_mbr(
    mut mbr: Vec<u8>,
    slots: &[Slot],
    sectors: u64,
    sector: u64,
    number: u32,
) -> Result<Growth, String> {
    let at = usize::try_from(number)
        .ok()
        .filter(|number| (1..=4).contains(number))
        .map(|number| 430 + number * 16);
    let slot = at.and_then(|at| slots.iter().find(|slot| slot.at == at));
    let slot = slot.ok_or_else(|| format!("partition {number} is none of the MBR's four"))?;
    if matches!(slot.kind, 0x05 | 0x0f | 0x85) {
        return Err(format!("partition {number} is an extended one"));
    }
    if slot.first == 0 {
        return Err(format!("partition {number} begins at sector 0, where the table is"));
    }
    let old_end = slot.first + slot.count - 1;
    // Start and count have 32 bits each.
    let most = u64::from(u32::MAX).min(slot.first + u64::from(u32::MAX) - 1);
    let new_end = end(sectors, most, old_end, slots.iter().map(|slot| slot.first));
    if !is_worth_it(old_end, new_end, sector) {
        return Ok(Growth::NoChange);
    }
    let count = new_end - slot.first + 1;
    let short =
        u32::try_from(count).map_err(|_| format!("partition {number} would be too large for an MBR"))?;
    put(&mut mbr, slot.at + 12, &short.to_le_bytes());
    put(&mut mbr, slot.at + 5, &chs(new_end));
    Ok(Growth::Change { writes: vec![(0, mbr)], start: slot.first, count })
}

/// Head, sector and cylinder as an MBR stores them, of 255 heads and 63 sectors; what lies beyond 1024 cylinders is
/// 1023, 254, 63.
fn chs(sector: u64) -> [u8; 3] {
    let (track, in_track) = (sector / 63, sector % 63 + 1);
    let (cylinder, head) = (track / 255, track % 255);
    let (cylinder, head, in_track) =
        if cylinder > 1023 { (1023, 254, 63) } else { (cylinder, head, in_track) };
    let low = |value: u64| value.to_le_bytes().first().copied().unwrap_or(0);
    [low(head), low(in_track | (cylinder >> 2 & 0xc0)), low(cylinder)]
}

/// A header and its entries, with sound checksums.
struct Half {
    header: Vec<u8>,
    entries: Vec<u8>,
    entry: usize,
    last_usable: u64,
    alternate: u64,
    entries_at: u64,
}

impl Half {
    fn read(read: Read<'_>, sector: u64, lba: u64) -> Result<Self, String> {
        let bad = |what: &str| format!("the GPT's header at sector {lba} {what}");
        let size = usize::try_from(sector).map_err(|_| bad("is too large"))?;
        let header = lba
            .checked_mul(sector)
            .and_then(|at| read(at, size))
            .filter(|header| header.starts_with(b"EFI PART"))
            .ok_or_else(|| bad("is missing"))?;
        let number = |at: usize| le64(&header, at).ok_or_else(|| bad("is cut off"));
        let short = |at: usize| le32(&header, at).ok_or_else(|| bad("is cut off"));
        let length = usize::try_from(short(12)?).unwrap_or(0);
        let mut zeroed =
            header.get(..length).filter(|_| length >= 92).ok_or_else(|| bad("has an odd length"))?.to_vec();
        put(&mut zeroed, 16, &[0; 4]);
        if crc32(&zeroed) != short(16)? || number(24)? != lba {
            return Err(bad("is damaged"));
        }
        let (count, entry) = (u64::from(short(80)?), u64::from(short(84)?));
        let array = count * entry;
        if !(128..=4096).contains(&entry) || array == 0 || array > MOST_ARRAY {
            return Err(bad("has an odd number or size of entries"));
        }
        let entries_at = number(72)?;
        let entries = entries_at
            .checked_mul(sector)
            .zip(usize::try_from(array).ok())
            .and_then(|(at, length)| read(at, length))
            .filter(|entries| crc32(entries) == short(88).unwrap_or_default())
            .ok_or_else(|| bad("has damaged entries"))?;
        let entry = usize::try_from(entry).map_err(|_| bad("has odd entries"))?;
        Ok(Self { last_usable: number(48)?, alternate: number(32)?, entries_at, header, entries, entry })
    }

    /// Its header for sector `lba`, with the entries at `entries_at` and the other half at `alternate`.
    fn header(&self, lba: u64, entries_at: u64, alternate: u64) -> Vec<u8> {
        let mut header = self.header.clone();
        put(&mut header, 24, &lba.to_le_bytes());
        put(&mut header, 32, &alternate.to_le_bytes());
        put(&mut header, 48, &self.last_usable.to_le_bytes());
        put(&mut header, 72, &entries_at.to_le_bytes());
        put(&mut header, 88, &crc32(&self.entries).to_le_bytes());
        put(&mut header, 16, &[0; 4]);
        let length = le32(&header, 12).and_then(|length| usize::try_from(length).ok()).unwrap_or(92);
        let crc = crc32(header.get(..length).unwrap_or_default());
        put(&mut header, 16, &crc.to_le_bytes());
        header
    }

    /// First and last sector of every used entry, with its place.
    fn used(&self) -> Vec<(usize, u64, u64)> {
        let entries = self.entries.chunks_exact(self.entry).enumerate();
        entries
            .filter(|(_, entry)| entry.iter().take(16).any(|byte| *byte != 0))
            .filter_map(|(index, entry)| Some((index * self.entry, le64(entry, 32)?, le64(entry, 40)?)))
            .collect()
    }
}

fn gpt(read: Read<'_>, sectors: u64, sector: u64, number: u32, mut mbr: Vec<u8>) -> Result<Growth, String> {
    let mut half = Half::read(read, sector, 1)?;
    let last = sectors - 1;
    let array = (half.entries.len() as u64).max(LEAST_ARRAY).div_ceil(sector);
    let used = half.used();
    let at = number.checked_sub(1).and_then(|index| usize::try_from(index).ok()?.checked_mul(half.entry));
    let target = at.and_then(|at| used.iter().find(|(place, ..)| *place == at));
    let &(at, start, old_end) = target.ok_or_else(|| format!("the GPT has no partition {number}"))?;
    if start > old_end || old_end > last || start <= 1 {
        return Err(format!("partition {number} lies outside the disk"));
    }
    let usable = last.checked_sub(array + 1).ok_or("the disk is too small for the backup of a GPT")?;
    let new_end = end(sectors, usable, old_end, used.iter().map(|(_, start, _)| *start));
    if !is_worth_it(old_end, new_end, sector) {
        return Ok(Growth::NoChange);
    }
    // Whatever is behind the new end would be in the way of the backup.
    if used.iter().any(|(_, _, end)| *end > usable) {
        return Err("a partition lies where the backup of the GPT belongs".to_owned());
    }
    put(&mut half.entries, at + 40, &new_end.to_le_bytes());
    half.last_usable = usable;
    let backup = last - array;
    let mut writes = vec![
        (backup * sector, half.entries.clone()),
        (last * sector, half.header(last, backup, 1)),
        (half.entries_at * sector, half.entries.clone()),
        (sector, half.header(1, half.entries_at, last)),
    ];
    // The old backup would be found by programs that search for one; it is nobody's now.
    let old = half.alternate;
    if old > old_end && old <= usable && used.iter().all(|(_, start, end)| old < *start || old > *end) {
        writes.push((old * sector, vec![0; half.header.len()]));
    }
    let mut protective = (0..4).filter_map(|slot| Slot::read(&mbr, slot)).collect::<Vec<_>>();
    if let (Some(slot), true) = (protective.pop(), protective.is_empty())
        && slot.count != u64::from(u32::MAX)
    {
        let count = u32::try_from(last).unwrap_or(u32::MAX);
        put(&mut mbr, slot.at + 12, &count.to_le_bytes());
        writes.push((0, mbr));
    }
    Ok(Growth::Change { writes, start, count: new_end - start + 1 })
}
