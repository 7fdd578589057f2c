//! VMDK with its grains in the same file: `streamOptimized`, the disk of OVA files, with
//! compressed grains, and `monolithicSparse`, with plain ones.
//!
//! The format: VMware's "Virtual Disk Format", version 5.0; numbers are little-endian, places are
//! sectors of 512 bytes. A grain directory points to grain tables, those to grains. In a stream the
//! directory comes last, and a copy of the header behind it says where it is.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::input::Region;
use crate::error::check_range;
use crate::{BlockSource, Error};

const SECTOR: u64 = 512;
/// The directory's place in a stream's first header: look at the footer.
const AT_END: u64 = u64::MAX;
/// The footer is the last sector but one (that is the end-of-stream marker).
const FOOTER: u64 = 2 * SECTOR;
const HAS_ZERO_GRAINS: u32 = 1 << 2;
const IS_COMPRESSED: u32 = 1 << 16;
const HAS_MARKERS: u32 = 1 << 17;
const DEFLATE: u16 = 1;
/// The entry of a grain that is all zeros, where the header says that there are such.
const ZERO_GRAIN: u32 = 1;
/// Bytes of a grain: programs write 64 KiB.
const GRAIN_SIZES: std::ops::RangeInclusive<u64> = 4096..=2 << 20;
/// Entries of a grain table, more than the format allows to nobody's use.
const MOST_ENTRIES: u64 = 512;
/// Bytes of a grain directory: enough for 256 TiB in grains of 64 KiB.
const LARGEST_DIRECTORY: u64 = 32 << 20;
/// A descriptor is text of some hundred bytes.
const LONGEST_DESCRIPTOR: u64 = 64 << 10;
/// Bytes in front of a compressed grain: its first sector, its length.
const MARKER: usize = 12;
/// Grain tables, and grains, that are kept.
const SLOTS: usize = 64;

/// The number and the content of something that was read.
type Slot<T> = Mutex<Option<(u64, Vec<T>)>>;

thread_local! {
    static INFLATER: RefCell<libdeflater::Decompressor> = RefCell::new(libdeflater::Decompressor::new());
}

/// A VMDK, opened read-only. Memory: its directory (32 MiB at most), 64 grain tables
/// of 2 KiB, 64 grains.
pub struct VmdkSource {
    region: Region,
    /// Bytes of the disk, of a grain, and of what a grain table covers.
    size: u64,
    grain: u64,
    entries: u64,
    has_zero_grains: bool,
    is_compressed: bool,
    directory: Vec<u32>,
    tables: Vec<Slot<u32>>,
    grains: Vec<Slot<u8>>,
}

struct Header {
    flags: u32,
    capacity: u64,
    grain: u64,
    descriptor: (u64, u64),
    entries: u64,
    directory: u64,
    compression: u16,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

fn corrupt(region: &Region, what: String) -> Error {
    Error::Corrupt { path: region.path.to_path_buf(), format: "vmdk", what }
}

fn unsupported(region: &Region, what: String) -> Error {
    Error::Unsupported { path: region.path.to_path_buf(), format: "vmdk", what }
}

impl Header {
    fn read(region: &Region, at: u64) -> Result<Self, Error> {
        let bytes = region.read_some(at, SECTOR)?;
        if (bytes.len() as u64) < SECTOR || !bytes.starts_with(b"KDMV") {
            return Err(corrupt(region, format!("no header is at {at:#x}: it is truncated")));
        }
        let version = u32_at(&bytes, 4);
        if !(1..=3).contains(&version) {
            return Err(unsupported(region, format!("its version is {version}, and 1 to 3 are known")));
        }
        // Set by whoever copied the file as text.
        if bytes[73..77] != *b"\n \r\n" {
            return Err(corrupt(region, "it was changed like a text file on its way".to_owned()));
        }
        Ok(Self {
            flags: u32_at(&bytes, 8),
            capacity: u64_at(&bytes, 12),
            grain: u64_at(&bytes, 20),
            descriptor: (u64_at(&bytes, 28), u64_at(&bytes, 36)),
            entries: u32_at(&bytes, 44).into(),
            directory: u64_at(&bytes, 56),
            compression: u16::from_le_bytes(number(&bytes, 77)),
        })
    }
}

/// Refuses disks of which this file is not all, by the text that describes them. (In a part of a
/// disk the place of that text is 0, or it is empty.)
fn check_descriptor(region: &Region, (sector, sectors): (u64, u64)) -> Result<(), Error> {
    let bytes = sector
        .checked_mul(SECTOR)
        .map(|at| region.read_some(at, sectors.saturating_mul(SECTOR).min(LONGEST_DESCRIPTOR)))
        .unwrap_or_else(|| Ok(Vec::new()))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.split('\0').next().unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
            .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase())
    };
    match value("parentCID").as_deref() {
        None | Some("ffffffff") => {}
        Some(_) => return Err(unsupported(region, "it holds the changes of a snapshot only".to_owned())),
    }
    match value("createType").as_deref() {
        Some("streamoptimized" | "monolithicsparse") => Ok(()),
        Some(other) => Err(unsupported(region, format!("its type is {other:?}, of which this is a part"))),
        None => Err(unsupported(
            region,
            "it has no descriptor: it is a part of a disk in several files".to_owned(),
        )),
    }
}

impl VmdkSource {
    pub(super) fn new(region: Region) -> Result<Self, Error> {
        let mut header = Header::read(&region, 0)?;
        check_descriptor(&region, header.descriptor)?;
        if header.directory == AT_END {
            header = Header::read(&region, region.len().saturating_sub(FOOTER))?;
        }
        let size = header.capacity.checked_mul(SECTOR).filter(|size| (1..=1 << 62).contains(size));
        let grain = header.grain.checked_mul(SECTOR);
        let grain = grain.filter(|grain| grain.is_power_of_two() && GRAIN_SIZES.contains(grain));
        let (Some(size), Some(grain)) = (size, grain) else {
            let (capacity, grain) = (header.capacity, header.grain);
            return Err(corrupt(&region, format!("it has {capacity} sectors, in grains of {grain}")));
        };
        if header.entries == 0 || header.entries > MOST_ENTRIES {
            return Err(corrupt(&region, format!("its grain tables have {} entries", header.entries)));
        }
        let is_compressed = header.flags & IS_COMPRESSED != 0;
        if is_compressed && (header.compression != DEFLATE || header.flags & HAS_MARKERS == 0) {
            let (method, flags) = (header.compression, header.flags);
            return Err(unsupported(
                &region,
                format!(
                    "its compression is {method} with the flags {flags:#x}, and deflate with markers is known"
                ),
            ));
        }
        let needed = size.div_ceil(grain).div_ceil(header.entries);
        let at = header.directory.saturating_mul(SECTOR);
        if needed > LARGEST_DIRECTORY / 4 {
            return Err(unsupported(
                &region,
                format!("its directory has {needed} entries, too many to keep"),
            ));
        }
        // No longer than the file is, which may be a large one with holes.
        let directory = region.read_some(at, needed.saturating_mul(4))?;
        if (directory.len() as u64) < needed.saturating_mul(4) {
            return Err(corrupt(
                &region,
                format!("its directory of {needed} entries at {at:#x} is truncated"),
            ));
        }
        Ok(Self {
            size,
            grain,
            entries: header.entries,
            has_zero_grains: header.flags & HAS_ZERO_GRAINS != 0,
            is_compressed,
            directory: directory.chunks_exact(4).map(|entry| u32_at(entry, 0)).collect(),
            tables: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
            grains: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
            region,
        })
    }

    /// The place of a grain in the file in bytes; none where the disk is zero.
    fn place(&self, grain: u64) -> Result<Option<u64>, Error> {
        let (table, index) = (grain / self.entries, (grain % self.entries) as usize);
        let sector = usize::try_from(table).ok().and_then(|table| self.directory.get(table)).copied();
        let Some(sector) = sector.filter(|sector| *sector != 0) else { return Ok(None) };
        let slot = &self.tables[(table % SLOTS as u64) as usize];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|(of, _)| *of != table) {
            let at = u64::from(sector) * SECTOR;
            let bytes = self.region.read_some(at, self.entries * 4)?;
            if (bytes.len() as u64) < self.entries * 4 {
                return Err(corrupt(
                    &self.region,
                    format!("its grain table {table} at {at:#x} is truncated"),
                ));
            }
            *slot = Some((table, bytes.chunks_exact(4).map(|entry| u32_at(entry, 0)).collect()));
        }
        let entry = slot.as_ref().and_then(|(_, entries)| entries.get(index)).copied().unwrap_or(0);
        let is_zero = entry == 0 || (self.has_zero_grains && entry == ZERO_GRAIN);
        Ok((!is_zero).then_some(u64::from(entry) * SECTOR))
    }

    /// Inflates the grain `index` at `at` into `out`, which is the grain, or the disk's end.
    fn inflate(&self, index: u64, at: u64, out: &mut [u8]) -> Result<(), Error> {
        let damaged = |what: String| corrupt(&self.region, format!("grain {index} at {at:#x}: {what}"));
        let marker = self.region.read_some(at, MARKER as u64)?;
        let (first, length) = (u64_at(&marker, 0), u64::from(u32_at(&marker, 8)));
        if marker.len() < MARKER || first != index * (self.grain / SECTOR) {
            return Err(damaged(format!("its marker tells of sector {first}")));
        }
        // Deflate makes incompressible bytes longer by less than this.
        if length == 0 || length > self.grain + self.grain / 8 + 64 {
            return Err(damaged(format!("its marker tells of {length} bytes")));
        }
        let stored = self.region.read_some(at + MARKER as u64, length)?;
        if (stored.len() as u64) < length {
            return Err(damaged("it is truncated".to_owned()));
        }
        // The last one may be whole although the disk ends in it.
        let mut whole = Vec::new();
        let is_part = (out.len() as u64) < self.grain;
        let target = if is_part {
            whole.resize(self.grain as usize, 0);
            &mut whole[..]
        } else {
            &mut *out
        };
        let got = INFLATER
            .with_borrow_mut(|inflater| inflater.zlib_decompress(&stored, target))
            .map_err(|error| damaged(format!("deflate: {error}")))?;
        if got < out.len() {
            return Err(damaged(format!("it holds {got} bytes instead of {}", out.len())));
        }
        if is_part {
            out.copy_from_slice(&whole[..out.len()]);
        }
        Ok(())
    }

    /// Fills `buf` with the bytes from `inside` on of a compressed grain.
    fn read_inflated(&self, index: u64, at: u64, inside: u64, buf: &mut [u8]) -> Result<(), Error> {
        let length = self.grain.min(self.size - index * self.grain);
        if buf.len() as u64 == length {
            return self.inflate(index, at, buf);
        }
        let slot = &self.grains[(index % SLOTS as u64) as usize];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|(of, _)| *of != index) {
            let mut bytes = slot.take().map(|(_, bytes)| bytes).unwrap_or_default();
            bytes.resize(length as usize, 0);
            self.inflate(index, at, &mut bytes)?;
            *slot = Some((index, bytes));
        }
        if let Some((_, bytes)) = &*slot {
            let inside = inside as usize;
            buf.copy_from_slice(&bytes[inside..inside + buf.len()]);
        }
        Ok(())
    }
}

impl BlockSource for VmdkSource {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.size)?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let (index, inside) = (at / self.grain, at % self.grain);
            let length = ((self.grain - inside) as usize).min(buf.len() - done);
            let part = &mut buf[done..done + length];
            match self.place(index)? {
                None => part.fill(0),
                Some(place) if self.is_compressed => self.read_inflated(index, place, inside, part)?,
                Some(place) if place + inside + length as u64 <= self.region.len() => {
                    self.region.read_at(place + inside, part)?;
                }
                Some(place) => {
                    let what =
                        format!("grain {index} at {place:#x} lies beyond the file's end: it is truncated");
                    return Err(corrupt(&self.region, what));
                }
            }
            done += length;
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let end = within.end.min(self.size);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut at = within.start;
        while at < end {
            let index = at / self.grain;
            // A table that is not there is passed at once: the directory may be long and empty.
            let table = index / self.entries;
            let is_absent = usize::try_from(table)
                .ok()
                .and_then(|table| self.directory.get(table))
                .is_none_or(|at| *at == 0);
            let step = if is_absent { self.entries * self.grain } else { self.grain };
            let next = (at - at % step).saturating_add(step).min(end);
            if !is_absent && self.place(index)?.is_some() {
                match ranges.last_mut() {
                    Some(last) if last.end == at => last.end = next,
                    _ => ranges.push(at..next),
                }
            }
            at = next;
        }
        Ok(ranges)
    }
}
