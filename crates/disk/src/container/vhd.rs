//! VHD, the disk of Virtual PC and Azure: fixed (a footer behind the disk's bytes) and dynamic
//! (blocks where there is data).
//!
//! The format: Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0; numbers are
//! big-endian. Which of the footer's two sizes counts is what QEMU's `block/vpc.c` knows of the
//! programs that write them. The sector bitmap in front of a block is not looked at, as QEMU does
//! not: a sector that was never written is zero in the block.

use std::ops::Range;

use super::input::Region;
use crate::detect::VHD as COOKIE;
use crate::error::check_range;
use crate::{BlockSource, Error};

const SECTOR: u64 = 512;
/// Virtual PC before 2004 wrote one byte less.
const FOOTERS: [u64; 2] = [512, 511];
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;
const DIFFERENCING: u32 = 4;
/// Bytes of the header of a dynamic disk.
const HEADER: u64 = 1024;
/// Bytes of a block allocation table: the largest VHD has 2040 GiB, in blocks of 512 KiB or more.
const LARGEST_TABLE: u64 = 32 << 20;
/// A block that is not there.
const UNUSED: u32 = u32::MAX;
/// Programs write 2 MiB, and 512 KiB.
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 4096..=256 << 20;
/// Programs that write what their geometry says, and a size that is larger.
const BY_GEOMETRY: [&[u8]; 3] = [b"vpc ", b"vs  ", b"qemu"];
/// Cylinders, heads, sectors of disks that are larger than a geometry can say.
const LARGEST_GEOMETRY: u64 = 65535 * 16 * 255;

/// A VHD, opened read-only.
#[derive(Debug)]
pub struct VhdSource {
    region: Region,
    size: u64,
    /// None: fixed.
    blocks: Option<Blocks>,
}

#[derive(Debug)]
struct Blocks {
    size: u64,
    /// Bytes of the bitmap in front of each block.
    bitmap: u64,
    /// The block allocation table: the sector of each block.
    table: Vec<u32>,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

/// The ones' complement of the sum of all bytes but those of the checksum itself.
fn checksum(bytes: &[u8], at: usize) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    !(sum(bytes) - sum(&bytes[at..at + 4]))
}

impl VhdSource {
    pub(super) fn new(region: Region) -> Result<Self, Error> {
        let corrupt = |what: String| Error::Corrupt { path: region.path.to_path_buf(), format: "vhd", what };
        // The copy at the front is a dynamic disk's; a fixed one begins with the disk's bytes.
        let mut footer = region.read_some(0, SECTOR)?;
        let mut data_end = region.len();
        if !footer.starts_with(COOKIE) {
            for length in FOOTERS {
                data_end = region.len().saturating_sub(length);
                footer = region.read_some(data_end, length)?;
                if footer.starts_with(COOKIE) {
                    break;
                }
            }
        }
        // Of the file's end there may be less, and of the older footer there is.
        footer.resize(SECTOR as usize, 0);
        let (stored, computed) = (u32_at(&footer, 64), checksum(&footer, 64));
        if stored != computed {
            return Err(corrupt(format!(
                "its footer's checksum is {stored:#010x} instead of {computed:#010x}"
            )));
        }
        let geometry = u64::from(u32_at(&footer, 56) >> 16) * u64::from(footer[58]) * u64::from(footer[59]);
        let by_geometry = BY_GEOMETRY.contains(&&footer[28..32]) && geometry < LARGEST_GEOMETRY;
        let size = if by_geometry { geometry * SECTOR } else { u64_at(&footer, 48) };
        if size == 0 || !size.is_multiple_of(SECTOR) {
            return Err(corrupt(format!("its size is {size} bytes, which no disk has")));
        }
        let blocks = match u32_at(&footer, 60) {
            FIXED if size <= data_end => None,
            FIXED => {
                return Err(corrupt(format!(
                    "its disk has {size} bytes and the file only {data_end}: it is truncated"
                )));
            }
            DYNAMIC => Some(Blocks::read(&region, u64_at(&footer, 16), size)?),
            DIFFERENCING => {
                let what = "it is a differencing disk: give its parent, or merge the two".to_owned();
                return Err(Error::Unsupported { path: region.path.to_path_buf(), format: "vhd", what });
            }
            other => return Err(corrupt(format!("its type is {other}"))),
        };
        Ok(Self { region, size, blocks })
    }
}

impl Blocks {
    fn read(region: &Region, header_at: u64, disk: u64) -> Result<Self, Error> {
        let corrupt = |what: String| Error::Corrupt { path: region.path.to_path_buf(), format: "vhd", what };
        let header = region.read_some(header_at, HEADER)?;
        if (header.len() as u64) < HEADER || !header.starts_with(b"cxsparse") {
            return Err(corrupt(format!("no header of a dynamic disk is at {header_at:#x}")));
        }
        let (stored, computed) = (u32_at(&header, 36), checksum(&header, 36));
        if stored != computed {
            return Err(corrupt(format!(
                "its header's checksum is {stored:#010x} instead of {computed:#010x}"
            )));
        }
        let size = u64::from(u32_at(&header, 32));
        if !size.is_power_of_two() || !BLOCK_SIZES.contains(&size) {
            return Err(corrupt(format!("its blocks have {size} bytes")));
        }
        let (table_at, entries) = (u64_at(&header, 16), u64::from(u32_at(&header, 28)));
        let needed = disk.div_ceil(size);
        if needed * 4 > LARGEST_TABLE {
            return Err(corrupt(format!("its disk of {disk} bytes is larger than any VHD")));
        }
        if needed > entries {
            return Err(corrupt(format!("its table has {entries} entries, and {needed} blocks need one")));
        }
        // No longer than the file is, which may be a large one with holes.
        let table = region.read_some(table_at, needed * 4)?;
        if (table.len() as u64) < needed * 4 {
            return Err(corrupt(format!("its block table at {table_at:#x} is truncated")));
        }
        let table: Vec<u32> = table.chunks_exact(4).map(|entry| u32_at(entry, 0)).collect();
        let bitmap = (size / SECTOR / 8).next_multiple_of(SECTOR);
        // The last block may end with the disk.
        let place = |block: u32| u64::from(block) * SECTOR + bitmap;
        let beyond = table.iter().enumerate().find(|(index, block)| {
            let length = size.min(disk - *index as u64 * size);
            **block != UNUSED && place(**block) + length > region.len()
        });
        match beyond {
            Some((index, block)) => {
                let end = region.len();
                let at = place(*block);
                Err(corrupt(format!("block {index} at {at:#x} lies beyond the file's end at {end:#x}")))
            }
            None => Ok(Self { size, bitmap, table }),
        }
    }

    /// Where the byte `at` of the disk is in the file, and how many bytes follow it in its block.
    fn place(&self, at: u64) -> (Option<u64>, u64) {
        let (block, inside) = (at / self.size, at % self.size);
        let sector = usize::try_from(block).ok().and_then(|block| self.table.get(block)).copied();
        let sector = sector.filter(|sector| *sector != UNUSED);
        (sector.map(|sector| u64::from(sector) * SECTOR + self.bitmap + inside), self.size - inside)
    }
}

impl BlockSource for VhdSource {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.size)?;
        let Some(blocks) = &self.blocks else { return self.region.read_at(offset, buf) };
        let mut done = 0;
        while done < buf.len() {
            let (place, valid) = blocks.place(offset + done as u64);
            let length = usize::try_from(valid).unwrap_or(usize::MAX).min(buf.len() - done);
            let part = &mut buf[done..done + length];
            match place {
                Some(place) => self.region.read_at(place, part)?,
                None => part.fill(0),
            }
            done += length;
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let within = within.start..within.end.min(self.size);
        let Some(blocks) = &self.blocks else { return Ok(vec![within]) };
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut at = within.start;
        while at < within.end {
            let (place, valid) = blocks.place(at);
            let next = (at + valid).min(within.end);
            if place.is_some() {
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
