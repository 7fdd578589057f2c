//! What a machine starts: firmware, boot loader, kernels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite};
use hardtack_guest::bootloader;
use hardtack_guest::initramfs::{Limits, scan};
use hardtack_guest::kmod::{Modules, module_name};
use hardtack_guest::{Stage, efi_programs};

use crate::facts::Facts;
use crate::model::{Boot, Disk, Entry, Initramfs, Kernel};
use crate::part;
use crate::system::names;

/// An initramfs is read up to this many bytes.
const INITRAMFS_LIMIT: u64 = 512 << 20;

/// Drivers without which a machine of some cloud has no disk or no network.
const DRIVERS: &[&str] =
    &["virtio_blk", "virtio_scsi", "virtio_net", "virtio_pci", "nvme", "ena", "xen_blkfront", "xen_netfront"];

const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
const BIOS_BOOT: &str = "21686148-6449-6e6f-744e-656564454649";

pub(crate) fn read(
    stage: &Stage<'_>,
    facts: &Facts<'_>,
    (disk, parts): (&Arc<dyn BlockWrite>, &Disk),
    problems: &mut Vec<String>,
) -> Boot {
    let mut boot = Boot::default();
    let source: Arc<dyn BlockSource> = disk.clone();
    for esp in parts.partitions.iter().filter(|one| one.partition_type == ESP || one.partition_type == "0xef")
    {
        if esp.content == "FAT" {
            let found = efi_programs(source.clone(), esp.start..esp.start + esp.size);
            boot.efi.extend(part(problems, "EFI system partition", found));
        }
    }
    boot.efi.retain(|name| name.ends_with(".EFI"));
    // GRUB on a GPT needs its partition; on an MBR it lies behind the table.
    let has_room = parts.table != "gpt"
        || parts.partitions.iter().any(|one| one.partition_type == BIOS_BOOT || one.bootable);
    let bios = parts.boot_code && has_room;
    boot.mode = match (bios, !boot.efi.is_empty()) {
        (true, true) => "BIOS and UEFI",
        (true, false) => "BIOS",
        (false, true) => "UEFI",
        (false, false) => "none",
    };
    let found = part(problems, "boot loader", bootloader::read(stage));
    boot.entry = first_entry(&found).map(|entry| Entry {
        title: entry.title.clone(),
        origin: entry.origin.clone(),
        kernel: entry.kernel.clone().unwrap_or_else(|| format!("{} (missing)", entry.kernel_name)),
        initrds: entry.initrds.clone(),
        missing: entry.missing.clone(),
        command_line: entry.options.clone(),
    });
    boot.configurations = found.configurations;
    boot.unified = found.unified;
    let line = boot.entry.as_ref().map(|entry| entry.command_line.as_str()).unwrap_or_default();
    let serial = |name: &str| ["ttyS", "ttyAMA", "hvc"].iter().any(|kind| name.starts_with(kind));
    boot.serial_console = !bootloader::serial_consoles(line).is_empty()
        || names(stage, "/etc/systemd/system/getty.target.wants")
            .unwrap_or_default()
            .iter()
            .any(|name| name.split_once("getty@").is_some_and(|(_, line)| serial(line)));
    for version in &facts.kernels {
        boot.kernels.push(kernel(stage, version, problems));
    }
    boot
}

/// What is started when nobody chooses.
pub(crate) fn first_entry(found: &bootloader::Boot) -> Option<&bootloader::BootEntry> {
    found.defaults.first().and_then(|index| found.entries.get(*index)).or(found.entries.first())
}

fn kernel(stage: &Stage<'_>, version: &str, problems: &mut Vec<String>) -> Kernel {
    let modules = part(problems, "kernel modules", Modules::read(stage, version));
    let mut packed = BTreeSet::new();
    let mut initramfs = None;
    for path in [
        format!("/boot/initrd.img-{version}"),
        format!("/boot/initramfs-{version}.img"),
        format!("/boot/initrd-{version}"),
    ] {
        let found = match stage.stat(&path) {
            Ok(Some(_)) => stage.read_limited(&path, INITRAMFS_LIMIT),
            _ => continue,
        };
        let mut told = Initramfs { path, kind: "unknown", ..Initramfs::default() };
        match found {
            Ok(bytes) => look(&bytes.unwrap_or_default(), &mut told, &mut packed),
            Err(error) => told.problem = Some(error.to_string()),
        }
        initramfs = Some(told);
        break;
    }
    let mut drivers = BTreeMap::new();
    for name in DRIVERS {
        let state = if modules.is_builtin(name) {
            "built in"
        } else if packed.contains(*name) {
            "in initramfs"
        } else if modules.path(name).is_some() {
            "module"
        } else {
            "missing"
        };
        drivers.insert(*name, state);
    }
    Kernel { version: version.to_owned(), initramfs, drivers }
}

fn look(bytes: &[u8], told: &mut Initramfs, packed: &mut BTreeSet<String>) {
    let view = match scan(bytes, Limits::default(), &|_| false) {
        Ok(view) => view,
        Err(error) => {
            told.problem = Some(error.to_string());
            return;
        }
    };
    told.compression = view.segments().iter().map(|segment| segment.compression.name()).collect();
    for path in view.paths() {
        let path = path.trim_start_matches('/');
        if path.starts_with("scripts/init-premount") || path == "conf/initramfs.conf" {
            told.kind = "initramfs-tools";
        } else if path.contains("lib/dracut/") {
            told.kind = "dracut";
        }
        if path.contains(".ko") && path.contains("/modules/") {
            packed.insert(module_name(path));
        }
    }
}
