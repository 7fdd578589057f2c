#![allow(clippy::unwrap_used)]

use hardtack_guest::MemoryTree;
use hardtack_guest::initramfs::{Archive, Entry};

use super::*;

const CFG: &str = "menuentry Debian {\n linux /boot/vmlinuz-6.1 ro\n initrd /boot/initrd.img-6.1\n}\nmenuentry rescue {\n linux /boot/vmlinuz-6.1 ro single\n initrd /boot/initrd.img-6.1\n}\n";
const DEP: &str = "kernel/nvme.ko.xz: kernel/nvme-core.ko.xz\nkernel/nvme-core.ko.xz:\nkernel/ena.ko:\nkernel/virtio_scsi.ko: kernel/scsi_mod.ko\nkernel/scsi_mod.ko:\nkernel/xen-netfront.ko:\n";

fn initrd(modules: &[&str]) -> Vec<u8> {
    let mut archive = Archive::default();
    for directory in ["lib", "lib/modules", "lib/modules/6.1", "lib/modules/6.1/kernel"] {
        archive.add(directory, &Entry::Directory);
    }
    for module in modules {
        let entry = Entry::File { mode: 0o644, content: b"x".to_vec() };
        archive.add(&format!("lib/modules/6.1/kernel/{module}"), &entry);
    }
    archive.finish()
}

fn tree(cfg: &str, modules: &[&str]) -> MemoryTree {
    MemoryTree::new()
        .file("/boot/grub/grub.cfg", cfg)
        .file("/boot/vmlinuz-6.1", "k")
        .file("/boot/initrd.img-6.1", initrd(modules))
        .file("/lib/modules/6.1/modules.dep", DEP)
        .file("/lib/modules/6.1/modules.builtin", "kernel/virtio_pci.ko\nkernel/xen-blkfront.ko\n")
        .file("/lib/modules/6.1/kernel/ena.ko", "x")
}

fn check(tree: &MemoryTree, drivers: &[Driver]) -> Result<usize, String> {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    apply(&BootStep { check: drivers.to_vec() }, &mut cx).map_err(|error| error.to_string())?;
    let notes = cx.notes.len();
    assert_eq!(stage.edits().unwrap().len(), 0);
    Ok(notes)
}

#[test]
fn where_drivers_are_found() {
    let full = tree(CFG, &["nvme.ko.xz", "nvme-core.ko.xz", "virtio_scsi.ko", "scsi_mod.ko"]);
    let all = [Driver::Nvme, Driver::Ena, Driver::XenBlkfront, Driver::Virtio];
    assert_eq!(check(&full, &all), Ok(0));
    for (modules, driver, expected) in [
        (&["nvme.ko.xz"][..], Driver::Nvme, "no nvme in the kernel or initramfs"),
        (&["nvme-core.ko.xz"], Driver::Nvme, "no nvme in the kernel or initramfs"),
        (&[], Driver::Virtio, "no virtio_blk or virtio_scsi (for virtio) in the kernel or initramfs"),
        (&[], Driver::XenNetfront, "no xen_netfront in the kernel, initramfs or root"),
    ] {
        let error = check(&tree(CFG, modules), &[driver]).unwrap_err();
        let place = "step boot: /boot/grub/grub.cfg:2 (Debian) and 1 more boots /boot/vmlinuz-6.1 with /boot/initrd.img-6.1: ";
        assert_eq!(error, format!("{place}{expected}"));
    }
}

#[test]
fn every_entry_counts() {
    let cfg = format!("{CFG}menuentry bare {{\n linux /boot/vmlinuz-6.1 ro\n}}\n");
    let full = ["nvme.ko.xz", "nvme-core.ko.xz"];
    let error = check(&tree(&cfg, &full), &[Driver::Nvme]).unwrap_err();
    assert_eq!(
        error,
        "step boot: /boot/grub/grub.cfg:10 (bare) boots /boot/vmlinuz-6.1 without an initramfs: no nvme in the kernel or initramfs"
    );
    assert_eq!(check(&tree(&cfg, &[]), &[Driver::XenBlkfront, Driver::Ena]), Ok(0));
    // What cannot boot is told, and is no fault.
    let gone = format!("{CFG}menuentry old {{\n linux /boot/vmlinuz-5 ro\n}}\n");
    assert_eq!(check(&tree(&gone, &full), &[Driver::Nvme]), Ok(1));
    let missing = CFG.replacen("initrd.img-6.1", "initrd.img-6.0", 1);
    let error = check(&tree(&missing, &full), &[Driver::Nvme]).unwrap_err();
    assert!(error.contains("with /boot/initrd.img-6.0, which the image does not have"), "{error}");
}

#[test]
fn what_cannot_be_told_is_refused() {
    let none = MemoryTree::new().dir("/boot");
    assert!(check(&none, &[Driver::Nvme]).unwrap_err().contains("no boot entry"));
    let blind = MemoryTree::new()
        .file("/boot/grub/grub.cfg", CFG)
        .file("/boot/vmlinuz-6.1", "k")
        .file("/boot/initrd.img-6.1", initrd(&["nvme.ko.xz"]));
    assert!(check(&blind, &[Driver::Nvme]).unwrap_err().contains("modules.builtin"));
}
