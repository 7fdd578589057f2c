#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

use std::collections::BTreeSet;

use hardtack_disk::ranges::merge;

use super::*;
use crate::Error;
use crate::testing::{EPOCH, Image, debugfs};
use crate::volume::Volume;

/// Layouts in which metadata lies in different places.
const LAYOUTS: &[(&[&str], u64)] = &[
    (&["-t", "ext4"], 300),
    (&["-t", "ext4", "-b", "1024"], 40),
    (&["-t", "ext4", "-b", "2048", "-O", "^resize_inode"], 40),
    (&["-t", "ext4", "-b", "1024", "-O", "^flex_bg"], 40),
    (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg,^64bit"], 40),
    (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^uninit_bg,^64bit"], 40),
    (&["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"], 300),
    (&["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,^flex_bg,^64bit"], 300),
    (&["-t", "ext4", "-b", "1024", "-O", "sparse_super2"], 100),
    (&["-t", "ext4", "-b", "1024", "-O", "sparse_super2,^resize_inode,metadata_csum_seed"], 100),
    (&["-t", "ext4", "-b", "1024", "-g", "1024"], 30),
    (&["-t", "ext4", "-b", "65536"], 100),
    (&["-t", "ext4", "-G", "4", "-b", "1024", "-I", "128"], 60),
    (&["-t", "ext2", "-b", "1024"], 40),
    (&["-t", "ext2", "-b", "4096", "-O", "^sparse_super,^resize_inode"], 300),
    (&["-t", "ext3", "-b", "1024", "-N", "64"], 40),
];

fn count(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// Free blocks as dumpe2fs (through debugfs' bitmaps) sees them.
fn free_by_debugfs(path: &std::path::Path, blocks: u64) -> Vec<Range<u64>> {
    let said = debugfs(path, &format!("testb 1 {}", blocks - 1));
    let free = said.lines().filter_map(|line| {
        let rest = line.strip_prefix("Block ")?;
        let block = rest.strip_suffix(" not in use")?;
        block.parse::<u64>().ok()
    });
    merge(free.map(|block| block..block + 1).collect())
}

#[test]
fn free_ranges_agree_with_debugfs_in_every_layout() {
    for (args, mib) in LAYOUTS {
        let image = Image::make(args, *mib);
        let volume = image.volume();
        let ours = volume.free_ranges().unwrap();
        assert_eq!(count(&ours), volume.superblock.free_blocks, "{args:?}");
        let blocks = volume.superblock.blocks.min(120_000);
        let theirs = free_by_debugfs(&image.path(), blocks);
        let first = u64::from(volume.superblock.first_data_block).max(1);
        let clip = |ranges: &[Range<u64>]| {
            merge(ranges.iter().map(|range| range.start.max(first)..range.end.min(blocks)).collect())
        };
        assert_eq!(clip(&ours), clip(&theirs), "{args:?}");
    }
}

#[test]
fn everything_can_be_given_out_and_taken_back() {
    for (args, mib) in LAYOUTS {
        let image = Image::make(args, *mib);
        let mut volume = image.volume();
        let before = volume.free_ranges().unwrap();
        let free = volume.superblock.free_blocks;
        let mut taken = Vec::new();
        for part in [1, free / 3, 17, 1] {
            let ranges = volume.allocate_blocks(part, free / 2).unwrap();
            assert_eq!(count(&ranges), part, "{args:?}");
            taken.extend(ranges);
        }
        let rest = free - count(&taken);
        match volume.allocate_blocks(rest + 1, 0) {
            Err(Error::NoSpace { needed, free, .. }) => {
                let size = volume.block_size() as u64;
                assert_eq!((needed, free), ((rest + 1) * size, rest * size), "{args:?}");
            }
            other => panic!("{args:?}: {other:?}"),
        }
        taken.extend(volume.allocate_blocks(rest, u64::MAX).unwrap());
        assert_eq!(volume.superblock.free_blocks, 0, "{args:?}");
        assert_eq!(volume.free_ranges().unwrap(), [], "{args:?}");
        assert!(matches!(volume.allocate_blocks(1, 0), Err(Error::NoSpace { .. })), "{args:?}");
        assert_eq!(
            merge(taken.clone()),
            before,
            "{args:?}: everything free, and nothing else, was given out"
        );
        volume.commit().unwrap();

        volume.free_ranges_of(taken).unwrap();
        assert!(
            matches!(volume.allocate_blocks(1, 0), Err(Error::NoSpace { .. })),
            "{args:?}: freed blocks are not given out before the commit"
        );
        volume.commit().unwrap();
        assert_eq!(volume.free_ranges().unwrap(), before, "{args:?}");
        image.assert_clean(&volume, &format!("{args:?}"));
    }
}

#[test]
fn a_roll_back_forgets_what_was_given_out() {
    let image = Image::make(&["-t", "ext4", "-b", "1024"], 40);
    let mut volume = image.volume();
    let before = volume.free_ranges().unwrap();
    let first = volume.allocate_blocks(20_000, 0).unwrap();
    assert!(volume.allocate_blocks(9_000, 0).is_ok());
    volume.rollback().unwrap();
    assert_eq!(volume.free_ranges().unwrap(), before);
    assert_eq!(volume.allocate_blocks(20_000, 0).unwrap(), first);
}

#[test]
fn large_requests_get_large_runs_and_small_ones_the_next_block() {
    let image = Image::make(&["-t", "ext4"], 300);
    let mut volume = image.volume();
    let free = volume.free_ranges().unwrap();
    let goal = free[0].start;
    // Every second block of the front is taken.
    let front = volume.allocate_blocks(2000, goal).unwrap();
    assert_eq!(front.len(), 1);
    volume.commit().unwrap();
    let start = front[0].start;
    volume.free_ranges_of((start..start + 2000).step_by(2).map(|at| at..at + 1).collect()).unwrap();
    volume.commit().unwrap();
    let large = volume.allocate_blocks(5000, goal).unwrap();
    assert_eq!(large.len(), 1, "one piece");
    assert_eq!(volume.allocate_blocks(1, start).unwrap(), [start..start + 1]);
    assert_eq!(volume.allocate_blocks(1, start).unwrap(), [start + 2..start + 3]);
    assert_eq!(volume.allocate_blocks(1, start + 100).unwrap(), [start + 100..start + 101], "near the goal");
}

#[test]
fn metadata_and_free_blocks_cannot_be_taken_back() {
    let image = Image::make(&["-t", "ext4"], 300);
    let mut volume = image.volume();
    let metadata = volume.metadata().to_vec();
    let free = volume.free_ranges().unwrap()[0].start;
    for (block, words) in [
        (metadata[0].end - 1, "metadata"),
        (volume.group(1).unwrap().block_bitmap, "metadata"),
        (free, "free already"),
        (0, "is said to be at blocks"),
        (volume.superblock.blocks, "is said to be at blocks"),
    ] {
        let error = volume.free_blocks(block..block + 1).unwrap_err().to_string();
        assert!(error.contains(words), "block {block}: {error}");
        volume.rollback().unwrap();
    }
    let taken = volume.allocate_blocks(4, 0).unwrap()[0].clone();
    volume.commit().unwrap();
    let twice = vec![taken.clone(), taken.start + 1..taken.end];
    assert!(volume.free_ranges_of(twice).unwrap_err().to_string().contains("owned twice"));
    assert!(volume.check_owned(vec![taken.clone()]).is_ok());
    assert!(volume.check_owned(vec![taken.clone(), taken]).is_err());
    assert!(volume.check_owned(vec![free + 1000..free + 1001]).is_err());
    assert!(volume.check_owned(vec![metadata[1].clone()]).is_err());
}

#[test]
fn a_wrong_bitmap_checksum_is_damage() {
    let image = Image::make(&["-t", "ext4"], 300);
    let mut volume = image.volume();
    for block in [volume.group(0).unwrap().block_bitmap, volume.group(0).unwrap().inode_bitmap] {
        let mut bytes = volume.read_block(block).unwrap();
        bytes[100] ^= 1;
        volume.write_block(block, bytes).unwrap();
    }
    let said = [volume.block_bitmap(0), volume.inode_bitmap(0)].map(|result| result.unwrap_err().to_string());
    assert!(said[0].contains("block bitmap") && said[1].contains("inode bitmap"), "{said:?}");
}

fn all_inodes(volume: &mut Volume, parent: u32) -> Vec<u32> {
    let mut numbers = Vec::new();
    loop {
        match volume.allocate_inode(parent, numbers.len() % 7 == 0) {
            Ok(inode) => numbers.push(inode.number),
            Err(Error::NoInodes { inodes, .. }) => {
                assert_eq!(inodes, volume.superblock.inodes);
                return numbers;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn all_inodes_but_the_reserved_can_be_given_out_and_taken_back() {
    for (args, mib) in [
        (["-t", "ext4", "-b", "1024", "-N", "512"].as_slice(), 40),
        (&["-t", "ext4", "-b", "1024", "-N", "512", "-O", "^flex_bg"], 40),
        (&["-t", "ext4", "-b", "1024", "-N", "512", "-O", "^metadata_csum,uninit_bg"], 40),
        (&["-t", "ext2", "-b", "1024", "-N", "512"], 40),
    ] {
        let image = Image::make(args, mib);
        let mut volume = image.volume();
        let free = volume.superblock.free_inodes;
        let parent = volume.superblock.inodes / 2;
        let numbers = all_inodes(&mut volume, parent);
        assert_eq!(numbers.len(), free as usize, "{args:?}");
        assert_eq!(volume.superblock.free_inodes, 0, "{args:?}");
        let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len(), "{args:?}");
        assert_eq!(
            *distinct.first().unwrap(),
            volume.superblock.first_inode + 1,
            "{args:?}: 11 is lost+found"
        );
        volume.commit().unwrap();
        for (index, number) in numbers.iter().enumerate() {
            volume.free_inode(*number, index % 7 == 0).unwrap();
        }
        let error = volume.free_inode(numbers[3], false).unwrap_err().to_string();
        assert!(error.contains("free already"), "{error}");
        volume.commit().unwrap();
        image.assert_clean(&volume, &format!("{args:?}"));
        for reserved in [0, 1, 2, 10, volume.superblock.inodes + 1] {
            assert!(volume.free_inode(reserved, false).is_err(), "{reserved}");
        }
    }
}

#[test]
fn a_new_inode_is_blank_and_lies_near_its_parent() {
    let image = Image::make(&["-t", "ext4", "-b", "1024", "-N", "512"], 40);
    let mut volume = image.volume();
    let per_group = volume.superblock.inodes_per_group;
    let inode = volume.allocate_inode(per_group * 2 + 5, false).unwrap();
    assert_eq!(inode.number, per_group * 2 + 1);
    assert_eq!((inode.mode(), inode.size(), inode.links()), (0, 0, 0));
    assert_eq!(inode.time(crate::inode::Time::Creation), (EPOCH, 0));
    let next = volume.allocate_inode(2, false).unwrap();
    assert_eq!(next.number, 12);
    assert_ne!(next.generation(), inode.generation());
    assert_eq!(volume.group(2).unwrap().unused_inodes, per_group - 1);
}
