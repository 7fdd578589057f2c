//! Which partition is the root: by its type, then by its label, then by what is in it.

use std::sync::Arc;

use hardtack_disk::{BlockWrite, Window};
use hardtack_partition::{FsKind, Partition, type_guid};

use crate::os_release::OsRelease;
use crate::volume::ext4::Ext4Volume;
use crate::volume::fstab::{self, Spec};
use crate::volume::{Place, describe};
use crate::{Error, GuestPath, Stage, Tree};

/// "Root" partition types of architectures that images are made for (UAPI group, "Discoverable
/// Partitions Specification").
const ROOT_TYPES: &[&str] = &[
    type_guid::LINUX_ROOT_X86_64,
    type_guid::LINUX_ROOT_ARM64,
    "44479540-f297-41b2-9af7-d131d5f0458a", // x86
    "69dad710-2ce4-4e3c-b16c-21a1d49abed3", // arm
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224", // riscv64
    "c31c45e6-3f39-412e-80fb-4809c4980599", // ppc64le
    "5eead9a9-fe09-4a1e-a1d7-520d00531306", // s390x
    "77055800-792c-4f94-b39a-98c91b762bb6", // loongarch64
    COREOS_ROOT,
];

/// CoreOS' ("coreos-resize"): nearly empty until it has booted, for the system is in `/usr`.
const COREOS_ROOT: &str = "3884dd41-8582-4404-b9a8-e9b84f2df50e";

/// "/usr" partition types (the same source; the last one is CoreOS').
const USR_TYPES: &[&str] = &[
    "8484680c-9521-48c6-9c11-b0720656f69e", // x86-64
    "b0e01050-ee5f-4390-949a-9101b17104e9", // arm64
    "75250d76-8cc6-458e-bd66-bd47cc81a812", // x86
    "beaec34b-8442-439b-a40b-984381ed097d", // riscv64
    "15bb03af-77e7-4d4a-b12b-c0d084f7491c", // ppc64le
    "8a4f5770-50aa-4ed3-874a-99b710db6fea", // s390x
    "e611c702-575c-4cbe-9a46-434fa0bf7e3f", // loongarch64
    "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6",
];

/// Labels, of file systems and of GPT partitions, that say "root", in lower case.
const ROOT_LABELS: &[&str] = &["cloudimg-rootfs", "root", "rootfs", "/", "linux root", "rootpart"];

/// The longest fstab that is read.
pub(crate) const FSTAB_LIMIT: u64 = 1024 * 1024;

/// One partition and what it holds.
pub(crate) struct Candidate {
    pub(crate) partition: Partition,
    pub(crate) kind: FsKind,
    pub(crate) label: Option<String>,
    pub(crate) uuid: Option<String>,
}

impl Candidate {
    /// "ext4 on partition 1".
    pub(crate) fn describe(&self) -> String {
        describe(self.kind, self.partition.number)
    }

    pub(crate) fn window(
        &self,
        disk: &Arc<dyn BlockWrite>,
    ) -> Result<Arc<Window<Arc<dyn BlockWrite>>>, Error> {
        Ok(Arc::new(Window::new(disk.clone(), self.partition.range.clone())?))
    }

    pub(crate) fn open(&self, disk: &Arc<dyn BlockWrite>, epoch: i64) -> Result<Ext4Volume, Error> {
        let place = Place { name: self.describe(), mount: GuestPath::root() };
        Ext4Volume::open(self.window(disk)?, epoch, place)
    }

    /// True when an fstab's first field names this partition.
    pub(crate) fn is(&self, spec: &Spec) -> bool {
        let same =
            |mine: Option<&String>, wanted: &str| mine.is_some_and(|mine| mine.eq_ignore_ascii_case(wanted));
        match spec {
            Spec::Label(label) => self.label.as_deref() == Some(label),
            Spec::Uuid(uuid) => same(self.uuid.as_ref(), uuid),
            Spec::PartLabel(name) => !name.is_empty() && self.partition.name == *name,
            Spec::PartUuid(guid) => same(self.partition.partition_guid.as_ref(), guid),
            Spec::Partition(number) => self.partition.number == *number,
            Spec::Disk => self.partition.number == 0,
            Spec::Elsewhere => false,
        }
    }

    fn has_root_type(&self) -> bool {
        self.partition.type_guid.as_deref().is_some_and(|guid| ROOT_TYPES.contains(&guid))
    }

    fn has_root_label(&self) -> bool {
        let says = |label: &str| ROOT_LABELS.contains(&label.to_lowercase().as_str());
        self.label.as_deref().is_some_and(says) || says(&self.partition.name)
    }

    /// A root that may be empty, because the disk has a `/usr` of its own.
    fn is_empty_root(&self, all: &[Self]) -> bool {
        let named = self.has_root_label() || self.partition.type_guid.as_deref() == Some(COREOS_ROOT);
        self.kind.is_ext() && named && all.iter().any(Self::has_usr_type)
    }

    /// By its type, the partition is one for `/usr`.
    pub(crate) fn has_usr_type(&self) -> bool {
        self.partition.type_guid.as_deref().is_some_and(|guid| USR_TYPES.contains(&guid))
    }

    /// Could hold a root that is none of ours to read.
    fn is_foreign_root(&self) -> bool {
        matches!(
            self.kind,
            FsKind::Xfs
                | FsKind::Btrfs
                | FsKind::LvmPv
                | FsKind::Luks
                | FsKind::Raid
                | FsKind::Bcachefs
                | FsKind::Bcache
                | FsKind::ZfsMember
                | FsKind::BitLocker
                | FsKind::F2fs
                | FsKind::Erofs
                | FsKind::Squashfs
                | FsKind::Iso
                | FsKind::Ntfs
        )
    }
}

/// How much an ext4 file system looks like a root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looks {
    No,
    /// `/etc/passwd` and no os-release: systems from before 2012.
    Old,
    Named,
}

/// The index of the root partition.
pub(crate) fn find(disk: &Arc<dyn BlockWrite>, all: &[Candidate], epoch: i64) -> Result<usize, Error> {
    let typed: Vec<usize> = indices(all, Candidate::has_root_type);
    if let Some(index) = decide(disk, all, &typed, epoch, true)? {
        return Ok(index);
    }
    let labelled: Vec<usize> = indices(all, |candidate| {
        candidate.has_root_label() && (candidate.kind.is_ext() || candidate.is_foreign_root())
    });
    if let Some(index) = decide(disk, all, &labelled, epoch, false)? {
        return Ok(index);
    }
    // The system is in a `/usr` of its own, and the root waits to be filled.
    let empty: Vec<usize> = labelled.iter().copied().filter(|index| all[*index].is_empty_root(all)).collect();
    if let [index] = empty.as_slice() {
        return Ok(*index);
    }
    let every: Vec<usize> = indices(all, |candidate| candidate.kind.is_ext());
    if let Some(index) = decide(disk, all, &every, epoch, false)? {
        return Ok(index);
    }
    Err(nothing(disk, all, epoch))
}

fn indices(all: &[Candidate], wanted: impl Fn(&Candidate) -> bool) -> Vec<usize> {
    all.iter().enumerate().filter(|(_, candidate)| wanted(candidate)).map(|(index, _)| index).collect()
}

/// One of `among`, by content; `None` when none of them can be a root. `sure`: one alone need not
/// prove itself, so that a damaged or foreign one is named rather than passed over.
fn decide(
    disk: &Arc<dyn BlockWrite>,
    all: &[Candidate],
    among: &[usize],
    epoch: i64,
    sure: bool,
) -> Result<Option<usize>, Error> {
    if let ([index], true) = (among, sure) {
        accept(&all[*index])?;
        // One that cannot be read explains itself when it is opened.
        return match look(disk, &all[*index], epoch) {
            Ok(Looks::No) if all[*index].is_empty_root(all) => Ok(Some(*index)),
            Ok(Looks::No) => Err(Error::Refused(format!(
                "by its type, {} is the root, but it holds neither /etc/os-release nor /etc/passwd",
                all[*index].describe()
            ))),
            _ => Ok(Some(*index)),
        };
    }
    let mut found: Vec<(Looks, usize)> = Vec::new();
    for &index in among {
        let looks = if all[index].kind.is_ext() { look(disk, &all[index], epoch) } else { Ok(Looks::No) };
        match looks {
            Ok(Looks::No) => {}
            Ok(looks) => found.push((looks, index)),
            // The only one there is: its own error says more than "no root".
            Err(error) if among.len() == 1 => return Err(error),
            Err(_) => {}
        }
    }
    let best = found.iter().map(|(looks, _)| *looks).max().unwrap_or(Looks::No);
    found.retain(|(looks, _)| *looks == best);
    if found.len() > 1 {
        // Copies of one system: the root that its own fstab names is the one that boots.
        let own: Vec<_> =
            found.iter().copied().filter(|(_, index)| names_itself(disk, all, *index, epoch)).collect();
        if own.len() == 1 {
            found = own;
        }
    }
    match found.as_slice() {
        [] => match among.iter().find(|index| all[**index].is_foreign_root()) {
            Some(index) => accept(&all[*index]).map(|()| None),
            None => Ok(None),
        },
        [(_, index)] => Ok(Some(*index)),
        several => {
            let names: Vec<_> = several.iter().map(|(_, index)| all[*index].describe()).collect();
            Err(Error::Refused(format!(
                "several partitions could be the root: {}; the image must have exactly one",
                names.join(", ")
            )))
        }
    }
}

fn accept(candidate: &Candidate) -> Result<(), Error> {
    if candidate.kind.is_ext() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the root file system is {}: only ext4 (and ext2, ext3) can be changed here",
        candidate.describe()
    )))
}

fn look(disk: &Arc<dyn BlockWrite>, candidate: &Candidate, epoch: i64) -> Result<Looks, Error> {
    let volume = candidate.open(disk, epoch)?;
    if OsRelease::is_named_in(&volume)? {
        return Ok(Looks::Named);
    }
    Ok(if volume.lstat(&GuestPath::new("/etc/passwd"))?.is_some() { Looks::Old } else { Looks::No })
}

fn names_itself(disk: &Arc<dyn BlockWrite>, all: &[Candidate], index: usize, epoch: i64) -> bool {
    let Ok(volume) = all[index].open(disk, epoch) else { return false };
    let Ok(Some(text)) = Stage::new(&volume).read_limited("/etc/fstab", FSTAB_LIMIT) else { return false };
    let (entries, _) = fstab::parse(&String::from_utf8_lossy(&text));
    entries.iter().any(|entry| {
        entry.mount == GuestPath::root()
            && all[index].is(&entry.spec)
            && all.iter().filter(|candidate| candidate.is(&entry.spec)).count() == 1
    })
}

fn nothing(disk: &Arc<dyn BlockWrite>, all: &[Candidate], epoch: i64) -> Error {
    if let Some(foreign) = all.iter().find(|candidate| candidate.is_foreign_root()) {
        return match accept(foreign) {
            Err(error) => error,
            Ok(()) => Error::Refused(format!("no root file system; there is {}", foreign.describe())),
        };
    }
    // A damaged ext4 explains itself.
    for candidate in all.iter().filter(|candidate| candidate.kind.is_ext()) {
        if let Err(error) = candidate.open(disk, epoch) {
            return error;
        }
    }
    let found: Vec<_> = all.iter().map(Candidate::describe).collect();
    Error::Refused(format!(
        "no root file system: none of the partitions holds /etc/os-release (found {})",
        if found.is_empty() { "no partition at all".to_owned() } else { found.join(", ") }
    ))
}
