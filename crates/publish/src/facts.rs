//! What a disk says of how it boots, and on what.
//!
//! A machine of EC2 starts an image's boot code (`legacy-bios`) or, having no boot entries yet, `EFI/BOOT/BOOTX64.EFI`
//! (`BOOTAA64.EFI` on ARM) of the EFI system partition (`uefi`); `uefi-preferred` takes what the type of machine can
//! ("Boot modes" in the EC2 user guide). So an ESP without such a program is none for this purpose.

use std::sync::Arc;

use hardtack_cloud::ec2::BootMode;
use hardtack_disk::{BlockSource, Window};
use hardtack_guest::efi_programs;
use hardtack_partition::{FsKind, Kind, Partition, Table, read_table, type_guid};

use crate::Error;

/// Bytes of sector 0 that are boot code.
const CODE: usize = 440;
/// The type of an EFI system partition in an MBR.
const MBR_ESP: u8 = 0xef;

/// What registering an image needs to know of its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// How it boots: an ESP and a BIOS boot partition (or an MBR's boot code) together are `uefi-preferred`.
    pub boot_mode: Option<BootMode>,
    /// Why that was said: "GPT with an ESP and a BIOS boot partition".
    pub because: String,
    /// `x86_64`, `arm64`, where the ESP's programs (`EFI/BOOT/BOOTX64.EFI`, `BOOTAA64.EFI`) or boot code tell it.
    pub architecture: Option<String>,
    /// The number of the root's partition, as far as the table tells it: by its type, or because no other one can be.
    pub root: Option<u32>,
}

/// What an ESP has in `EFI/BOOT`.
#[derive(Clone, Copy, Debug, Default)]
struct Programs {
    x64: bool,
    aa64: bool,
    ia32: bool,
}

impl Programs {
    /// Those that EC2 starts: its firmware is of 64 bits.
    fn start(self) -> bool {
        self.x64 || self.aa64
    }
}

/// Looks at partition table and ESP.
///
/// # Errors
/// The disk cannot be read, or its table is damaged.
pub fn look(disk: &Arc<dyn BlockSource>) -> Result<DiskFacts, Error> {
    let table = read_table(disk).map_err(refused)?;
    let mut code = [0; CODE];
    if disk.len() >= CODE as u64 {
        disk.read_at(0, &mut code)?;
    }
    let esps: Vec<&Partition> = table.partitions.iter().filter(|partition| is_esp(partition)).collect();
    let mut programs = Programs::default();
    let mut unread = None;
    for esp in &esps {
        match efi_programs(disk.clone(), esp.range.clone()) {
            Ok(names) => {
                let has = |name: &str| names.iter().any(|found| found == name);
                programs.x64 |= has("BOOTX64.EFI");
                programs.aa64 |= has("BOOTAA64.EFI");
                programs.ia32 |= has("BOOTIA32.EFI");
            }
            Err(hardtack_guest::Error::Disk(error)) => return Err(error.into()),
            Err(error) => unread = Some(error.to_string()),
        }
    }
    let root = root(disk, &table)?;
    let root_type = table.partitions.iter().find(|partition| Some(partition.number) == root);
    let architecture = match (programs, root_type.and_then(|root| root.type_guid.as_deref())) {
        (Programs { x64: true, aa64: true, .. }, Some(type_guid::LINUX_ROOT_ARM64)) => Some("arm64"),
        (Programs { x64: true, .. }, _) => Some("x86_64"),
        (Programs { aa64: true, .. }, _) => Some("arm64"),
        (_, Some(type_guid::LINUX_ROOT_ARM64)) => Some("arm64"),
        (_, Some(type_guid::LINUX_ROOT_X86_64)) => Some("x86_64"),
        (Programs { ia32: true, .. }, _) => Some("i386"),
        _ => None,
    };
    // No machine with an ARM processor has a BIOS.
    let bios = if architecture == Some("arm64") { None } else { bios(&table, &code) };
    let architecture = architecture.or(bios.as_ref().map(|_| "x86_64"));
    let kind = match table.kind {
        Kind::Gpt => "GPT",
        Kind::Mbr => "MBR",
        Kind::Bare => "no partition table",
    };
    let esp = match (esps.is_empty(), programs.start(), &unread) {
        (true, ..) => "no ESP".to_owned(),
        (_, true, _) => "an ESP".to_owned(),
        (_, _, Some(why)) => format!("an ESP that cannot be read ({why})"),
        _ => "an ESP without EFI/BOOT/BOOTX64.EFI or BOOTAA64.EFI".to_owned(),
    };
    let uefi = programs.start() || unread.is_some();
    let boot_mode = match (uefi, &bios) {
        (true, Some(_)) => Some(BootMode::UefiPreferred),
        (true, None) => Some(BootMode::Uefi),
        (false, Some(_)) => Some(BootMode::Bios),
        // Nothing here starts; what was meant is all that can be said.
        (false, None) if !esps.is_empty() => Some(BootMode::Uefi),
        (false, None) => None,
    };
    let because = format!("{kind} with {esp} and {}", bios.unwrap_or("no boot code for a BIOS"));
    Ok(DiskFacts { boot_mode, because, architecture: architecture.map(str::to_owned), root })
}

fn is_esp(partition: &Partition) -> bool {
    partition.type_guid.as_deref() == Some(type_guid::ESP) || partition.mbr_type == Some(MBR_ESP)
}

/// What a BIOS would start.
fn bios(table: &Table, code: &[u8]) -> Option<&'static str> {
    let has_type = |wanted: &str| {
        table.partitions.iter().any(|partition| partition.type_guid.as_deref() == Some(wanted))
    };
    let grub = code.windows(4).any(|text| text == b"GRUB");
    let active = table.partitions.iter().any(|partition| partition.bootable);
    let some = code.iter().any(|byte| *byte != 0);
    match table.kind {
        Kind::Gpt if has_type(type_guid::BIOS_BOOT) => Some("a BIOS boot partition"),
        _ if grub => Some("GRUB's boot code"),
        // Other loaders' code (syslinux' gptmbr.bin and mbr.bin) starts the active partition.
        Kind::Gpt if some && active => Some("boot code and a partition that is marked as bootable"),
        Kind::Mbr if some => Some("boot code"),
        _ => None,
    }
}

/// The root's partition by its type, else the only one with a file system that roots have.
fn root(disk: &Arc<dyn BlockSource>, table: &Table) -> Result<Option<u32>, Error> {
    let typed = |partition: &&Partition| {
        matches!(
            partition.type_guid.as_deref(),
            Some(type_guid::LINUX_ROOT_X86_64 | type_guid::LINUX_ROOT_ARM64)
        )
    };
    if let Some(root) = table.partitions.iter().find(typed) {
        return Ok(Some(root.number));
    }
    let mut only = Vec::new();
    for partition in &table.partitions {
        let boot = partition.type_guid.as_deref() == Some(type_guid::XBOOTLDR);
        let kind = FsKind::detect(&Window::new(disk, partition.range.clone())?).map_err(refused)?.kind;
        if !boot && (kind.is_ext() || matches!(kind, FsKind::Xfs | FsKind::Btrfs)) {
            only.push(partition);
        }
    }
    // A /boot of its own is never the larger one.
    let largest = only.iter().max_by_key(|partition| partition.range.end - partition.range.start);
    Ok(largest.map(|partition| partition.number))
}

fn refused(error: hardtack_partition::Error) -> Error {
    match error {
        hardtack_partition::Error::Disk(error) => error.into(),
        other => Error::Refused(other.to_string()),
    }
}
