//! What is mounted without fstab: a `/usr` partition of its own, which the initramfs mounts by its type,
//! and beside CoreOS' its OEM and EFI partitions, which units in `/usr` mount by their labels
//! (`usr-share-oem.mount` and `boot.mount` of coreos/init and flatcar/init).

use std::sync::Arc;

use hardtack_disk::BlockWrite;

use crate::volume::fstab::{Entry, Spec};
use crate::volume::root::Candidate;
use crate::{Error, Guest, GuestPath, Tree};

/// Where CoreOS and its descendants keep what a provider adds.
const OEM_MOUNTS: &[&str] = &["/usr/share/oem", "/oem"];

/// The mounts that are missing in `guest`, parents first, in the form of lines of fstab.
pub(crate) fn without_fstab(
    guest: &Guest,
    disk: &Arc<dyn BlockWrite>,
    all: &[Candidate],
    epoch: i64,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
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
        && !matches!(guest.read_dir(&GuestPath::new("/boot")), Ok(names) if !names.is_empty())
    {
        entries.push(entry(boot, "/boot", "nofail"));
    }
    Ok(entries)
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
    let is_filled = matches!(guest.lstat(&mount.join("lib"))?, Some(_));
    if is_filled || guest.mounted_at(&mount).is_some() {
        return Ok(None);
    }
    let mut reason = None;
    for candidate in all.iter().filter(|candidate| candidate.has_usr_type() && candidate.kind.is_ext()) {
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
