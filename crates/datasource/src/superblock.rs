//! What file system a block device holds and what label it has, told by its first blocks, as blkid tells it
//! (util-linux's `libblkid/src/superblocks/{vfat,iso9660,ext}.c`).
//!
//! Every read is bounded: some sectors, of FAT the chain of the root directory up to a limit.

use std::io::{Read, Seek, SeekFrom};

/// Entries of FAT's root directory that are looked at for the label.
const ENTRIES: usize = 4096;
/// Clusters of that directory.
const CLUSTERS: usize = 128;
/// Descriptors at the start of an ISO 9660 file system.
const DESCRIPTORS: u64 = 32;

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Superblock {
    /// `vfat`, `iso9660`, `ext2`, `ext3`, `ext4`.
    pub file_system: &'static str,
    /// Its label.
    pub label: String,
    /// Of FAT, the label in the boot sector.
    pub boot_label: String,
    /// As blkid writes it.
    pub uuid: String,
}

/// What `device` holds, if it is one of these.
///
/// # Errors
/// When it cannot be read.
pub fn probe<D: Read + Seek>(device: &mut D) -> std::io::Result<Option<Superblock>> {
    let mut disk = Disk { device };
    if let Some(found) = iso9660(&mut disk)? {
        return Ok(Some(found));
    }
    if let Some(found) = ext(&mut disk)? {
        return Ok(Some(found));
    }
    fat(&mut disk)
}

struct Disk<'d, D> {
    device: &'d mut D,
}

impl<D: Read + Seek> Disk<'_, D> {
    /// `N` bytes at `offset`; `None` behind the end.
    fn at<const N: usize>(&mut self, offset: u64) -> std::io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        self.device.seek(SeekFrom::Start(offset))?;
        match self.device.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at + 2)
        .map_or(0, |bytes| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u16_at(bytes, at) | u16_at(bytes, at + 2) << 16
}

/// A label without the blanks and zeros that fill it up.
fn label(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    text.trim_end_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).to_owned()
}

/// The UUID of `bytes`, with its dashes.
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn iso9660<D: Read + Seek>(disk: &mut Disk<'_, D>) -> std::io::Result<Option<Superblock>> {
    const START: u64 = 0x8000;
    const SECTOR: u64 = 0x800;
    let mut primary: Option<Superblock> = None;
    for index in 0..DESCRIPTORS {
        let Some(sector) = disk.at::<1024>(START + index * SECTOR)? else { break };
        if sector.get(1..6) != Some(b"CD001") {
            break;
        }
        match sector.first() {
            Some(1) if primary.is_none() => {
                primary = Some(Superblock {
                    file_system: "iso9660",
                    label: label(sector.get(40..72).unwrap_or_default()),
                    boot_label: String::new(),
                    uuid: iso_date(sector.get(830..847).unwrap_or_default())
                        .or_else(|| iso_date(sector.get(813..830).unwrap_or_default()))
                        .unwrap_or_default(),
                });
            }
            // Joliet has the label as it was meant, in capital and small letters, cut at 16 characters.
            Some(2) if is_joliet(&sector) => {
                if let Some(found) = &mut primary {
                    let wide = wide_label(sector.get(40..72).unwrap_or_default());
                    found.label = merged(&found.label, &wide);
                }
            }
            Some(255) => break,
            _ => {}
        }
    }
    Ok(primary)
}

fn is_joliet(sector: &[u8]) -> bool {
    matches!(sector.get(88..91), Some([b'%', b'/', b'@' | b'C' | b'E']))
}

fn wide_label(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| {
            u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)])
        })
        .take_while(|unit| *unit != 0)
        .collect();
    String::from_utf16_lossy(&units).trim_end().to_owned()
}

/// Joliet's, with the rest of the longer one where the two agree; an empty one too.
fn merged(plain: &str, wide: &str) -> String {
    // Joliet's is at most 16 characters long; the other one then tells how it goes on.
    let count = wide.chars().count();
    let start: String = plain.chars().take(count).collect();
    let goes_on = count > 0 && plain.chars().count() > count;
    if goes_on && start.to_uppercase() == wide.to_uppercase() {
        let rest: String = plain.chars().skip(count).collect();
        return format!("{wide}{rest}");
    }
    wide.to_owned()
}

/// `2024021512000000` and the offset, as `2024-02-15-12-00-00-00`.
fn iso_date(bytes: &[u8]) -> Option<String> {
    let digits = bytes.get(..16)?;
    let zero = digits.iter().all(|byte| *byte == b'0') && bytes.get(16) == Some(&0);
    if zero || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    let parts = [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16];
    let parts: Vec<&str> = parts.into_iter().filter_map(|range| text.get(range)).collect();
    Some(parts.join("-"))
}

fn ext<D: Read + Seek>(disk: &mut Disk<'_, D>) -> std::io::Result<Option<Superblock>> {
    let Some(block) = disk.at::<1024>(1024)? else { return Ok(None) };
    if u16_at(&block, 0x38) != 0xef53 {
        return Ok(None);
    }
    let (compatible, incompatible, read_only) =
        (u32_at(&block, 0x5c), u32_at(&block, 0x60), u32_at(&block, 0x64));
    // A journal on its own device is no file system.
    if incompatible & 0x8 != 0 {
        return Ok(None);
    }
    let newer = incompatible & !0x16 != 0 || read_only & !0x7 != 0;
    let file_system = match (newer, compatible & 0x4 != 0) {
        (true, _) => "ext4",
        (false, true) => "ext3",
        (false, false) => "ext2",
    };
    Ok(Some(Superblock {
        file_system,
        label: label(block.get(0x78..0x88).unwrap_or_default()),
        boot_label: String::new(),
        uuid: uuid(block.get(0x68..0x78).unwrap_or_default()),
    }))
}

/// FAT's geometry.
struct Fat {
    sector: u64,
    cluster: u64,
    reserved: u64,
    tables: u64,
    root_entries: u64,
    /// Sectors of one table.
    table: u64,
    wide: bool,
    root_cluster: u64,
}

fn fat<D: Read + Seek>(disk: &mut Disk<'_, D>) -> std::io::Result<Option<Superblock>> {
    let Some(boot) = disk.at::<512>(0)? else { return Ok(None) };
    let Some(fat) = Fat::of(&boot) else { return Ok(None) };
    let (serial, name) = if fat.wide { (0x43, 0x47) } else { (0x27, 0x2b) };
    let serial = u32_at(&boot, serial);
    let own = boot.get(name..name + 11).unwrap_or_default();
    let boot_label = if own == b"NO NAME    " { String::new() } else { label(own) };
    Ok(Some(Superblock {
        file_system: "vfat",
        label: fat.root_label(disk)?.unwrap_or_default(),
        boot_label,
        uuid: if serial == 0 {
            String::new()
        } else {
            format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)
        },
    }))
}

impl Fat {
    /// `None` where the boot sector is none of FAT.
    fn of(boot: &[u8]) -> Option<Self> {
        let byte = |at: usize| boot.get(at).copied().map(u64::from).unwrap_or_default();
        if u16_at(boot, 510) != 0xaa55 {
            return None;
        }
        let fat = Self {
            sector: u16_at(boot, 0x0b),
            cluster: byte(0x0d),
            reserved: u16_at(boot, 0x0e),
            tables: byte(0x10),
            root_entries: u16_at(boot, 0x11),
            table: match u16_at(boot, 0x16) {
                0 => u32_at(boot, 0x24),
                small => small,
            },
            wide: u16_at(boot, 0x16) == 0,
            root_cluster: u32_at(boot, 0x2c),
        };
        let media = byte(0x15);
        let sound = matches!(fat.sector, 512 | 1024 | 2048 | 4096)
            && fat.cluster.is_power_of_two()
            && fat.reserved != 0
            && fat.tables != 0
            && fat.table != 0
            && (media >= 0xf8 || media == 0xf0);
        // exFAT and NTFS have these empty, so that nobody takes them for FAT.
        sound.then_some(fat)
    }

    /// Where the data begin, in bytes.
    fn data(&self) -> u64 {
        let root = (self.root_entries * 32).div_ceil(self.sector);
        (self.reserved + self.tables * self.table + root) * self.sector
    }

    fn root_label<D: Read + Seek>(&self, disk: &mut Disk<'_, D>) -> std::io::Result<Option<String>> {
        if !self.wide {
            let start = (self.reserved + self.tables * self.table) * self.sector;
            let entries = usize::try_from(self.root_entries).unwrap_or(0).min(ENTRIES);
            return Ok(label_in(disk, start, entries)?.0);
        }
        let size = self.cluster * self.sector;
        let entries = usize::try_from(size / 32).unwrap_or(0).min(ENTRIES);
        let mut cluster = self.root_cluster;
        for _ in 0..CLUSTERS {
            let Some(index) = cluster.checked_sub(2) else { break };
            let (found, ended) = label_in(disk, self.data() + index * size, entries)?;
            if found.is_some() || ended {
                return Ok(found);
            }
            let Some(next) = disk.at::<4>(self.reserved * self.sector + cluster * 4)? else { break };
            cluster = u32_at(&next, 0) & 0x0fff_ffff;
            if cluster >= 0x0fff_fff0 {
                break;
            }
        }
        Ok(None)
    }
}

/// The volume's entry among `entries` at `start`, and whether the directory ends there.
fn label_in<D: Read + Seek>(
    disk: &mut Disk<'_, D>,
    start: u64,
    entries: usize,
) -> std::io::Result<(Option<String>, bool)> {
    let mut at = start;
    for _ in 0..entries {
        let Some(entry) = disk.at::<32>(at)? else { return Ok((None, true)) };
        at = at.saturating_add(32);
        let (first, attributes) = (entry[0], entry[11]);
        if first == 0 {
            return Ok((None, true));
        }
        let no_cluster = u16_at(&entry, 0x14) == 0 && u16_at(&entry, 0x1a) == 0;
        let is_long_name = attributes & 0x3f == 0x0f;
        if first == 0xe5 || is_long_name || !no_cluster {
            continue;
        }
        if attributes & 0x18 == 0x08 {
            let mut name = [0; 11];
            name.copy_from_slice(&entry[..11]);
            // 0xe5 at the start means that the entry is free, so it is written as 0x05.
            if name[0] == 0x05 {
                name[0] = 0xe5;
            }
            let text = label(&name);
            return Ok((Some(text).filter(|text| text != "NO NAME"), true));
        }
    }
    Ok((None, false))
}
