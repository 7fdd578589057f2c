//! One guest over an image: its partitions, its root, and its mounts as the guest sees them.

mod efi;
mod free;
mod grow;
mod partition;
mod residue;

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_partition::FsKind;

use crate::volume::fat::FatVolume;
use crate::volume::fstab::{self, Entry, Spec};
use crate::volume::opaque::Opaque;
use crate::volume::root::{self, Candidate, FSTAB_LIMIT};
use crate::volume::usr;
use crate::volume::{self, Place, ext4::Ext4Volume};
use crate::{
    Attributes, DirEntry, Error, FileSystem, FileType, GuestPath, Identity, Metadata, Stage, Tree, Volumes,
};

pub use efi::efi_programs;
pub use free::{FreeMap, free_map};
pub use grow::{Grown, grow_root};
pub use partition::{open_partition, partitions};
pub use residue::{VolumeResidue, disk_residue};

/// Mount points that hold the system itself: one that cannot be read is a refusal.
const SYSTEM: &[&str] = &["/boot", "/usr", "/etc", "/var", "/bin", "/sbin", "/lib", "/root", "/home"];

/// A partition of the guest's disk, for messages and for reading it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The kernel's number: 15 of `/dev/vda15`; 0 is a disk without partitions.
    pub number: u32,
    /// Its bytes on the disk.
    pub range: Range<u64>,
    /// What it holds.
    pub kind: FsKind,
    /// The file system's label.
    pub label: Option<String>,
    /// The file system's UUID in blkid's form.
    pub uuid: Option<String>,
    /// What `PARTUUID=` names.
    pub partition_guid: Option<String>,
    /// Where the guest mounts it, if it does.
    pub mount: Option<GuestPath>,
    /// Why it cannot be changed, if so; told of mounted ones.
    pub read_only: Option<String>,
}

impl Volume {
    /// The file system and its place, for people: "ext4 on partition 1".
    #[must_use]
    pub fn describe(&self) -> String {
        volume::describe(self.kind, self.number)
    }
}

struct Mounted {
    mount: GuestPath,
    fs: Box<dyn FileSystem>,
}

/// A guest: its tree of mounts. As a [`Tree`] it reads like the running system would, links not
/// followed; [`Volumes`] finds the file system behind a path.
pub struct Guest {
    /// The root first, then by depth: the last that contains a path is the one.
    mounts: Vec<Mounted>,
    volumes: Vec<Volume>,
    root: usize,
    notes: Vec<String>,
    /// It is only looked at: what could not be changed, or is missing, is a note and no refusal.
    lenient: bool,
}

impl Guest {
    /// Opens the guest on `disk`: finds its root, then mounts what its own fstab names. `epoch`
    /// (seconds since 1970) is the time that every edit writes. Nothing is written here.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::FileSystem`] when there is no root or more than one, when
    /// it cannot be changed (an unclean journal, an unsupported feature or file system), or when a
    /// part of the system (`/boot`, `/usr`, …) cannot be found or read.
    pub fn open(disk: Arc<dyn BlockWrite>, epoch: i64) -> Result<Self, Error> {
        Self::open_as(disk, epoch, false)
    }

    /// The same of a disk that is only to be looked at: a root that must not be changed is no hindrance, and
    /// of a part of the system that cannot be found or read there is a [note](Self::notes).
    ///
    /// # Errors
    /// When there is no root, or more than one, or it cannot be read.
    pub fn open_to_read(disk: Arc<dyn BlockWrite>) -> Result<Self, Error> {
        Self::open_as(disk, 0, true)
    }

    fn open_as(disk: Arc<dyn BlockWrite>, epoch: i64, lenient: bool) -> Result<Self, Error> {
        let (candidates, warnings) = partition::candidates(&disk)?;
        let root = root::find(&disk, &candidates, epoch)?;
        let root_fs = candidates[root].open(&disk, epoch)?;
        if let Some(why) = root_fs.read_only().filter(|_| !lenient) {
            return Err(Error::FileSystem {
                file_system: format!("the root file system, {}", root_fs.describe()),
                what: format!("cannot be changed: {why}"),
            });
        }
        let volumes = candidates.iter().map(facts).collect();
        let mut guest = Self {
            mounts: vec![Mounted { mount: GuestPath::root(), fs: Box::new(root_fs) }],
            volumes,
            root,
            notes: warnings,
            lenient,
        };
        guest.volumes[root].mount = Some(GuestPath::root());
        guest.mount_all(&disk, &candidates, epoch)?;
        for entry in usr::without_fstab(&guest, &disk, &candidates, epoch)? {
            guest.mount_one(&disk, &candidates, &entry, epoch)?;
            guest.mounts.sort_by_key(|mounted| mounted.mount.components().count());
        }
        Ok(guest)
    }

    /// The UUID of the root file system: what `root=UUID=` names, and the salt of what must be
    /// the same in every build from one image.
    #[must_use]
    pub fn root_uuid(&self) -> Option<&str> {
        self.volumes[self.root].uuid.as_deref()
    }

    /// Every partition, by number.
    #[must_use]
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// What was passed over while mounting, in sentences for people.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The partition that holds `path`, and the path inside it: for reading the finished image
    /// back by other means.
    #[must_use]
    pub fn locate(&self, path: &GuestPath) -> (&Volume, GuestPath) {
        let (mounted, inside) = self.dispatch(path);
        let volume = self.volumes.iter().find(|volume| volume.mount.as_ref() == Some(&mounted.mount));
        // Every mount was made from a volume; a door to another disk has none and shows the root.
        (volume.unwrap_or(&self.volumes[self.root]), inside)
    }

    /// Ends all changes: every file system is complete on the disk. Reading goes on.
    ///
    /// # Errors
    /// When a file system could not be written out.
    pub fn finish_all(&mut self) -> Result<(), Error> {
        for mounted in &mut self.mounts {
            mounted.fs.finish()?;
        }
        Ok(())
    }

    fn mount_all(&mut self, disk: &Arc<dyn BlockWrite>, all: &[Candidate], epoch: i64) -> Result<(), Error> {
        let text = match Stage::new(&*self).read_limited("/etc/fstab", FSTAB_LIMIT) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(()),
            Err(Error::LinkLoop { .. } | Error::WrongType { .. } | Error::TooLarge { .. }) => {
                self.notes
                    .push("/etc/fstab is no file that can be read; only the root is mounted".to_owned());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (mut entries, complaints) = fstab::parse(&String::from_utf8_lossy(&text));
        self.notes.extend(complaints);
        entries.sort_by_key(|entry| entry.mount.components().count());
        for entry in &entries {
            self.mount_one(disk, all, entry, epoch)?;
            self.mounts.sort_by_key(|mounted| mounted.mount.components().count());
        }
        Ok(())
    }

    fn mount_one(
        &mut self,
        disk: &Arc<dyn BlockWrite>,
        all: &[Candidate],
        entry: &Entry,
        epoch: i64,
    ) -> Result<(), Error> {
        let system = !self.lenient && SYSTEM.contains(&entry.mount.as_str());
        let boot = entry.mount.starts_with(&GuestPath::new("/boot"));
        let at = match entry.line {
            // Not from fstab at all.
            0 => format!("{} on {}", entry.text, entry.mount),
            line => format!("/etc/fstab:{line}: {} on {}", entry.text, entry.mount),
        };
        let found: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.is(&entry.spec))
            .map(|(index, _)| index)
            .collect();
        if entry.mount == GuestPath::root() {
            if !found.is_empty() && !found.contains(&self.root) {
                self.notes.push(format!("{at}: names another partition than the root that was found"));
            }
            return Ok(());
        }
        if entry.has("noauto") && !entry.has("x-systemd.automount") && !boot {
            return Ok(());
        }
        let index = match found.as_slice() {
            [index] => *index,
            [] if system && !entry.has("nofail") => {
                return Err(Error::Refused(format!("{at}: {}", missing(&entry.spec))));
            }
            [] => {
                self.notes.push(format!("{at}: {}; it is not mounted", missing(&entry.spec)));
                return Ok(());
            }
            _ if system => return Err(Error::Refused(format!("{at}: several partitions have that name"))),
            _ => {
                self.notes.push(format!("{at}: several partitions have that name; it is not mounted"));
                return Ok(());
            }
        };
        // mount(8) and systemd follow links in a mount point.
        let mount = match Stage::new(&*self).resolve(entry.mount.as_str()) {
            Ok(mount) => mount,
            Err(Error::Disk(error)) => return Err(Error::Disk(error)),
            Err(error) if system => return Err(Error::Refused(format!("{at}: {error}"))),
            Err(error) => {
                self.notes.push(format!("{at}: {error}; it is not mounted"));
                return Ok(());
            }
        };
        if let Some(taken) = &self.volumes[index].mount {
            self.notes.push(format!("{at}: {} is mounted on {taken} already", all[index].describe()));
            return Ok(());
        }
        if self.mounts.iter().any(|mounted| mounted.mount == mount) {
            self.notes.push(format!("{at}: something is mounted there already"));
            return Ok(());
        }
        let fs = match open(disk, &all[index], &mount, epoch, &entry.options) {
            Ok(fs) => fs,
            Err(Error::Disk(error)) => return Err(Error::Disk(error)),
            Err(error) if system => {
                return Err(Error::Refused(format!("{at}: {error}")));
            }
            Err(error) => {
                self.notes.push(format!("{at}: {error}"));
                let place = Place { name: all[index].describe(), mount: mount.clone() };
                Box::new(Opaque::new(place, error.to_string()))
            }
        };
        self.volumes[index].mount = Some(mount.clone());
        self.volumes[index].read_only = fs.read_only();
        self.mounts.push(Mounted { mount, fs });
        Ok(())
    }

    /// The partition that is mounted exactly there.
    pub(crate) fn mounted_at(&self, mount: &GuestPath) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.mount.as_ref() == Some(mount))
    }

    fn index(&self, path: &GuestPath) -> (usize, GuestPath) {
        let found = self.mounts.iter().enumerate().rev().find_map(|(index, mounted)| {
            path.strip_prefix(&mounted.mount).map(|inside| (index, GuestPath::new(inside)))
        });
        // The root is a prefix of every path.
        found.unwrap_or_else(|| (0, path.clone()))
    }

    fn dispatch(&self, path: &GuestPath) -> (&Mounted, GuestPath) {
        let (index, inside) = self.index(path);
        (&self.mounts[index], inside)
    }

    fn dispatch_mut(&mut self, path: &GuestPath) -> (&mut dyn FileSystem, GuestPath) {
        let (index, inside) = self.index(path);
        (&mut *self.mounts[index].fs, inside)
    }

    /// Both paths inside one file system, or the reason why not.
    fn together(
        &mut self,
        from: &GuestPath,
        to: &GuestPath,
    ) -> Result<(&mut dyn FileSystem, GuestPath, GuestPath), Error> {
        let ((one, from_inside), (other, to_inside)) = (self.index(from), self.index(to));
        if one != other {
            return Err(Error::Refused(format!(
                "{from} and {to} are on different file systems ({} and {})",
                self.mounts[one].fs.describe(),
                self.mounts[other].fs.describe()
            )));
        }
        Ok((&mut *self.mounts[one].fs, from_inside, to_inside))
    }
}

fn missing(spec: &Spec) -> &'static str {
    match spec {
        Spec::Elsewhere => "it is no partition of this disk (another disk, LVM, RAID or an encrypted one?)",
        _ => "no such partition on this disk",
    }
}

fn open(
    disk: &Arc<dyn BlockWrite>,
    candidate: &Candidate,
    mount: &GuestPath,
    epoch: i64,
    options: &[String],
) -> Result<Box<dyn FileSystem>, Error> {
    let place = Place { name: candidate.describe(), mount: mount.clone() };
    match candidate.kind {
        kind if kind.is_ext() => {
            let mut volume: Ext4Volume = candidate.open(disk, epoch)?;
            volume.set_mount(mount.clone());
            Ok(Box::new(volume))
        }
        FsKind::Fat => Ok(Box::new(FatVolume::open(candidate.window(disk)?, epoch, place, options)?)),
        _ => Err(place.error("only ext4 (and ext2, ext3) and FAT can be read here")),
    }
}

fn facts(candidate: &Candidate) -> Volume {
    Volume {
        number: candidate.partition.number,
        range: candidate.partition.range.clone(),
        kind: candidate.kind,
        label: candidate.label.clone(),
        uuid: candidate.uuid.clone(),
        partition_guid: candidate.partition.partition_guid.clone(),
        mount: None,
        read_only: None,
    }
}

fn partition_error(error: hardtack_partition::Error) -> Error {
    match error {
        hardtack_partition::Error::Disk(error) => Error::Disk(error),
        other => Error::Refused(other.to_string()),
    }
}

impl Volumes for Guest {
    fn volume(&mut self, path: &GuestPath) -> Result<(&mut dyn FileSystem, GuestPath), Error> {
        Ok(self.dispatch_mut(path))
    }
}

impl Tree for Guest {
    fn lstat(&self, path: &GuestPath) -> Result<Option<Metadata>, Error> {
        let (mounted, inside) = self.dispatch(path);
        mounted.fs.lstat(&inside)
    }

    fn identity(&self, path: &GuestPath) -> Result<Option<Identity>, Error> {
        let (file_system, inside) = self.index(path);
        let found = self.mounts[file_system].fs.identity(&inside)?;
        Ok(found.map(|found| Identity { file_system, ..found }))
    }

    fn read_dir(&self, path: &GuestPath) -> Result<Vec<DirEntry>, Error> {
        let (mounted, inside) = self.dispatch(path);
        let mut entries = mounted.fs.read_dir(&inside)?;
        // A mount point that does not exist is made by systemd when it mounts there.
        for mount in self.mounts.iter().map(|mounted| &mounted.mount) {
            if let (Some(parent), Some(name)) = (mount.parent(), mount.name())
                && parent == *path
            {
                match entries.iter_mut().find(|entry| entry.name == name) {
                    Some(entry) => entry.kind = FileType::Directory,
                    None => entries.push(DirEntry { name: name.to_owned(), kind: FileType::Directory }),
                }
            }
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn read_dir_stat(&self, path: &GuestPath) -> Result<Vec<(String, Metadata)>, Error> {
        let (mounted, inside) = self.dispatch(path);
        let mut found = mounted.fs.read_dir_stat(&inside)?;
        for mount in self.mounts.iter().map(|mounted| &mounted.mount) {
            if let (Some(parent), Some(name)) = (mount.parent(), mount.name())
                && parent == *path
                && let Some(metadata) = self.lstat(mount)?
            {
                found.retain(|(there, _)| there != name);
                found.push((name.to_owned(), metadata));
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found)
    }

    fn read_at(&self, path: &GuestPath, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let (mounted, inside) = self.dispatch(path);
        mounted.fs.read_at(&inside, offset, buf)
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Error> {
        let (mounted, inside) = self.dispatch(path);
        mounted.fs.read_link(&inside)
    }

    fn xattrs(&self, path: &GuestPath) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let (mounted, inside) = self.dispatch(path);
        mounted.fs.xattrs(&inside)
    }
}

impl FileSystem for Guest {
    fn describe(&self) -> String {
        self.mounts[0].fs.describe()
    }

    fn read_only(&self) -> Option<String> {
        self.mounts[0].fs.read_only()
    }

    fn create(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.create(&inside, attributes)
    }

    fn set_content(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.set_content(&inside, content)
    }

    fn append(&mut self, path: &GuestPath, content: &[u8]) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.append(&inside, content)
    }

    fn mkdir(&mut self, path: &GuestPath, attributes: Attributes) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.mkdir(&inside, attributes)
    }

    fn symlink(&mut self, path: &GuestPath, target: &str, attributes: Attributes) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.symlink(&inside, target, attributes)
    }

    fn hard_link(&mut self, original: &GuestPath, path: &GuestPath) -> Result<(), Error> {
        let (fs, original, path) = self.together(original, path)?;
        fs.hard_link(&original, &path)
    }

    fn remove(&mut self, path: &GuestPath) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.remove(&inside)
    }

    fn rename(&mut self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        let (fs, from, to) = self.together(from, to)?;
        fs.rename(&from, &to)
    }

    fn set_mode(&mut self, path: &GuestPath, mode: u32) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.set_mode(&inside, mode)
    }

    fn set_owner(&mut self, path: &GuestPath, uid: u32, gid: u32) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.set_owner(&inside, uid, gid)
    }

    fn set_mtime(&mut self, path: &GuestPath, seconds: i64) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.set_mtime(&inside, seconds)
    }

    fn set_xattr(&mut self, path: &GuestPath, name: &str, value: &[u8]) -> Result<(), Error> {
        let (fs, inside) = self.dispatch_mut(path);
        fs.set_xattr(&inside, name, value)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.finish_all()
    }
}
