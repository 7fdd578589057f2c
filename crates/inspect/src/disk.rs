//! The disk: its table, its partitions, the file systems in them.

use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite, Window};
use hardtack_ext4::Superblock;
use hardtack_guest::{Error, Guest};
use hardtack_partition::{Content, FsKind, Kind, Partition, read_table};

use crate::model;

/// Types of GPT partitions (UAPI group, "Discoverable Partitions Specification"; gdisk).
const TYPES: &[(&str, &str)] = &[
    ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"),
    ("21686148-6449-6e6f-744e-656564454649", "BIOS boot"),
    ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "extended boot"),
    ("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "root x86-64"),
    ("b921b045-1df0-41c3-af44-4c6f280d3fae", "root arm64"),
    ("0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux"),
    ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"),
    ("e6d6d379-f507-44c2-a23c-238f2a3df928", "LVM"),
    ("933ac7e1-2eb4-4f13-b844-0e14e2aef915", "home"),
    ("4d21b016-b534-45c2-a9fb-5c16e091fd2d", "var"),
    ("8484680c-9521-48c6-9c11-b0720656f69e", "usr x86-64"),
    ("9e1a2d38-c612-4316-aa26-8b49521e5a8b", "PReP boot"),
    ("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Windows data"),
    ("a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID"),
];

pub(crate) fn read(
    disk: &Arc<dyn BlockWrite>,
    guest: Option<&Guest>,
    problems: &mut Vec<String>,
) -> Result<model::Disk, Error> {
    let table = read_table(disk).map_err(|error| match error {
        hardtack_partition::Error::Disk(error) => Error::Disk(error),
        other => Error::Refused(other.to_string()),
    })?;
    problems.extend(table.warnings.clone());
    let mut first = [0; 440];
    if disk.len() >= 512 {
        disk.read_at(0, &mut first)?;
    }
    let mut partitions = Vec::new();
    for partition in &table.partitions {
        partitions.push(one(disk, partition, guest, problems)?);
    }
    Ok(model::Disk {
        size: disk.len(),
        table: match table.kind {
            Kind::Gpt => "gpt",
            Kind::Mbr => "mbr",
            Kind::Bare => "none",
        },
        sector_size: table.sector_size,
        partitions,
        // A file system on the bare disk has something else there.
        boot_code: table.kind != Kind::Bare && first.iter().any(|byte| *byte != 0),
    })
}

fn one(
    disk: &Arc<dyn BlockWrite>,
    partition: &Partition,
    guest: Option<&Guest>,
    problems: &mut Vec<String>,
) -> Result<model::Partition, Error> {
    let window = Window::new(disk.clone(), partition.range.clone())?;
    let content = match FsKind::detect(&window) {
        Ok(content) => content,
        Err(error) => {
            problems.push(format!("partition {}: {error}", partition.number));
            Content { kind: FsKind::Unknown, label: None, uuid: None }
        }
    };
    let volume = guest.and_then(|guest| guest.volumes().iter().find(|one| one.number == partition.number));
    let partition_type = match (&partition.type_guid, partition.mbr_type) {
        (Some(guid), _) => guid.clone(),
        (None, Some(byte)) => format!("{byte:#04x}"),
        (None, None) => String::new(),
    };
    let file_system = match content.kind {
        kind if kind.is_ext() => ext(&window).map_err(|error| error.to_string()),
        FsKind::Fat => fat(&window).map_err(|error| error.to_string()),
        _ => Ok(None),
    };
    let file_system = file_system.unwrap_or_else(|error| {
        problems.push(format!("{} on partition {}: {error}", content.kind.name(), partition.number));
        None
    });
    Ok(model::Partition {
        number: partition.number,
        start: partition.range.start,
        size: partition.range.end - partition.range.start,
        purpose: purpose(&partition_type),
        partition_type,
        name: partition.name.clone(),
        partition_uuid: partition.partition_guid.clone(),
        bootable: partition.bootable,
        content: content.kind.name(),
        label: content.label,
        uuid: content.uuid,
        mount: volume.and_then(|volume| volume.mount.as_ref()).map(|mount| mount.as_str().to_owned()),
        file_system,
    })
}

fn purpose(partition_type: &str) -> &'static str {
    match partition_type {
        "0x83" => "Linux",
        "0x82" => "swap",
        "0x8e" => "LVM",
        "0xef" => "EFI system",
        "0x0b" | "0x0c" | "0x06" | "0x0e" => "FAT",
        "0x07" => "NTFS or exFAT",
        "0x05" | "0x0f" | "0x85" => "extended",
        "0xfd" => "Linux RAID",
        guid => TYPES.iter().find(|(known, _)| *known == guid).map_or("", |(_, name)| name),
    }
}

/// What the superblock says, as it lies on the disk.
fn ext(window: &dyn BlockSource) -> Result<Option<model::FileSystem>, hardtack_ext4::Error> {
    let superblock = Superblock::read(window)?;
    let mut state = [0; 2];
    window.read_at(1024 + 0x3a, &mut state).map_err(hardtack_ext4::Error::Disk)?;
    let state = u16::from_le_bytes(state);
    let features = superblock.feature_names();
    let recovers = features.iter().any(|name| name == "needs_recovery");
    // EXT4_VALID_FS, EXT4_ERROR_FS.
    let state = match (recovers, state & 1 != 0, state & 2 != 0) {
        (_, _, true) => "has errors",
        (false, true, false) => "clean",
        _ => "not unmounted",
    };
    Ok(Some(model::FileSystem {
        size: superblock.bytes(),
        free: Some(superblock.free_bytes()),
        block_size: superblock.block_size,
        inodes: Some((superblock.inodes, superblock.free_inodes)),
        features,
        state: state.to_owned(),
        read_only: superblock.read_only_reason,
    }))
}

/// What the boot sector and the first words of the table say (Microsoft, "FAT specification", 2005). Free clusters
/// are counted in FAT32's own record only, which is a hint.
fn fat(window: &dyn BlockSource) -> Result<Option<model::FileSystem>, hardtack_disk::Error> {
    let mut head = [0; 512];
    window.read_at(0, &mut head)?;
    let two = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let four =
        |at: usize| u64::from(u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    let (sector, per_cluster) = (two(11), u64::from(head[13]));
    let sectors = if two(19) != 0 { two(19) } else { four(32) };
    let fat_size = if two(22) != 0 { two(22) } else { four(36) };
    let system = two(14) + u64::from(head[16]) * fat_size + (two(17) * 32).div_ceil(sector.max(1));
    let clusters = sectors.saturating_sub(system) / per_cluster.max(1);
    let width = match clusters {
        0..=4084 => 12,
        4085..=65524 => 16,
        _ => 32,
    };
    // The second entry's high bits: clean, and without errors.
    let at = two(14) * sector;
    let mut words = [0; 8];
    window.read_at(at, &mut words)?;
    let (clean, sound) = match width {
        16 => {
            let word = u16::from_le_bytes([words[2], words[3]]);
            (word & 0x8000 != 0, word & 0x4000 != 0)
        }
        32 => {
            let word = u32::from_le_bytes([words[4], words[5], words[6], words[7]]);
            (word & 0x0800_0000 != 0, word & 0x0400_0000 != 0)
        }
        _ => (true, true),
    };
    let state = match (clean, sound) {
        (_, false) => "has errors",
        (false, _) => "not unmounted",
        _ => "clean",
    };
    Ok(Some(model::FileSystem {
        size: sectors * sector,
        free: None,
        block_size: u32::try_from(sector * per_cluster).unwrap_or(0),
        inodes: None,
        features: vec![format!("FAT{width}")],
        state: state.to_owned(),
        read_only: None,
    }))
}
