//! A FAT file system read by a second implementation, `fatfs` 0.3.6, which shares no code with what
//! writes here.
//!
//! The boot sector is checked before the crate sees it, and every operation has a budget of bytes to
//! read, because a crafted chain of clusters can be a circle.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fatfs::{DirEntry as FatEntry, FsOptions};
use hardtack_disk::BlockSource;

use super::boot::Geometry;
use super::{name, time};
use crate::{FileType, GuestPath};

/// Added to twice the file system's size: what one operation may read.
const SLACK: u64 = 16 * 1024 * 1024;

/// What the second reader says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: FileType,
    pub(crate) size: u64,
    /// Seconds since 1970, of two seconds' precision.
    pub(crate) mtime: i64,
}

/// A FAT file system that is only read.
pub(crate) struct FatView {
    fs: fatfs::FileSystem<Device>,
    budget: Rc<Cell<u64>>,
    size: u64,
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
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
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

impl FatView {
    /// Opens the file system that fills `disk`; the reason when this reader cannot.
    pub(crate) fn open(disk: Arc<dyn BlockSource>) -> Result<Self, String> {
        let size = disk.len();
        Geometry::read(&disk)?;
        let budget = Rc::new(Cell::new(size.saturating_mul(2).saturating_add(SLACK)));
        let device = Device { disk, position: 0, budget: budget.clone() };
        let fs = fatfs::FileSystem::new(device, FsOptions::new()).map_err(|error| error.to_string())?;
        Ok(Self { fs, budget, size })
    }

    /// The entry of `path`; `None` when it does not exist. The root has no entry.
    fn find(&self, path: &GuestPath) -> io::Result<Option<FatEntry<'_, Device>>> {
        self.budget.set(self.size.saturating_mul(2).saturating_add(SLACK));
        let mut directory = self.fs.root_dir();
        let mut components = path.components().peekable();
        while let Some(name) = components.next() {
            let mut found = None;
            for entry in directory.iter() {
                let entry = entry?;
                if name::same(&entry.file_name(), name) || name::same(&entry.short_file_name(), name) {
                    found = Some(entry);
                    break;
                }
            }
            let Some(entry) = found else { return Ok(None) };
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

    /// What `path` is; `None` when it does not exist.
    pub(crate) fn lstat(&self, path: &GuestPath) -> Result<Option<Seen>, String> {
        if *path == GuestPath::root() {
            return Ok(Some(Seen { kind: FileType::Directory, size: 0, mtime: 0 }));
        }
        let found = self.find(path).map_err(|error| error.to_string())?;
        Ok(found.map(|entry| {
            let kind = if entry.is_dir() { FileType::Directory } else { FileType::Regular };
            let (date, clock) = (entry.modified().date, entry.modified().time);
            let date = date.year.saturating_sub(1980) << 9 | date.month << 5 | date.day;
            let clock = (clock.hour << 11) | (clock.min << 5) | (clock.sec / 2);
            Seen { kind, size: entry.len(), mtime: time::seconds(date, clock) }
        }))
    }

    /// Up to `limit` bytes of the file `path` from `offset`.
    pub(crate) fn read_tail(&self, path: &GuestPath, offset: u64, limit: usize) -> Result<Vec<u8>, String> {
        use io::{Read, Seek};
        let failed = |error: io::Error| error.to_string();
        let Some(entry) = self.find(path).map_err(failed)? else { return Err("missing".to_owned()) };
        if entry.is_dir() {
            return Err("a directory".to_owned());
        }
        let mut file = entry.to_file();
        file.seek(io::SeekFrom::Start(offset)).map_err(failed)?;
        let mut tail = Vec::new();
        file.take(limit as u64).read_to_end(&mut tail).map_err(failed)?;
        Ok(tail)
    }
}
