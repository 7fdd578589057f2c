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

/// What other programs make, where they are installed.
#[test]
fn what_is_refused_is_known_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, "a passphrase").unwrap();
    type Case<'a> = (FsKind, &'a [&'a str], Option<&'a str>);
    let luks = [
        "cryptsetup",
        "luksFormat",
        "-q",
        "--pbkdf-force-iterations",
        "1000",
        "--pbkdf",
        "pbkdf2",
        "--key-file",
        text(&key),
        "--type",
    ];
    let (luks1, luks2) =
        ([&luks[..], &["luks1"]].concat(), [&luks[..], &["luks2", "--label", "vault"]].concat());
    let cases: &[Case<'_>] = &[
        (FsKind::Xfs, &["mkfs.xfs", "-q", "-L", "data"], Some("data")),
        (FsKind::Btrfs, &["mkfs.btrfs", "-q", "-L", "fedora"], Some("fedora")),
        (FsKind::F2fs, &["mkfs.f2fs", "-q", "-l", "größe"], Some("größe")),
        (FsKind::Luks, &luks1, None),
        (FsKind::Luks, &luks2, Some("vault")),
        (FsKind::Swap, &["mkswap"], None),
    ];
    for (kind, command, label) in cases {
        if !have(&command[..1]) {
            continue;
        }
        let path = blank(directory.path(), 320 * MIB);
        run(command[0], &[&command[1..], &[text(&path)]].concat(), "");
        let found = FsKind::detect(&RawSource::open(&path).unwrap()).unwrap();
        assert_eq!((found.kind, found.label.as_deref()), (*kind, *label), "{command:?}");
        assert!(found.uuid.is_some(), "{command:?}");
        std::fs::remove_file(&path).unwrap();
    }
    let tree = directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    for (kind, program) in [(FsKind::Squashfs, "mksquashfs"), (FsKind::Erofs, "mkfs.erofs")] {
        if !have(&[program]) {
            continue;
        }
        let image = directory.path().join("image");
        let order =
            if program == "mksquashfs" { [text(&tree), text(&image)] } else { [text(&image), text(&tree)] };
        run(program, &order, "");
        assert_eq!(FsKind::detect(&RawSource::open(&image).unwrap()).unwrap().kind, kind, "{program}");
        std::fs::remove_file(&image).unwrap();
    }
}

/// Superblocks that their programs write to real devices only, by their kernels' headers.
#[test]
fn members_of_arrays_and_pools() {
    let blank = || vec![0; 4 << 20];
    let put = |disk: &mut Vec<u8>, at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
    // An ext4 that is one half of a mirror: mdp_superblock_1 at the end, and mdp_superblock_s.
    let magic = 0xa92b_4efc_u32.to_le_bytes();
    let mut ext4 = blank();
    put(&mut ext4, 1080, &[0x53, 0xef]);
    let mut one = ext4.clone();
    let sector = (4 << 20) / 512 - 16;
    put(&mut one, sector * 512, &magic);
    put(&mut one, sector * 512 + 4, &[1]);
    put(&mut one, sector * 512 + 144, &(sector as u64).to_le_bytes());
    let mut old = ext4.clone();
    let at = (4 << 20) - 0x10000;
    put(&mut old, at, &magic);
    put(&mut old, at + 32, &(at as u32 / 1024).to_le_bytes());
    // One that is said to lie elsewhere is left over from another layout.
    let mut stale = one.clone();
    put(&mut stale, sector * 512 + 144, &8_u64.to_le_bytes());
    let mut zfs = blank();
    for index in 0..4 {
        put(&mut zfs, (128 << 10) + index * 1024, &0x00ba_b10c_u64.to_be_bytes());
    }
    let mut bcachefs = blank();
    put(
        &mut bcachefs,
        4096 + 24,
        &[0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef],
    );
    put(&mut bcachefs, 4096 + 72, b"pool");
    let mut bitlocker = blank();
    put(&mut bitlocker, 3, b"-FVE-FS-");
    for (what, kind, disk) in [
        ("1.0", FsKind::Raid, one),
        ("0.90", FsKind::Raid, old),
        ("stale", FsKind::Ext2, stale),
        ("zfs", FsKind::ZfsMember, zfs),
        ("bcachefs", FsKind::Bcachefs, bcachefs),
        ("bitlocker", FsKind::BitLocker, bitlocker),
    ] {
        assert_eq!(FsKind::detect(&disk).unwrap().kind, kind, "{what}");
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
