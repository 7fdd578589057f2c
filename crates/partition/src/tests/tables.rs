use hardtack_disk::{BlockSource, BlockWrite, Overlay, RawSource};

use super::*;
use crate::{Error, Kind, Partition, Table, read_table, type_guid};

const LAYOUT: &[&str] = &[
    "-a",
    "1",
    "-n",
    "14:2048:8191",
    "-t",
    "14:ef02",
    "-n",
    "15:8192:262143",
    "-t",
    "15:ef00",
    "-n",
    "1:262144:0",
    "-t",
    "1:4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "-c",
    "1:root ☃",
    "-u",
    "1:3eb5f2d1-0001-4f4f-8f8f-0123456789ab",
    "-A",
    "1:set:2",
];

/// The layout of Debian's genericcloud image, 160 MiB large.
fn debian(directory: &Path) -> RawSource {
    let path = blank(directory, 160 * MIB);
    let mut arguments = LAYOUT.to_vec();
    arguments.push(text(&path));
    run("sgdisk", &arguments, "");
    RawSource::open(&path).unwrap()
}

fn short(table: &Table) -> Vec<(u32, u64, u64)> {
    table.partitions.iter().map(|each| (each.number, each.range.start / 512, each.range.end / 512)).collect()
}

const DEBIAN: [(u32, u64, u64); 3] = [(1, 262_144, 327_647), (14, 2048, 8192), (15, 8192, 262_144)];

#[test]
fn debians_partitions_keep_their_numbers() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let table = read_table(&debian(directory.path())).unwrap();
    assert_eq!((table.kind, table.sector_size, &table.warnings[..]), (Kind::Gpt, 512, &[][..]));
    assert_eq!(short(&table), DEBIAN);
    let root = &table.partitions[0];
    assert_eq!(root.type_guid.as_deref(), Some(type_guid::LINUX_ROOT_X86_64));
    assert_eq!(root.partition_guid.as_deref(), Some("3eb5f2d1-0001-4f4f-8f8f-0123456789ab"));
    assert_eq!((root.name.as_str(), root.bootable), ("root ☃", true));
    assert_eq!(table.partitions[1].type_guid.as_deref(), Some(type_guid::BIOS_BOOT));
    assert_eq!(table.partitions[2].type_guid.as_deref(), Some(type_guid::ESP));
    assert!(!table.partitions[2].bootable);
}

#[test]
fn every_named_type_is_sgdisks() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 64 * MIB);
    let codes = ["8304", "8305", "8300", "ef00", "ef02", "ea00", "8200", "8e00"];
    for (number, code) in (1..).zip(codes) {
        run(
            "sgdisk",
            &["-n", &format!("{number}:0:+1M"), "-t", &format!("{number}:{code}"), text(&path)],
            "",
        );
    }
    let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
    let types: Vec<&str> = table.partitions.iter().filter_map(|each| each.type_guid.as_deref()).collect();
    use type_guid::{
        BIOS_BOOT, ESP, LINUX_DATA, LINUX_LVM, LINUX_ROOT_ARM64, LINUX_ROOT_X86_64, LINUX_SWAP, XBOOTLDR,
    };
    assert_eq!(
        types,
        [LINUX_ROOT_X86_64, LINUX_ROOT_ARM64, LINUX_DATA, ESP, BIOS_BOOT, XBOOTLDR, LINUX_SWAP, LINUX_LVM]
    );
}

#[test]
fn a_damaged_gpt_is_read_from_its_backup_or_refused() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let sound = debian(directory.path());
    // (what is damaged, places, is the backup used); the entries start in sector 2.
    let end = sound.len();
    let cases: &[(&str, &[u64], Option<bool>)] = &[
        ("the primary header", &[512 + 60], Some(true)),
        ("the primary signature", &[512], Some(true)),
        ("the primary entries", &[1024 + 40], Some(true)),
        ("the backup header", &[end - 512 + 60], Some(false)),
        ("the backup entries", &[end - 512 * 33 + 40], Some(false)),
        ("both headers", &[512 + 60, end - 512 + 60], None),
        ("primary header, backup entries", &[512 + 60, end - 512 * 33 + 40], None),
    ];
    for (what, places, backup) in cases {
        let disk = Overlay::new(&sound);
        for place in *places {
            let mut byte = [0];
            disk.read_at(*place, &mut byte).unwrap();
            disk.write_at(*place, &[byte[0] ^ 0x55]).unwrap();
        }
        match (read_table(&disk), backup) {
            (Ok(table), Some(backup)) => {
                assert_eq!(short(&table), DEBIAN, "{what}");
                assert_eq!(
                    table.warnings.iter().any(|warning| warning.contains("backup")),
                    *backup,
                    "{what}"
                );
            }
            (Err(error @ Error::Damaged { .. }), None) => {
                assert!(error.to_string().contains("backup"), "{what}: {error}")
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
    }
    // A disk that was cut off, and one that was enlarged.
    let path = directory.path().join("disk");
    let resized = |size: u64| {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
        read_table(&RawSource::open(&path).unwrap())
    };
    assert_eq!(short(&resized(end + 64 * MIB).unwrap()), DEBIAN);
    let error = resized(end / 2).unwrap_err().to_string();
    assert!(error.contains("truncated"), "{error}");
}

#[test]
fn sectors_of_4096_bytes() {
    if !have(&["fdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 64 * MIB);
    // Not sfdisk: it learnt --sector-size later than fdisk its -b.
    run("fdisk", &["-b", "4096", text(&path)], "g\nn\n1\n256\n1279\nn\n5\n2048\n6143\nw\n");
    let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((table.kind, table.sector_size), (Kind::Gpt, 4096));
    let ranges: Vec<_> = table.partitions.iter().map(|each| (each.number, each.range.clone())).collect();
    assert_eq!(ranges, [(1, MIB..5 * MIB), (5, 8 * MIB..24 * MIB)]);
}

#[test]
fn a_hybrid_mbr_is_a_gpt() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 64 * MIB);
    run("sgdisk", &["-n", "1:2048:8191", "-n", "2:8192:0", "-h", "2", text(&path)], "");
    let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((table.kind, table.partitions.len()), (Kind::Gpt, 2));
}

#[test]
fn mbr_with_logical_partitions_as_sfdisk_reads_it() {
    if !have(&["sfdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 64 * MIB);
    let script = "label: dos\nlabel-id: 0x3eb5f2d1\nunit: sectors\n1: start=2048, size=4096, type=83, bootable\n\
        3: start=8192, size=120000, type=f\n4: start=6144, size=2048, type=c\n5: start=10240, size=2048, type=83\n\
        6: start=16384, size=4096, type=82\n7: start=30000, size=1, type=83\n";
    run("sfdisk", &[text(&path)], script);
    let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((table.kind, table.sector_size, &table.warnings[..]), (Kind::Mbr, 512, &[][..]));
    let dump = run("sfdisk", &["--dump", text(&path)], "");
    for partition in &table.partitions {
        let line = dump
            .lines()
            .find(|line| line.starts_with(&format!("{}{} :", text(&path), partition.number)))
            .unwrap();
        let value = |key: &str| {
            line.split([',', ':']).find_map(|field| field.trim().strip_prefix(key)).unwrap().trim().to_owned()
        };
        let (start, size): (u64, u64) = (value("start=").parse().unwrap(), value("size=").parse().unwrap());
        assert_eq!(partition.range, start * 512..(start + size) * 512, "{line}");
        assert_eq!(format!("{:x}", partition.mbr_type.unwrap()), value("type="), "{line}");
        assert_eq!(partition.bootable, line.ends_with("bootable"), "{line}");
        assert_eq!(partition.partition_guid.as_deref(), Some(&*format!("3eb5f2d1-{:02x}", partition.number)));
    }
    assert_eq!(table.partitions.iter().map(|each| each.number).collect::<Vec<_>>(), [1, 4, 5, 6, 7]);
}

/// A primary MBR with these (status, type, first sector, sectors) entries.
fn mbr(disk: &mut [u8], at: usize, entries: &[(u8, u8, u32, u32)]) {
    for (slot, (status, kind, first, count)) in entries.iter().enumerate() {
        let entry = &mut disk[at + 446 + slot * 16..][..16];
        (entry[0], entry[4]) = (*status, *kind);
        entry[8..12].copy_from_slice(&first.to_le_bytes());
        entry[12..].copy_from_slice(&count.to_le_bytes());
    }
    disk[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
}

#[test]
fn odd_mbr_tables() {
    let make = |entries: &[(u8, u8, u32, u32)]| {
        let mut disk = vec![0; 4 << 20];
        mbr(&mut disk, 0, entries);
        disk
    };
    // Beyond the end, empty, or both: ignored with the reason, the others stay.
    let table = read_table(&make(&[
        (0, 0x83, 8, 8),
        (0, 0x83, 16, 9000),
        (0, 0x83, 32, 0),
        (0, 0x83, 9000, u32::MAX),
    ]))
    .unwrap();
    assert_eq!(short(&table), [(1, 8, 16)]);
    assert_eq!(table.warnings.len(), 2, "{:?}", table.warnings);
    assert!(table.warnings[0].contains("MBR partition 2 (sectors 16 to 9015)"), "{:?}", table.warnings);

    let error = read_table(&make(&[(0, 0x83, 8, 100), (0, 0x83, 50, 8)])).unwrap_err().to_string();
    assert!(error.contains("partition 1") && error.contains("overlaps partition 2"), "{error}");

    // A chain that bites its tail, and chains that lead nowhere.
    let mut disk = make(&[(0, 5, 64, 1000)]);
    mbr(&mut disk, 64 * 512, &[(0, 0x83, 1, 4), (0, 5, 32, 10)]);
    mbr(&mut disk, 96 * 512, &[(0, 0x83, 1, 4), (0, 5, 0, 10)]);
    let error = read_table(&disk).unwrap_err().to_string();
    assert!(error.contains("comes back to sector 64"), "{error}");
    disk[96 * 512 + 510] = 0;
    let table = read_table(&disk).unwrap();
    assert_eq!((short(&table), table.warnings.len()), (vec![(5, 65, 69)], 1));
    mbr(&mut disk, 64 * 512, &[(0, 0x83, 1, 4), (0, 5, u32::MAX, 10)]);
    let table = read_table(&disk).unwrap();
    assert_eq!((short(&table), table.warnings.len()), (vec![(5, 65, 69)], 1));

    // A GPT that is announced but not there.
    let error = read_table(&make(&[(0, 0xee, 1, 8191)])).unwrap_err().to_string();
    assert!(error.contains("GPT"), "{error}");
}

#[test]
fn disks_without_a_table_are_bare() {
    let whole = |length: u64| [Partition { range: 0..length, ..Partition::default() }];
    let mut code = vec![0xfa; 1 << 20];
    code[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut empty_table = vec![0; 1 << 20];
    mbr(&mut empty_table, 0, &[]);
    for (what, disk, warnings) in [
        ("zeros", vec![0; 1 << 20], 0),
        ("boot code where a table would be", code, 0),
        ("an empty table", empty_table, 1),
        ("less than a sector", vec![0; 100], 0),
        ("nothing", vec![], 0),
    ] {
        let table = read_table(&disk).unwrap();
        assert_eq!((table.kind, table.warnings.len()), (Kind::Bare, warnings), "{what}");
        assert_eq!(table.partitions, whole(disk.len() as u64), "{what}");
    }
    let mut unannounced = vec![0; 1 << 20];
    unannounced[512..520].copy_from_slice(b"EFI PART");
    let error = read_table(&unannounced).unwrap_err().to_string();
    assert!(error.contains("no protective MBR"), "{error}");
    if have(&["mkfs.ext4", "mkfs.vfat"]) {
        let directory = tempfile::tempdir().unwrap();
        for mkfs in ["mkfs.ext4", "mkfs.vfat"] {
            let path = blank(directory.path(), 16 * MIB);
            run(mkfs, &[text(&path)], "");
            let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(table.kind, Kind::Bare, "{mkfs}");
        }
    }
}
