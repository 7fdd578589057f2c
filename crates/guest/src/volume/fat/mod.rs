//! A FAT file system of the guest (the EFI system partition): read and changed by our own code.
//!
//! `fatfs` 0.3.6, which reads a finished image back ([`view`]), leaves an error for fsck.vfat in every
//! directory that it creates, keeps removed names and content, and takes times from a clock.
//!
//! FAT has no owners, modes, links or attributes. The kernel shows those of the mount's options
//! (`uid`, `gid`, `umask`, `fmask`, `dmask` in fstab; without them 0755 root:root), and so does this.
//! Something new may be asked for with less than that, for 0644 is what a file is given that nobody
//! said anything about; but a mode that is to keep others from reading is refused where the mount
//! would show the file to them, and so is any other owner. Names are found without regard to case.
//!
//! Nothing is left behind: clusters that are given back become zeros, as do the slots of names.

mod boot;
mod directory;
mod edit;
mod name;
mod table;
mod time;
pub(crate) mod view;

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::BlockWrite;

use boot::Geometry;
use directory::{Directory, Entry};
use table::Table;

use crate::volume::Place;
use crate::{Attributes, DirEntry, Error, FileSystem, FileType, GuestPath, Metadata, Residue, Tree};

/// Directories below each other that are followed: a crafted one may contain itself.
const DEPTH: usize = 64;

/// What is left of a time that is stored here: two seconds fine, not before 1980.
pub(crate) fn kept_time(seconds: i64) -> i64 {
    let (date, time) = time::stored(seconds);
    time::seconds(date, time)
}

/// A FAT file system and where it belongs.
pub(crate) struct FatVolume {
    table: Table,
    place: Place,
    epoch: i64,
    shown: Shown,
    changed: bool,
}

/// What the mount's options show of every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    uid: u32,
    gid: u32,
    file: u32,
    directory: u32,
}

impl Shown {
    /// From the options of fstab, as the kernel reads them (`fs/fat/inode.c`). systemd's own mount
    /// gives none.
    pub(crate) fn new(options: &[String]) -> Self {
        let mut shown = Self { uid: 0, gid: 0, file: 0o022, directory: 0o022 };
        for (key, value) in options.iter().filter_map(|option| option.split_once('=')) {
            let octal = u32::from_str_radix(value, 8).map(|mask| mask & 0o777);
            match (key, octal, value.parse()) {
                ("umask", Ok(mask), _) => (shown.file, shown.directory) = (mask, mask),
                ("fmask", Ok(mask), _) => shown.file = mask,
                ("dmask", Ok(mask), _) => shown.directory = mask,
                ("uid", _, Ok(uid)) => shown.uid = uid,
                ("gid", _, Ok(gid)) => shown.gid = gid,
                _ => {}
            }
        }
        (shown.file, shown.directory) = (0o777 & !shown.file, 0o777 & !shown.directory);
        shown
    }

    fn mode(self, kind: FileType, read_only: bool) -> u32 {
        match kind {
            FileType::Directory => self.directory,
            _ if read_only => self.file & !0o222,
            _ => self.file,
        }
    }
}

/// What a path leads to.
enum Found {
    Root(Directory),
    /// An entry and the directory that it is in.
    Entry(Directory, Entry),
}

impl FatVolume {
    /// Opens the file system that fills `disk`. `epoch` (seconds since 1970) is the time that every
    /// edit writes, `options` are the mount's.
    pub(crate) fn open(
        disk: Arc<dyn BlockWrite>,
        epoch: i64,
        place: Place,
        options: &[String],
    ) -> Result<Self, Error> {
        let geometry = Geometry::read(&disk).map_err(|what| place.error(what))?;
        let table = Table::new(disk, geometry, place.clone());
        Ok(Self { table, place, epoch, shown: Shown::new(options), changed: false })
    }

    /// The byte ranges of clusters that are free, ascending; none where the copies of the table differ.
    pub(crate) fn free(&self) -> Result<Vec<Range<u64>>, Error> {
        if self.table.copies_agree()? { self.table.free_ranges() } else { Ok(Vec::new()) }
    }

    /// `None` when the path, or a directory above it, does not exist.
    fn find(&self, path: &GuestPath) -> Result<Option<Found>, Error> {
        let mut directory = Directory::root(&self.table, &self.place)?;
        let mut components = path.components().peekable();
        let mut seen = Vec::new();
        while let Some(name) = components.next() {
            let Some(entry) = directory.find(name) else { return Ok(None) };
            if components.peek().is_none() {
                return Ok(Some(Found::Entry(directory, entry)));
            }
            if !entry.is_directory() {
                return Ok(None);
            }
            if seen.len() >= DEPTH || seen.contains(&entry.first()) {
                return Err(self.damaged(path, "it lies inside itself"));
            }
            seen.push(entry.first());
            directory = Directory::open(&self.table, entry.first(), &self.place)?;
        }
        Ok(Some(Found::Root(directory)))
    }

    fn existing(&self, path: &GuestPath) -> Result<Found, Error> {
        self.find(path)?.ok_or_else(|| Error::Missing { path: self.place.outside(path.as_str()) })
    }

    /// The directory `path`.
    fn directory(&self, path: &GuestPath) -> Result<Directory, Error> {
        match self.existing(path)? {
            Found::Root(directory) => Ok(directory),
            Found::Entry(_, entry) if entry.is_directory() => {
                Directory::open(&self.table, entry.first(), &self.place)
            }
            Found::Entry(..) => Err(self.wrong(path, FileType::Regular, "a directory")),
        }
    }

    /// The regular file `path`.
    fn file(&self, path: &GuestPath) -> Result<(Directory, Entry), Error> {
        match self.existing(path)? {
            Found::Entry(parent, entry) if !entry.is_directory() => Ok((parent, entry)),
            _ => Err(self.wrong(path, FileType::Directory, "a file")),
        }
    }

    fn wrong(&self, path: &GuestPath, found: FileType, wanted: &'static str) -> Error {
        Error::WrongType { path: self.place.outside(path.as_str()), found: found.describe(), wanted }
    }

    /// An error about `path`, for people.
    fn about(&self, path: &GuestPath, what: impl std::fmt::Display) -> Error {
        self.place.error(format!("{}: {what}", self.place.outside(path.as_str())))
    }

    fn damaged(&self, path: &GuestPath, what: &str) -> Error {
        self.about(path, format!("damaged: {what}"))
    }
}

fn kind(entry: &Entry) -> FileType {
    if entry.is_directory() { FileType::Directory } else { FileType::Regular }
}

impl Tree for FatVolume {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        let metadata = |kind, read_only, size, mtime| Metadata {
            kind,
            mode: self.shown.mode(kind, read_only),
            uid: self.shown.uid,
            gid: self.shown.gid,
            size,
            mtime,
        };
        Ok(self.find(path)?.map(|found| match found {
            Found::Root(_) => metadata(FileType::Directory, false, 0, 0),
            Found::Entry(_, entry) => {
                metadata(kind(&entry), entry.is_read_only(), entry.size(), entry.modified())
            }
        }))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let entries = self.directory(path)?.entries();
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|entry| DirEntry { kind: kind(&entry), name: entry.name })
            .filter(|entry| !matches!(entry.name.as_str(), "" | "." | "..") && !entry.name.contains('/'))
            .collect();
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let (_, entry) = self.file(path)?;
        let Some(rest) = entry.size().checked_sub(offset).filter(|rest| *rest > 0) else { return Ok(0) };
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let size = self.table.geometry.cluster;
        let last = (offset + length as u64).div_ceil(size);
        let chain = self.table.chain(entry.first(), last)?;
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let cluster = chain.clusters.get((at / size) as usize);
            let cluster =
                cluster.ok_or_else(|| self.damaged(path, "fewer clusters than its length needs"))?;
            let count = ((size - at % size) as usize).min(length - done);
            let target = &mut buf[done..done + count];
            self.table.disk.read_at(self.table.geometry.place(*cluster) + at % size, target)?;
            done += count;
        }
        Ok(length)
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        let found = match self.existing(path)? {
            Found::Root(_) => FileType::Directory,
            Found::Entry(_, entry) => kind(&entry),
        };
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
        None
    }

    fn create(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        self.check_new(path, FileType::Regular, attributes)?;
        self.add(path, false, attributes)
    }

    fn set_content(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        self.write(path, false, content)
    }

    fn append(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        self.write(path, true, content)
    }

    fn mkdir(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        self.check_new(path, FileType::Directory, attributes)?;
        self.add(path, true, attributes)
    }

    fn symlink(&mut self, path: &GuestPath, _: &str, _: Attributes) -> Result<(), Error> {
        Err(self.about(path, "FAT has no symbolic links: put a copy of the file there"))
    }

    fn hard_link(&mut self, _: &GuestPath, path: &GuestPath) -> Result<(), Error> {
        Err(self.about(path, "FAT has no hard links: put a copy of the file there"))
    }

    fn remove(&mut self, path: &GuestPath) -> Result<(), Error> {
        self.take_away(path)
    }

    fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        self.move_entry(from, to)
    }

    fn set_mode(&mut self, path: &GuestPath, mode: u32) -> Result<(), Error> {
        self.change_mode(path, mode)
    }

    fn set_owner(&mut self, path: &GuestPath, uid: u32, gid: u32) -> Result<(), Error> {
        self.existing(path)?;
        self.check_owner(path, uid, gid)
    }

    fn set_mtime(&mut self, path: &GuestPath, seconds: i64) -> Result<(), Error> {
        self.change_time(path, seconds)
    }

    fn set_xattr(&mut self, path: &GuestPath, name: &str, _: &[u8]) -> Result<(), Error> {
        // The policy gives all files of a FAT file system one label (genfscon); none is stored.
        if name == "security.selinux" {
            return Ok(());
        }
        Err(self.about(path, format!("FAT has no extended attributes, so {name} cannot be kept")))
    }

    fn residue(&self, which: Residue) -> Result<Vec<Range<u64>>, Error> {
        match which {
            // Zeros already.
            Residue::OfEdits => Ok(Vec::new()),
            Residue::All => self.table.free_ranges(),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.changed { self.table.write_info() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
