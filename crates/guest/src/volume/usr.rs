//! What is mounted without fstab: a `/usr` partition of its own, which the initramfs mounts by its type,
//! and beside CoreOS' its OEM and EFI partitions, which units in `/usr` mount by their labels
//! (`usr-share-oem.mount` and `boot.mount` of coreos/init and flatcar/init); and what systemd mounts
//! by partition type (systemd-gpt-auto-generator(8)).

use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_partition::{FsKind, type_guid};

use crate::volume::fstab::{Entry, Spec};
use crate::volume::root::Candidate;
use crate::{Error, FileType, Guest, GuestPath, Tree};

/// Where CoreOS and its descendants keep what a provider adds.
const OEM_MOUNTS: &[&str] = &["/usr/share/oem", "/oem"];

/// Programs that show that a guest's systemd mounts by type.
const GENERATORS: &[&str] = &[
    "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
    "/lib/systemd/system-generators/systemd-gpt-auto-generator",
];
/// Partition types and where their partitions belong (UAPI group, "Discoverable Partitions
/// Specification"). `/var` is left out: that one belongs to a machine's id, which an image has not yet.
const BY_TYPE: &[(&str, &str)] = &[
    ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", "/home"),
    ("3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "/srv"),
    (type_guid::XBOOTLDR, "/boot"),
];

/// The mounts that are missing in `guest`, parents first, in the form of lines of fstab.
pub(crate) fn without_fstab(
    guest: &Guest,
    disk: &Arc<dyn BlockWrite>,
    all: &[Candidate],
    epoch: i64,
) -> Result<Vec<Entry>, Error> {
    let mut entries = by_type(guest, all)?;
    let Some(usr) = usr(guest, disk, all, epoch)? else { return Ok(entries) };
    entries.push(entry(usr, "/usr", "ro"));
    let inside = usr.open(disk, epoch)?;
    let labelled = |label: &str| {
        let has = |each: &&Candidate| each.label.as_deref() == Some(label) || each.partition.name == label;
        let mut found = all.iter().filter(has);
        // Of two with the same label, the kernel's choice is chance.
        found.next().filter(|_| found.next().is_none())
    };
    if let Some(oem) = labelled("OEM") {
        for mount in OEM_MOUNTS {
            let path = GuestPath::new(mount);
            let is_there = match path.strip_prefix(&GuestPath::new("/usr")) {
                Some(below) => inside.lstat(&GuestPath::new(below))?.is_some(),
                None => guest.lstat(&path)?.is_some(),
            };
            if is_there {
                entries.push(entry(oem, mount, "nofail"));
                break;
            }
        }
    }
    if let Some(boot) = labelled("EFI-SYSTEM")
        && guest.mounted_at(&GuestPath::new("/boot")).is_none()
        && is_bare(guest, "/boot")?
    {
        entries.push(entry(boot, "/boot", "nofail"));
    }
    Ok(entries)
}

/// What systemd finds by type: the only one of its kind, where nothing is yet.
fn by_type(guest: &Guest, all: &[Candidate]) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut systemd = false;
    for path in GENERATORS {
        systemd = systemd || guest.lstat(&GuestPath::new(path))?.is_some();
    }
    for (guid, mount) in BY_TYPE.iter().filter(|_| systemd) {
        let mut found = all.iter().filter(|each| each.partition.type_guid.as_deref() == Some(*guid));
        if let (Some(candidate), None) = (found.next(), found.next())
            && (candidate.kind.is_ext() || candidate.kind == FsKind::Fat)
            && guest.mounted_at(&GuestPath::new(mount)).is_none()
            && is_bare(guest, mount)?
        {
            entries.push(entry(candidate, mount, "nofail"));
        }
    }
    Ok(entries)
}

/// Nothing is at `path`, or an empty directory.
fn is_bare(guest: &Guest, path: &str) -> Result<bool, Error> {
    let path = GuestPath::new(path);
    match guest.lstat(&path)? {
        None => Ok(true),
        Some(found) if found.kind == FileType::Directory => Ok(guest.read_dir(&path)?.is_empty()),
        Some(_) => Ok(false),
    }
}

/// The partition that is `/usr`, when nothing is there yet. Of several (CoreOS has two, A and B, and
/// fills the second at its first update) it is the first that holds a system.
fn usr<'c>(
    guest: &Guest,
    disk: &Arc<dyn BlockWrite>,
    all: &'c [Candidate],
    epoch: i64,
) -> Result<Option<&'c Candidate>, Error> {
    let mount = GuestPath::new("/usr");
    let is_filled = guest.lstat(&mount.join("lib"))?.is_some();
    if is_filled || guest.mounted_at(&mount).is_some() {
        return Ok(None);
    }
    let mut reason = None;
    for candidate in all.iter().filter(|candidate| candidate.has_usr_type()) {
        if !candidate.kind.is_ext() {
            // Flatcar's is btrfs. The second one of two may not be a file system yet.
            if candidate.kind != FsKind::Unknown {
                let what =
                    format!("/usr is {}: only ext4 (and ext2, ext3) can be read here", candidate.describe());
                reason = reason.or(Some(Error::Refused(what)));
            }
            continue;
        }
        match candidate.open(disk, epoch) {
            Ok(volume) if volume.lstat(&GuestPath::new("/lib/os-release"))?.is_some() => {
                return Ok(Some(candidate));
            }
            Ok(_) => {}
            Err(Error::Disk(error)) => return Err(Error::Disk(error)),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    // Without a `/usr` there is no system to look into: the reason says more than what would follow.
    reason.map_or(Ok(None), Err)
}

fn entry(candidate: &Candidate, mount: &str, option: &str) -> Entry {
    Entry {
        line: 0,
        text: candidate.describe(),
        spec: Spec::Partition(candidate.partition.number),
        mount: GuestPath::new(mount),
        kind: "auto".to_owned(),
        options: vec![option.to_owned()],
    }
}
