//! Changing a FAT file system: every operation leaves it as fsck.vfat wants it.
//!
//! What an operation needs is asked for before its first write, so that one that finds no room
//! changes nothing but, at most, gives a directory more room.

use super::directory::{Directory, Entry, SLOT, attribute, field};
use super::{FatVolume, Found, name, time};
use crate::{Attributes, Error, FileType, GuestPath};

/// The longest file: its length has 32 bits.
const LONGEST: u64 = u32::MAX as u64;

fn put_time(bytes: &mut [u8; SLOT], at: usize, epoch: i64) {
    let (date, time) = time::stored(epoch);
    bytes[at..at + 2].copy_from_slice(&time.to_le_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&date.to_le_bytes());
}

fn put_accessed(bytes: &mut [u8; SLOT], epoch: i64) {
    let (date, _) = time::stored(epoch);
    bytes[field::ACCESSED..field::ACCESSED + 2].copy_from_slice(&date.to_le_bytes());
}

fn put_cluster(bytes: &mut [u8; SLOT], cluster: u32) {
    let [low, second, third, high] = cluster.to_le_bytes();
    bytes[field::CLUSTER_LOW..field::CLUSTER_LOW + 2].copy_from_slice(&[low, second]);
    bytes[field::CLUSTER_HIGH..field::CLUSTER_HIGH + 2].copy_from_slice(&[third, high]);
}

/// The slot of something new without its name.
fn fresh(attributes: u8, cluster: u32, epoch: i64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[field::ATTRIBUTES] = attributes;
    put_time(&mut bytes, field::CREATED, epoch);
    put_time(&mut bytes, field::MODIFIED, epoch);
    put_accessed(&mut bytes, epoch);
    put_cluster(&mut bytes, cluster);
    bytes
}

impl FatVolume {
    /// Refuses attributes that the mount would not keep.
    pub(super) fn check_new(
        &self,
        path: &GuestPath,
        kind: FileType,
        wanted: Attributes,
    ) -> Result<(), Error> {
        self.check_owner(path, wanted.uid, wanted.gid)?;
        let shown = self.shown.mode(kind, wanted.mode & 0o222 == 0);
        // Nobody may read, write or enter what was to be kept from them; running is asked of files.
        let asked = if kind == FileType::Directory { 0o777 } else { 0o666 };
        if shown & asked & !wanted.mode != 0 || wanted.mode & 0o7000 != 0 {
            return Err(self.refuse_mode(path, wanted.mode, shown));
        }
        Ok(())
    }

    fn refuse_mode(&self, path: &GuestPath, wanted: u32, shown: u32) -> Error {
        self.about(
            path,
            format!(
                "FAT keeps no modes: it would be {shown:04o} and not {wanted:04o}; leave the mode out, or change the \
                 mask in /etc/fstab"
            ),
        )
    }

    pub(super) fn check_owner(&self, path: &GuestPath, uid: u32, gid: u32) -> Result<(), Error> {
        if (uid, gid) == (self.shown.uid, self.shown.gid) {
            return Ok(());
        }
        let (have_uid, have_gid) = (self.shown.uid, self.shown.gid);
        Err(self.about(
            path,
            format!("FAT keeps no owners: all of it belongs to {have_uid}:{have_gid}, so not to {uid}:{gid}"),
        ))
    }

    /// Parent directory and name of a path that does not exist yet.
    fn new_place<'p>(&self, path: &'p GuestPath) -> Result<(Directory, GuestPath, &'p str), Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(self.about(path, "it is the root directory"));
        };
        if let Some(why) = name::refuse(name) {
            return Err(self.about(path, why));
        }
        Ok((self.directory(&parent)?, parent, name))
    }

    /// A new empty file or directory.
    pub(super) fn add(&mut self, path: &GuestPath, directory: bool, wanted: Attributes) -> Result<(), Error> {
        let (mut parent, parent_path, name) = self.new_place(path)?;
        if parent.find(name).is_some() {
            return Err(self.about(path, "it exists already"));
        }
        parent.room(&self.table, Directory::slots_for(name))?;
        self.changed = true;
        let (attributes, first) = if directory {
            let mut clusters = Vec::new();
            self.table.extend(&mut clusters, 1)?;
            let first = clusters.first().copied().unwrap_or(0);
            self.table.zero(first)?;
            self.make_dots(first, if parent_path == GuestPath::root() { 0 } else { parent.first() })?;
            (attribute::DIRECTORY, first)
        } else {
            let read_only = if wanted.mode & 0o222 == 0 { attribute::READ_ONLY } else { 0 };
            (attribute::ARCHIVE | read_only, 0)
        };
        parent.add(&self.table, name, fresh(attributes, first, self.epoch))?;
        self.touch(&parent_path)
    }

    /// `.` and `..` of a new directory: the only names without a long one whatever they are.
    fn make_dots(&self, first: u32, parent: u32) -> Result<(), Error> {
        let mut bytes = [0; 2 * SLOT];
        for (slot, (name, cluster)) in
            bytes.chunks_exact_mut(SLOT).zip([(b".          ", first), (b"..         ", parent)])
        {
            let mut entry = fresh(attribute::DIRECTORY, cluster, self.epoch);
            entry[..11].copy_from_slice(name);
            slot.copy_from_slice(&entry);
        }
        Ok(self.table.disk.write_at(self.table.geometry.place(first), &bytes)?)
    }

    /// A directory's own time; the root has none.
    fn touch(&mut self, path: &GuestPath) -> Result<(), Error> {
        if *path == GuestPath::root() { Ok(()) } else { self.change_time(path, self.epoch) }
    }

    pub(super) fn change_time(&mut self, path: &GuestPath, seconds: i64) -> Result<(), Error> {
        self.change(path, |bytes| {
            put_time(bytes, field::MODIFIED, seconds);
            put_accessed(bytes, seconds);
        })
    }

    /// Changes the slot of an existing file or directory; the root has none.
    fn change(&mut self, path: &GuestPath, change: impl FnOnce(&mut [u8; SLOT])) -> Result<(), Error> {
        if let Found::Entry(mut parent, entry) = self.existing(path)? {
            let mut bytes = entry.bytes;
            change(&mut bytes);
            self.changed = true;
            parent.write(&self.table, entry.slots.end - 1, &bytes)?;
        }
        Ok(())
    }

    pub(super) fn change_mode(&mut self, path: &GuestPath, mode: u32) -> Result<(), Error> {
        let kind = match self.existing(path)? {
            Found::Entry(_, entry) => super::kind(&entry),
            Found::Root(_) => FileType::Directory,
        };
        let read_only = kind == FileType::Regular && mode & 0o222 == 0;
        let shown = self.shown.mode(kind, read_only);
        if mode != shown {
            return Err(self.refuse_mode(path, mode, shown));
        }
        if kind == FileType::Regular {
            self.change(path, |bytes| {
                bytes[field::ATTRIBUTES] &= !attribute::READ_ONLY;
                bytes[field::ATTRIBUTES] |= if read_only { attribute::READ_ONLY } else { 0 };
            })?;
        }
        Ok(())
    }

    /// Replaces the content of a file, or adds to it.
    pub(super) fn write(&mut self, path: &GuestPath, append: bool, content: &[u8]) -> Result<(), Error> {
        let (mut parent, entry) = self.file(path)?;
        let start = if append { entry.size() } else { 0 };
        let end = start.saturating_add(content.len() as u64);
        if end > LONGEST {
            return Err(self.about(path, format!("{end} bytes; a file on FAT has at most {LONGEST}")));
        }
        let mut clusters = self.clusters(path, &entry)?;
        let size = self.table.geometry.cluster;
        let wanted = end.div_ceil(size);
        let more = wanted.saturating_sub(clusters.len() as u64);
        self.table.want(more).map_err(|error| self.named(path, error))?;
        self.changed = true;
        self.table.cut(&mut clusters, wanted as usize)?;
        self.table.extend(&mut clusters, more)?;
        self.fill(&clusters, start, content)?;
        let mut bytes = entry.bytes;
        put_cluster(&mut bytes, clusters.first().copied().unwrap_or(0));
        bytes[field::SIZE..].copy_from_slice(&(end as u32).to_le_bytes());
        bytes[field::ATTRIBUTES] |= attribute::ARCHIVE;
        put_time(&mut bytes, field::MODIFIED, self.epoch);
        put_accessed(&mut bytes, self.epoch);
        parent.write(&self.table, entry.slots.end - 1, &bytes)
    }

    /// The place's error with the path that it is about.
    fn named(&self, path: &GuestPath, error: Error) -> Error {
        match error {
            Error::FileSystem { what, .. } => self.about(path, what),
            other => other,
        }
    }

    /// All clusters of a file; a chain that does not fit its length is not touched.
    fn clusters(&self, path: &GuestPath, entry: &Entry) -> Result<Vec<u32>, Error> {
        let wanted = entry.size().div_ceil(self.table.geometry.cluster);
        let chain = self.table.chain(entry.first(), wanted)?;
        if !chain.ended || chain.clusters.len() as u64 != wanted {
            return Err(self.damaged(path, "its clusters do not fit its length; fsck.vfat repairs that"));
        }
        Ok(chain.clusters)
    }

    /// Writes `content` at byte `start` of a file, and zeros behind it to the end of its cluster.
    fn fill(&self, clusters: &[u32], start: u64, content: &[u8]) -> Result<(), Error> {
        let size = self.table.geometry.cluster;
        let mut done = 0;
        while done < content.len() {
            let at = start + done as u64;
            let count = ((size - at % size) as usize).min(content.len() - done);
            if let Some(cluster) = clusters.get((at / size) as usize) {
                let place = self.table.geometry.place(*cluster) + at % size;
                self.table.disk.write_at(place, &content[done..done + count])?;
            }
            done += count;
        }
        let end = start + content.len() as u64;
        if let (Some(cluster), rest @ 1..) = (clusters.get((end / size) as usize), end % size) {
            let zeros = vec![0; (size - rest) as usize];
            self.table.disk.write_at(self.table.geometry.place(*cluster) + rest, &zeros)?;
        }
        Ok(())
    }

    /// Removes a file or an empty directory.
    pub(super) fn take_away(&mut self, path: &GuestPath) -> Result<(), Error> {
        let Found::Entry(mut parent, entry) = self.existing(path)? else {
            return Err(self.about(path, "it is the root directory"));
        };
        if entry.is_directory() {
            let directory = Directory::open(&self.table, entry.first(), &self.place)?;
            if !directory.entries().is_empty() {
                return Err(self.about(path, "the directory is not empty"));
            }
            self.changed = true;
            directory.release(&self.table)?;
        } else {
            let mut clusters = self.clusters(path, &entry)?;
            self.changed = true;
            self.table.cut(&mut clusters, 0)?;
        }
        parent.erase(&self.table, entry.slots)?;
        self.touch(&path.parent().unwrap_or_else(GuestPath::root))
    }

    /// Renames; a file at `to` is replaced.
    pub(super) fn move_entry(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        let Found::Entry(source, entry) = self.existing(from)? else {
            return Err(self.about(from, "it is the root directory"));
        };
        if to.starts_with(from) && to != from {
            return Err(self.about(to, "a directory cannot be moved into itself"));
        }
        let (mut target, target_path, name) = self.new_place(to)?;
        let first = target.first();
        let here = first == source.first();
        if let Some(existing) = target.find(name) {
            // The same entry in another case is only written anew.
            if !(here && existing.slots == entry.slots) {
                if existing.is_directory() || entry.is_directory() {
                    return Err(self.about(to, "it exists already"));
                }
                self.take_away(to)?;
            }
        }
        // The names of FAT have no case: `to` may lie inside `from` by another spelling.
        if entry.is_directory() && self.is_inside(&target_path, entry.first())? {
            return Err(self.about(to, "a directory cannot be moved into itself"));
        }
        target = self.directory(&target_path)?;
        target.room(&self.table, Directory::slots_for(name))?;
        self.changed = true;
        let Found::Entry(mut source, entry) = self.existing(from)? else { return Ok(()) };
        source.erase(&self.table, entry.slots.clone())?;
        // As it is after that, and with the room that was made.
        target = self.directory(&target_path)?;
        target.add(&self.table, name, entry.bytes)?;
        if entry.is_directory() && !here {
            let above = if target_path == GuestPath::root() { 0 } else { first };
            self.repoint(entry.first(), above)?;
        }
        self.touch(&from.parent().unwrap_or_else(GuestPath::root))?;
        self.touch(&target_path)
    }

    /// Whether the directory at `cluster` is `path` or above it.
    fn is_inside(&self, path: &GuestPath, cluster: u32) -> Result<bool, Error> {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if path != GuestPath::root() && self.directory(&path)?.first() == cluster {
                return Ok(true);
            }
            at = path.parent();
        }
        Ok(false)
    }

    /// Has `..` of the directory at `first` name the directory at `above`.
    fn repoint(&self, first: u32, above: u32) -> Result<(), Error> {
        let place = self.table.geometry.place(first) + SLOT as u64;
        let mut bytes = [0; SLOT];
        self.table.disk.read_at(place, &mut bytes)?;
        if bytes[..11] == *b"..         " {
            put_cluster(&mut bytes, above);
            self.table.disk.write_at(place, &bytes)?;
        }
        Ok(())
    }
}
