//! A FAT file system of the guest (the EFI system partition), read through `fatfs` 0.3.6.
//!
//! It is never written: each directory that this version creates leaves an error for fsck.vfat.
//! Linux shows everything as 0755 root:root (vfat with umask 022), and so does this. Names are
//! found without regard to case. The boot sector is checked before the crate sees it, and every
//! operation has a budget of bytes to read, because a crafted chain of clusters can be a circle.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fatfs::{DirEntry as FatEntry, FsOptions};
use hardtack_disk::BlockSource;

use crate::volume::Place;
use crate::{DirEntry, Error, FileSystem, FileType, GuestPath, Metadata, Tree};

/// Added to twice the file system's size: what one operation may read.
const SLACK: u64 = 16 * 1024 * 1024;

/// Why nothing is written.
const READ_ONLY: &str = "FAT file systems are only read";

/// A FAT file system and where it belongs.
pub(crate) struct FatVolume {
    fs: fatfs::FileSystem<Device>,
    budget: Rc<Cell<u64>>,
    size: u64,
    place: Place,
}

struct Device {
    disk: Arc<dyn BlockSource>,
    position: u64,
    budget: Rc<Cell<u64>>,
}

impl io::Read for Device {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.disk.len().saturating_sub(self.position);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let Some(left) = self.budget.get().checked_sub(count.max(1) as u64) else {
            return Err(io::Error::other("more is read than the file system holds: a circle of clusters"));
        };
        self.budget.set(left);
        self.disk.read_at(self.position, &mut buf[..count]).map_err(io::Error::other)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl io::Write for Device {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, READ_ONLY))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Device {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let target = match to {
            io::SeekFrom::Start(offset) => Some(offset),
            io::SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            io::SeekFrom::End(delta) => self.disk.len().checked_add_signed(delta),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

impl FatVolume {
    pub(crate) fn open(disk: Arc<dyn BlockSource>, place: Place) -> Result<Self, Error> {
        let size = disk.len();
        check_boot_sector(&disk).map_err(|what| place.error(what))?;
        let budget = Rc::new(Cell::new(size.saturating_mul(2).saturating_add(SLACK)));
        let device = Device { disk, position: 0, budget: budget.clone() };
        let fs = fatfs::FileSystem::new(device, FsOptions::new()).map_err(|error| place.error(error))?;
        Ok(Self { fs, budget, size, place })
    }

    fn refill(&self) {
        self.budget.set(self.size.saturating_mul(2).saturating_add(SLACK));
    }

    /// The entry of `path`; `None` when it does not exist. The root has no entry.
    fn find(&self, path: &GuestPath) -> Result<Option<FatEntry<'_, Device>>, Error> {
        self.refill();
        let mut directory = self.fs.root_dir();
        let mut components = path.components().peekable();
        while let Some(name) = components.next() {
            let Some(entry) = self.entries(&directory)?.into_iter().find(|entry| is_named(entry, name))
            else {
                return Ok(None);
            };
            if components.peek().is_none() {
                return Ok(Some(entry));
            }
            if !entry.is_dir() {
                return Ok(None);
            }
            directory = entry.to_dir();
        }
        Ok(None)
    }

    fn entries<'a>(&self, directory: &fatfs::Dir<'a, Device>) -> Result<Vec<FatEntry<'a, Device>>, Error> {
        let mut entries = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(|error| self.place.error(error))?;
            if !matches!(entry.short_file_name().as_str(), "." | "..") {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn existing(&self, path: &GuestPath) -> Result<FatEntry<'_, Device>, Error> {
        self.find(path)?.ok_or_else(|| Error::Missing { path: self.place.outside(path.as_str()) })
    }

    fn wrong(&self, path: &GuestPath, found: FileType, wanted: &'static str) -> Error {
        Error::WrongType { path: self.place.outside(path.as_str()), found: found.describe(), wanted }
    }
}

/// The numbers of a boot sector that `fatfs` multiplies and subtracts without a check of its own
/// (Microsoft, "FAT: General Overview of On-Disk Format", section 3).
fn check_boot_sector(disk: &dyn BlockSource) -> Result<(), String> {
    let mut bytes = [0; 512];
    if disk.len() < 512 {
        return Err("too small for a boot sector".to_owned());
    }
    disk.read_at(0, &mut bytes).map_err(|error| error.to_string())?;
    let u16_at = |at: usize| u64::from(bytes[at]) | u64::from(bytes[at + 1]) << 8;
    let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
    let either = |small: u64, large: u64| if small != 0 { small } else { large };
    let (sector, cluster) = (u16_at(11), u64::from(bytes[13]));
    let (reserved, fats, root_entries) = (u16_at(14), u64::from(bytes[16]), u16_at(17));
    let total = either(u16_at(19), u32_at(32));
    let per_fat = either(u16_at(22), u32_at(36));
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) || !cluster.is_power_of_two() {
        return Err(format!("damaged boot sector: {sector} bytes per sector, {cluster} sectors per cluster"));
    }
    let first_data = reserved + fats * per_fat + (root_entries * 32).div_ceil(sector);
    if reserved == 0 || fats == 0 || per_fat == 0 || first_data >= total {
        return Err(format!("damaged boot sector: data begins at sector {first_data} of {total}"));
    }
    if total * sector > disk.len() {
        return Err(format!(
            "{total} sectors of {sector} bytes do not fit the partition's {} bytes",
            disk.len()
        ));
    }
    let clusters = (total - first_data) / cluster;
    let fat32 = u16_at(22) == 0;
    // Half bytes per entry: FAT12 has three of them, FAT16 four, FAT32 eight.
    let width = if fat32 {
        8
    } else if clusters < 4085 {
        3
    } else {
        4
    };
    if per_fat * sector * 2 / width < clusters + 2 {
        return Err(format!(
            "damaged boot sector: a table of {per_fat} sectors is too small for {clusters} clusters"
        ));
    }
    let root = u32_at(44);
    if fat32 && !(2..clusters + 2).contains(&root) {
        return Err(format!("damaged boot sector: the root directory is cluster {root} of {clusters}"));
    }
    Ok(())
}

fn is_named(entry: &FatEntry<'_, Device>, name: &str) -> bool {
    let same = |other: &str| {
        other.chars().flat_map(char::to_uppercase).eq(name.chars().flat_map(char::to_uppercase))
    };
    same(&entry.file_name()) || same(&entry.short_file_name())
}

fn kind(entry: &FatEntry<'_, Device>) -> FileType {
    if entry.is_dir() { FileType::Directory } else { FileType::Regular }
}

/// DOS time, taken as UTC: the file system does not know its zone.
fn seconds(time: fatfs::DateTime) -> i64 {
    let (date, time) = (time.date, time.time);
    // Days since 1970 from a civil date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    days * 86_400 + i64::from(time.hour) * 3600 + i64::from(time.min) * 60 + i64::from(time.sec)
}

impl Tree for FatVolume {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        let metadata = |kind, size, mtime| Metadata { kind, mode: 0o755, uid: 0, gid: 0, size, mtime };
        if *path == GuestPath::root() {
            return Ok(Some(metadata(FileType::Directory, 0, 0)));
        }
        let found = self.find(path)?;
        Ok(found.map(|entry| metadata(kind(&entry), entry.len(), seconds(entry.modified()))))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let directory = if *path == GuestPath::root() {
            self.refill();
            self.fs.root_dir()
        } else {
            let entry = self.existing(path)?;
            if !entry.is_dir() {
                return Err(self.wrong(path, FileType::Regular, "a directory"));
            }
            entry.to_dir()
        };
        let mut entries: Vec<_> = self
            .entries(&directory)?
            .iter()
            .map(|entry| DirEntry { name: entry.file_name(), kind: kind(entry) })
            .filter(|entry| !entry.name.is_empty() && !entry.name.contains('/'))
            .collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        use io::{Read, Seek};
        if *path == GuestPath::root() {
            return Err(self.wrong(path, FileType::Directory, "a file"));
        }
        let entry = self.existing(path)?;
        if entry.is_dir() {
            return Err(self.wrong(path, FileType::Directory, "a file"));
        }
        if offset >= entry.len() {
            return Ok(0);
        }
        let failed =
            |error: io::Error| self.place.error(format!("{}: {error}", self.place.outside(path.as_str())));
        let mut file = entry.to_file();
        file.seek(io::SeekFrom::Start(offset)).map_err(failed)?;
        let mut done = 0;
        while done < buf.len() {
            match file.read(&mut buf[done..]).map_err(failed)? {
                0 => break,
                count => done += count,
            }
        }
        Ok(done)
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        let found =
            if *path == GuestPath::root() { FileType::Directory } else { kind(&self.existing(path)?) };
        Err(self.wrong(path, found, "a symbolic link"))
    }

    fn xattrs(&self, _: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Ok(Vec::new())
    }
}

impl FileSystem for FatVolume {
    fn describe(&self) -> String {
        self.place.name.clone()
    }

    fn read_only(&self) -> Option<String> {
        Some(READ_ONLY.to_owned())
    }
}
