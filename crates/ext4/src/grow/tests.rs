#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use hardtack_disk::{Overlay, RawSource};

use crate::Error;
use crate::superblock::Superblock;
use crate::testing::{EPOCH, Image, assert_clean, debugfs, resize2fs};
use crate::volume::Volume;

/// The image's volume on a disk of `mib` MiB.
fn on_larger_disk(image: &Image, mib: u64) -> Volume {
    let disk = Overlay::with_size(RawSource::open(&image.path()).unwrap(), mib << 20);
    Volume::open(Arc::new(disk), EPOCH).unwrap()
}

const LAYOUTS: &[(&str, &[&str], u64)] = &[
    ("debian 13", &["-t", "ext4", "-O", "metadata_csum,64bit,orphan_file,metadata_csum_seed"], 64),
    ("debian 12", &["-t", "ext4", "-O", "metadata_csum,64bit"], 200),
    ("uninit_bg", &["-t", "ext4", "-O", "^metadata_csum,^64bit,uninit_bg"], 100),
    ("no checksums", &["-t", "ext4", "-O", "^metadata_csum,^uninit_bg"], 100),
    ("ext3", &["-t", "ext3"], 130),
    ("ext2, 1 KiB blocks", &["-t", "ext2", "-b", "1024"], 21),
    ("1 KiB blocks", &["-t", "ext4", "-b", "1024"], 30),
    ("2 KiB blocks", &["-t", "ext4", "-b", "2048"], 50),
    ("64 KiB blocks", &["-t", "ext4", "-b", "65536"], 600),
    ("meta_bg", &["-t", "ext4", "-O", "meta_bg,^resize_inode"], 200),
    ("meta_bg, many groups", &["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"], 300),
    ("sparse_super2", &["-t", "ext4", "-O", "sparse_super2,^resize_inode"], 200),
    ("all backups", &["-t", "ext4", "-O", "^sparse_super,^resize_inode"], 200),
    ("no flex_bg", &["-t", "ext4", "-O", "^flex_bg", "-g", "4096"], 64),
];

#[test]
fn every_layout_grows_and_is_clean() {
    for (name, args, mib) in LAYOUTS {
        let image = Image::make(args, *mib);
        for target in [mib + 1, mib * 5 + 3] {
            let mut volume = on_larger_disk(&image, target);
            let before = volume.superblock.clone();
            let size = match volume.grow(target << 20) {
                Ok(size) => size,
                Err(Error::Unsupported(what)) if what.contains("reserved") => {
                    assert!(!before.has_compat(0x10), "{name} to {target} MiB: {what}");
                    continue;
                }
                Err(error) => panic!("{name} to {target} MiB: {error}"),
            };
            assert!(size <= target << 20 && size >= before.blocks * u64::from(before.block_size), "{name}");
            let what = format!("{name} from {mib} to {target} MiB");
            let grown = image.save(&volume);
            assert_clean(&grown, &what);
            // The real program makes the same of it.
            let peer = image.copy_of_size(target << 20);
            resize2fs(&peer);
            let (ours, theirs) = (stats(&grown), stats(&peer));
            assert_eq!(ours, theirs, "{what}: what debugfs tells, ours and resize2fs'");
            // The next edits stand on it.
            let mut volume = Volume::open(volume.disk().clone(), EPOCH).unwrap();
            let run = volume.allocate_blocks(5, volume.superblock.blocks - 10).unwrap();
            assert_eq!(run.iter().map(|run| run.end - run.start).sum::<u64>(), 5, "{what}");
            volume.rollback().unwrap();
        }
    }
}

/// Sizes that do not depend on where a program puts a group's tables.
fn stats(path: &std::path::Path) -> Vec<u64> {
    let superblock = Superblock::read(&RawSource::open(path).unwrap()).unwrap();
    let reserved = debugfs(path, "show_super_stats -h");
    let reserved = reserved.lines().find(|line| line.starts_with("Reserved block count:")).unwrap();
    let reserved = reserved.rsplit(' ').next().unwrap().parse().unwrap();
    vec![superblock.blocks, superblock.inodes.into(), superblock.free_inodes.into(), reserved]
}

#[test]
fn a_smaller_or_impossible_size_changes_nothing() {
    let image = Image::make(&["-t", "ext4"], 64);
    let mut volume = on_larger_disk(&image, 64);
    let error = volume.grow(32 << 20).unwrap_err().to_string();
    assert!(error.contains("has 67108864 already"), "{error}");

    let image = Image::make(&["-t", "ext4", "-O", "^resize_inode", "-b", "1024"], 64);
    let mut volume = on_larger_disk(&image, 64 << 10);
    let error = volume.grow(64 << 30).unwrap_err().to_string();
    assert!(error.contains("are reserved"), "{error}");
    image.assert_clean(&volume, "after a refusal");
}
