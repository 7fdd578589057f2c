//! The disks of an instance: an overlay over the image's, and empty ones.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use hardtack_disk::{
    AtomicFile, BlockSource, ImageFormat, OverlayBase, Qcow2Options, Qcow2Source, RawSource, backing_name,
    write_overlay, write_qcow2,
};

use super::{Like, Spec};
use crate::Error;

/// A disk of a machine that boots from the network and has no image.
pub(crate) const BLANK: u64 = 8 << 30;
/// What QEMU and guests count in.
const SECTOR: u64 = 512;
/// No disk is larger: EBS' are not, and tables grow with a disk.
const LARGEST: u64 = 64 << 40;

/// Where it is, also for those whose PATH has no directories of the system's.
const MKE2FS: &[&str] = &["/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs"];

/// A disk without anything in it.
struct Empty(u64);

impl BlockSource for Empty {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        let length = buf.len() as u64;
        if offset.checked_add(length).is_none_or(|end| end > self.0) {
            return Err(hardtack_disk::Error::OutOfRange { offset, length, size: self.0 });
        }
        buf.fill(0);
        Ok(())
    }

    fn data_ranges(&self, _: Range<u64>) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
        Ok(Vec::new())
    }
}

/// Makes all disks of `spec` in `directory`; those that are there are made anew.
///
/// Eucalyptus hands its ephemeral disk over with a file system in it, ext3 (`node/` of its sources), which cloud-init mounts;
/// where there is no mke2fs here it is empty. Disks of EC2's Nitro types are empty.
pub(crate) fn make(spec: &Spec, directory: &Path) -> Result<(), Error> {
    let root = directory.join("root.qcow2");
    match &spec.disk {
        Some(disk) => overlay(disk, &root, spec.root_size)?,
        None => empty(&root, spec.root_size.unwrap_or(BLANK))?,
    }
    if let Some(size) = spec.ephemeral {
        let path = directory.join("ephemeral0.qcow2");
        let formatted = spec.like == Like::Eucalyptus && formatted(&path, size)?;
        if !formatted {
            empty(&path, size)?;
        }
    }
    for (number, volume) in spec.volumes.iter().enumerate() {
        empty(&directory.join(format!("volume-{number}.qcow2")), volume.size)?;
    }
    Ok(())
}

/// Refuses sizes that no disk can have.
pub(crate) fn check(spec: &Spec) -> Result<(), Error> {
    let volumes = spec.volumes.iter().map(|volume| volume.size);
    for size in spec.root_size.into_iter().chain(spec.ephemeral).chain(volumes) {
        checked(size)?;
    }
    match (&spec.disk, spec.root_size) {
        (Some(disk), Some(size)) => root_size(size, Qcow2Source::open(disk)?.len()),
        _ => Ok(()),
    }
}

fn root_size(size: u64, image: u64) -> Result<(), Error> {
    if size < image {
        return Err(Error::Usage(format!(
            "--root-size {size}: the image's disk has {image} bytes, and a root disk is not smaller; leave it away, or \
             give a larger one"
        )));
    }
    Ok(())
}

fn overlay(image: &Path, path: &Path, size: Option<u64>) -> Result<(), Error> {
    let below = Qcow2Source::open(image)?;
    let size = size.unwrap_or(below.len());
    root_size(size, below.len())?;
    let base = OverlayBase { name: backing_name(path, image, true)?, format: ImageFormat::Qcow2 };
    let mut out = AtomicFile::create(path)?;
    let disk = Empty(checked(size)?);
    write_overlay(&below, &base, &disk, &[], &mut out, &Qcow2Options::default(), &|_, _| {})?;
    Ok(out.commit(true)?)
}

/// A disk with an empty ext3 in it; false where that cannot be made.
fn formatted(path: &Path, size: u64) -> Result<bool, Error> {
    let raw = path.with_extension("raw");
    let fail = |error| Error::file(&raw, "make a file system in it", error);
    let Some(program) = MKE2FS.iter().map(Path::new).find(|path| path.is_file()) else { return Ok(false) };
    let size = checked(size)?;
    std::fs::File::create(&raw).and_then(|file| file.set_len(size)).map_err(fail)?;
    let made = Command::new(program)
        .args(["-q", "-F", "-t", "ext3", "-E", "nodiscard", "-L", "ephemeral0"])
        .arg(&raw)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let done = match made {
        // One that is too small for a file system is none the less a disk.
        Ok(status) if status.success() => {
            let mut out = AtomicFile::create(path)?;
            write_qcow2(&RawSource::open(&raw)?, &mut out, &Qcow2Options::default(), &|_, _| {})?;
            out.commit(true)?;
            true
        }
        _ => false,
    };
    std::fs::remove_file(&raw).map_err(fail)?;
    Ok(done)
}

fn empty(path: &Path, size: u64) -> Result<(), Error> {
    let mut out = AtomicFile::create(path)?;
    write_qcow2(&Empty(checked(size)?), &mut out, &Qcow2Options::default(), &|_, _| {})?;
    Ok(out.commit(true)?)
}

fn checked(size: u64) -> Result<u64, Error> {
    if size == 0 || size > LARGEST {
        return Err(Error::Usage(format!("a disk of {size} bytes: it has at least one, and at most 64 TiB")));
    }
    Ok(size.next_multiple_of(SECTOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ephemeral_disk_of_eucalyptus_can_be_mounted() {
        let folder = tempfile::tempdir().unwrap();
        let made = |like, size| {
            let spec = Spec { like, ephemeral: Some(size), ..Spec::default() };
            make(&spec, folder.path()).unwrap();
            let disk = Qcow2Source::open(&folder.path().join("ephemeral0.qcow2")).unwrap();
            assert_eq!(disk.len(), size);
            let mut magic = [0; 2];
            // ext2's superblock is at 1024, its magic number at 56 in it.
            disk.read_at(1080, &mut magic).unwrap();
            assert!(!folder.path().join("ephemeral0.raw").exists());
            u16::from_le_bytes(magic)
        };
        assert_eq!(made(Like::Ec2, 64 << 20), 0);
        if !MKE2FS.iter().any(|path| Path::new(path).is_file()) {
            assert!(std::env::var_os("CI").is_none(), "mke2fs is missing");
            #[allow(clippy::print_stderr)]
            {
                eprintln!("SKIPPED: there is no mke2fs");
            }
            return;
        }
        assert_eq!(made(Like::Eucalyptus, 64 << 20), 0xef53);
        // Too small for a file system.
        assert_eq!(made(Like::Eucalyptus, 4096), 0);
    }
}
