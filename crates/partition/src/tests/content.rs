use hardtack_disk::RawSource;

use super::*;
use crate::FsKind;

#[test]
fn file_systems_are_known_by_name_label_and_uuid() {
    let uuid = "12345678-9abc-4def-8123-456789abcdef";
    type Case<'a> = (FsKind, &'a str, &'a [&'a str], Option<&'a str>, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (FsKind::Ext4, "mke2fs", &["-q", "-t", "ext4", "-L", "root", "-U", uuid], Some("root"), Some(uuid)),
        (FsKind::Ext4, "mke2fs", &["-q", "-t", "ext4", "-O", "^metadata_csum,^64bit"], None, None),
        (FsKind::Ext4, "mke2fs", &["-q", "-t", "ext4", "-O", "^has_journal"], None, None),
        (
            FsKind::Ext3,
            "mke2fs",
            &["-q", "-t", "ext3", "-L", "sixteen bytes...", "-U", uuid],
            Some("sixteen bytes..."),
            Some(uuid),
        ),
        (FsKind::Ext2, "mke2fs", &["-q", "-t", "ext2", "-U", uuid], None, Some(uuid)),
        (
            FsKind::Fat,
            "mkfs.vfat",
            &["-F", "12", "-n", "EFI", "-i", "1a2b3c4d"],
            Some("EFI"),
            Some("1A2B-3C4D"),
        ),
        (FsKind::Fat, "mkfs.vfat", &["-F", "16", "-i", "1a2b3c4d"], None, Some("1A2B-3C4D")),
        (FsKind::Fat, "mkfs.vfat", &["-F", "32", "-n", "UEFI BOOT"], Some("UEFI BOOT"), None),
        (FsKind::Swap, "mkswap", &["-L", "swap", "-U", uuid], Some("swap"), Some(uuid)),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (kind, program, arguments, label, uuid) in cases {
        if !have(&[program]) {
            continue;
        }
        // FAT12 has room for 4084 clusters, FAT32 needs 65525.
        let size = if arguments.contains(&"12") { 16 } else { 320 };
        let path = blank(directory.path(), size * MIB);
        let mut arguments = arguments.to_vec();
        arguments.push(text(&path));
        run(program, &arguments, "a passphrase");
        let found = FsKind::detect(&RawSource::open(&path).unwrap()).unwrap();
        assert_eq!((found.kind, found.label.as_deref()), (*kind, *label), "{program} {arguments:?}");
        if uuid.is_some() {
            assert_eq!(found.uuid.as_deref(), *uuid, "{program} {arguments:?}");
        }
    }
}

#[test]
fn other_magics_and_none() {
    let with = |at: usize, magic: &[u8]| {
        let mut disk = vec![0; 128 << 10];
        disk[at..at + magic.len()].copy_from_slice(magic);
        disk
    };
    let mut lvm = with(512, b"LABELONE");
    lvm[536..544].copy_from_slice(b"LVM2 001");
    for (kind, disk) in [
        (FsKind::LvmPv, lvm),
        (FsKind::Squashfs, with(0, b"hsqs")),
        (FsKind::Iso, with(32769, b"CD001")),
        (FsKind::Ntfs, with(3, b"NTFS    ")),
        (FsKind::Raid, with(4096, &[0xfc, 0x4e, 0x2b, 0xa9])),
        (FsKind::Unknown, with(0, b"nothing known")),
        (FsKind::Unknown, vec![]),
        (FsKind::Unknown, vec![0; 1081]),
    ] {
        let length = disk.len();
        assert_eq!(FsKind::detect(&disk).unwrap().kind, kind, "{length} bytes");
    }
}

/// The bytes that mkfs.xfs 6.1, mkfs.btrfs 6.2 and cryptsetup 2.6 write there; those programs are
/// not asked themselves because nothing else here needs them.
#[test]
fn refused_ones_are_named_with_label_and_uuid() {
    let uuid = "12345678-9abc-4def-8123-456789abcdef";
    let raw =
        [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    type Case<'a> = (FsKind, Option<&'a str>, &'a [(usize, &'a [u8])]);
    let cases: &[Case<'_>] = &[
        (FsKind::Xfs, Some("data"), &[(0, b"XFSB"), (32, &raw), (108, b"data")]),
        (FsKind::Btrfs, Some("fedora"), &[(0x10040, b"_BHRfS_M"), (0x10020, &raw), (0x1012b, b"fedora")]),
        (FsKind::Luks, Some("vault"), &[(0, b"LUKS\xba\xbe\0\x02"), (24, b"vault"), (168, uuid.as_bytes())]),
        // Where LUKS 2 has its label, LUKS 1 has more of its cipher's name.
        (FsKind::Luks, None, &[(0, b"LUKS\xba\xbe\0\x01"), (8, b"aes"), (24, b"x"), (168, uuid.as_bytes())]),
    ];
    for (kind, label, fields) in cases {
        let mut disk = vec![0; 128 << 10];
        for (at, bytes) in *fields {
            disk[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let found = FsKind::detect(&disk).unwrap();
        assert_eq!((found.kind, found.label.as_deref(), found.uuid.as_deref()), (*kind, *label, Some(uuid)));
    }
}
