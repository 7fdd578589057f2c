#![allow(clippy::unwrap_used)]

use super::{Superblock, layout};
use crate::Error;

/// A sound superblock: 16384 blocks of 4 KiB in one group of 32768, 4096 inodes.
fn sound() -> Vec<u8> {
    let mut bytes = vec![0; layout::SIZE];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(layout::S_INODES_COUNT, &4096_u32.to_le_bytes());
    put(layout::S_BLOCKS_COUNT_LO, &16384_u32.to_le_bytes());
    put(layout::S_FREE_BLOCKS_COUNT_LO, &100_u32.to_le_bytes());
    put(layout::S_LOG_BLOCK_SIZE, &2_u32.to_le_bytes());
    put(layout::S_LOG_CLUSTER_SIZE, &2_u32.to_le_bytes());
    put(layout::S_BLOCKS_PER_GROUP, &32768_u32.to_le_bytes());
    put(layout::S_CLUSTERS_PER_GROUP, &32768_u32.to_le_bytes());
    put(layout::S_INODES_PER_GROUP, &4096_u32.to_le_bytes());
    put(layout::S_MAGIC, &layout::MAGIC.to_le_bytes());
    put(layout::S_STATE, &layout::VALID_FS.to_le_bytes());
    put(layout::S_REV_LEVEL, &1_u32.to_le_bytes());
    put(layout::S_INODE_SIZE, &256_u16.to_le_bytes());
    put(layout::S_FIRST_INO, &11_u32.to_le_bytes());
    put(layout::S_JOURNAL_INUM, &8_u32.to_le_bytes());
    put(layout::S_FEATURE_COMPAT, &layout::COMPAT_HAS_JOURNAL.to_le_bytes());
    put(layout::S_FEATURE_INCOMPAT, &0x42_u32.to_le_bytes());
    put(layout::S_VOLUME_NAME, b"root\0trailing");
    bytes
}

const SIZE: u64 = 16384 * 4096;

#[test]
fn reads_a_sound_superblock() {
    let superblock = Superblock::parse(&sound(), SIZE).unwrap();
    assert_eq!((superblock.block_size, superblock.blocks, superblock.inodes), (4096, 16384, 4096));
    assert_eq!(superblock.label, "root");
    assert_eq!(superblock.free_bytes(), 100 * 4096);
    assert_eq!(superblock.read_only_reason, None);
    assert_eq!(superblock.uuid, "00000000-0000-0000-0000-000000000000");
}

#[test]
fn contradictions_are_errors_with_their_numbers() {
    for (at, value, told) in [
        (layout::S_BLOCKS_PER_GROUP, &[0_u8; 4][..], "s_clusters_per_group is 32768"),
        (layout::S_INODES_PER_GROUP, &[1, 0, 0, 0], "no whole blocks"),
        (
            layout::S_FIRST_DATA_BLOCK,
            &[1, 0, 0, 0],
            "the first data block is 1; with blocks of 4096 bytes it is 0",
        ),
        (layout::S_FIRST_INO, &[10], "the first inode for files is 10"),
        (layout::S_FIRST_INO, &[1, 0x10], "the first inode for files is 4097"),
        (layout::S_RESERVED_GDT_BLOCKS, &[1, 4], "1025 blocks are reserved"),
        (layout::S_FEATURE_INCOMPAT, &[0x52, 0, 0, 0, 0, 0, 0, 0], "s_first_meta_bg is 2"),
        (layout::S_INODES_PER_GROUP, &[0; 4], "0 inodes"),
        (layout::S_INODES_PER_GROUP, &[0xff; 4], "4294967295 inodes"),
        (layout::S_LOG_BLOCK_SIZE, &[7], "s_log_block_size is 7"),
        (layout::S_LOG_BLOCK_SIZE, &[0xff; 4], "s_log_block_size is 4294967295"),
        (layout::S_INODE_SIZE, &[0, 0], "inodes of 0 bytes"),
        (layout::S_INODE_SIZE, &[0, 0x20], "inodes of 8192 bytes"),
        (layout::S_FIRST_DATA_BLOCK, &[0xff; 4], "first data block"),
        (layout::S_BLOCKS_COUNT_LO, &[0; 4], "first data block"),
        (layout::S_BLOCKS_COUNT_LO, &[1, 0x40, 0, 0], "do not fit"),
        (layout::S_INODES_COUNT, &[1, 0, 0, 0], "1 inodes in 1 groups"),
        (layout::S_LOG_CLUSTER_SIZE, &[0x82], "s_log_cluster_size is 130"),
        (layout::S_CLUSTERS_PER_GROUP, &[1], "s_clusters_per_group is 32769"),
        (layout::S_LOG_GROUPS_PER_FLEX, &[32], "s_log_groups_per_flex is 32"),
        (layout::S_FEATURE_INCOMPAT, &[0xc2, 0, 0, 0], "group descriptors of 0 bytes"),
    ] {
        let mut bytes = sound();
        bytes[layout::S_FIRST_META_BG] = 2;
        bytes[at..at + value.len()].copy_from_slice(value);
        match Superblock::parse(&bytes, SIZE) {
            Err(Error::Damaged(what)) => assert!(what.contains(told), "{told}: {what}"),
            other => panic!("{told}: {other:?}"),
        }
    }
    assert!(matches!(Superblock::parse(&[], SIZE), Err(Error::NotExt4 { found: 0 })));
}

#[test]
fn every_feature_bit_has_an_answer() {
    for bit in 0..32 {
        for (at, base) in [(layout::S_FEATURE_INCOMPAT, 0x42_u32), (layout::S_FEATURE_RO_COMPAT, 0)] {
            let mut bytes = sound();
            bytes[at..at + 4].copy_from_slice(&(base | 1 << bit).to_le_bytes());
            bytes[layout::S_DESC_SIZE] = 64;
            bytes[layout::S_CHECKSUM_TYPE] = 1;
            bytes[layout::S_JOURNAL_INUM] = 8;
            let known = if at == layout::S_FEATURE_INCOMPAT { layout::INCOMPAT } else { layout::RO_COMPAT };
            let found = known.iter().find(|feature| feature.bit == 1 << bit);
            match Superblock::parse(&bytes, SIZE) {
                Ok(superblock) => match found.map(|feature| feature.handling) {
                    Some(layout::Handling::Written) => {
                        assert_eq!(superblock.read_only_reason, None, "bit {bit}")
                    }
                    _ => assert!(superblock.read_only_reason.is_some(), "bit {bit}"),
                },
                Err(Error::Unsupported(what)) => {
                    let name = found
                        .map_or_else(|| format!("{:#x}", 1_u32 << bit), |feature| feature.name.to_owned());
                    assert!(what.contains(&name), "bit {bit}: {what}");
                }
                Err(other) => panic!("bit {bit}: {other}"),
            }
        }
    }
}

#[test]
fn sizes_of_groups_fit_a_bitmap() {
    for (blocks, clusters, log_cluster_size, bigalloc, sound_) in [
        (32768_u32, 32768_u32, 2_u32, false, true),
        (32760, 32760, 2, false, true),
        (32764, 32764, 2, false, false),
        (32776, 32776, 2, false, false),
        (0, 0, 2, false, false),
        (524_288, 32768, 6, true, true),
        (524_288, 32768, 7, true, false),
        (524_288, 32768, 1, true, false),
        (0, 0, 6, true, false),
        (524_288, 32768, 0xffff_ffff, true, false),
    ] {
        let mut bytes = sound();
        for (at, value) in [
            (layout::S_BLOCKS_PER_GROUP, blocks),
            (layout::S_CLUSTERS_PER_GROUP, clusters),
            (layout::S_LOG_CLUSTER_SIZE, log_cluster_size),
            (layout::S_FEATURE_RO_COMPAT, if bigalloc { layout::RO_COMPAT_BIGALLOC } else { 0 }),
        ] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let found = Superblock::parse(&bytes, SIZE);
        assert_eq!(found.is_ok(), sound_, "{blocks} {clusters} {log_cluster_size}: {found:?}");
    }
}

#[test]
fn states() {
    const NO_JOURNAL: (usize, u32) = (layout::S_FEATURE_COMPAT, 0);
    const RECOVER: (usize, u32) = (layout::S_FEATURE_INCOMPAT, 0x42 | layout::INCOMPAT_RECOVER);
    for (fields, told) in [
        (&[(layout::S_STATE, 1)][..], None),
        (&[(layout::S_STATE, 0)], Some("not unmounted cleanly")),
        (&[(layout::S_STATE, 0), RECOVER], None),
        (&[RECOVER], None),
        (&[RECOVER, NO_JOURNAL], Some("no journal to recover from")),
        (&[(layout::S_STATE, 3), RECOVER], Some("recorded an error")),
        (&[(layout::S_LAST_ORPHAN, 12)], None),
        (&[(layout::S_STATE, 0), (layout::S_LAST_ORPHAN, 12), NO_JOURNAL], Some("not unmounted cleanly")),
        (&[(layout::S_JOURNAL_INUM, 0)], Some("another device")),
        (&[(layout::S_FEATURE_RO_COMPAT, layout::RO_COMPAT_ORPHAN_PRESENT)], None),
    ] {
        let mut bytes = sound();
        for (at, value) in fields {
            let length = if *at == layout::S_STATE { 2 } else { 4 };
            bytes[*at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
        }
        let found = Superblock::parse(&bytes, SIZE).unwrap().read_only_reason;
        match told {
            None => assert_eq!(found, None, "{fields:?}"),
            Some(told) => {
                assert!(found.as_ref().is_some_and(|why| why.contains(told)), "{fields:?}: {found:?}")
            }
        }
    }
}
