//! FAT: the guest's `/boot/efi`, mounted by its fstab, walked and edited.

use std::sync::Arc;

use hardtack_disk::{BlockWrite, Overlay};
use hardtack_guest::{Attributes, FileType, Guest, GuestPath, Tree, Volumes};

use crate::EPOCH;
use crate::base::{Mutant, Packed, packed_within};

const MIB: usize = 1 << 20;

/// Disks with a root on partition 1 and an EFI system partition from 1 MiB on; `bases/make.sh`.
pub(crate) static BASES: [Packed; 3] = [
    packed_within(include_bytes!("../bases/esp-12.zst"), MIB..2 * MIB),
    packed_within(include_bytes!("../bases/esp-16.zst"), MIB..5 * MIB),
    packed_within(include_bytes!("../bases/esp-32.zst"), MIB..36 * MIB),
];

/// Damaged FAT file systems.
pub fn fat(input: &[u8]) {
    let Some(mutant) = Mutant::read(&BASES, input) else { return };
    let disk = Overlay::new(mutant.base);
    for (at, bytes) in &mutant.patches {
        let count = bytes.len().min(mutant.base.bytes.len() - at);
        disk.write_at(*at as u64, &bytes[..count]).expect("it lies inside");
    }
    let Ok(mut guest) = Guest::open(Arc::new(disk), EPOCH) else { return };
    let mut seen = 0;
    walk(&guest, &GuestPath::new("/boot/efi"), 0, &mut seen);
    edit(&mut guest);
    let mut seen = 0;
    walk(&guest, &GuestPath::new("/boot/efi"), 0, &mut seen);
}

fn walk(guest: &Guest, path: &GuestPath, depth: usize, seen: &mut usize) {
    let Ok(entries) = guest.read_dir(path) else { return };
    for entry in entries.iter().take(40) {
        *seen += 1;
        if *seen > 100 {
            return;
        }
        let child = GuestPath::new(&format!("{path}/{}", entry.name));
        let _ = guest.lstat(&child);
        if entry.kind == FileType::Directory && depth < 3 {
            walk(guest, &child, depth + 1, seen);
        } else {
            let _ = guest.read_at(&child, 0, &mut [0; 4096]);
            let _ = guest.read_at(&child, 50_000, &mut [0; 4096]);
        }
    }
}

fn edit(guest: &mut Guest) {
    let path = |name: &str| GuestPath::new(&format!("/boot/efi/{name}"));
    let Ok((_, top)) = guest.volume(&path("")) else { return };
    let inside = |name: &str| GuestPath::new(&format!("{top}/{name}"));
    let Ok((fs, _)) = guest.volume(&path("")) else { return };
    if fs.read_only().is_some() || !fs.describe().contains("FAT") {
        return;
    }
    let attributes = Attributes { mode: 0o644, uid: 0, gid: 0 };
    let _ = fs.create(&inside("a new file with a long name.cfg"), attributes);
    let _ = fs.set_content(&inside("a new file with a long name.cfg"), &[1; 9000]);
    let _ = fs.append(&inside("EFI/debian/grub.cfg"), b"set timeout=0\n");
    let _ = fs.set_content(&inside("EFI/debian/shimx64.efi"), &[2; 3000]);
    let _ = fs.mkdir(&inside("EFI/new"), attributes);
    let _ = fs.create(&inside("EFI/new/file"), attributes);
    let _ = fs.rename(&inside("EFI/BOOT/BOOTX64.EFI"), &inside("EFI/new/moved.efi"));
    let _ = fs.remove(&inside("EFI/debian/long file name to remove.txt"));
    let _ = fs.set_mtime(&inside("EFI/debian/grub.cfg"), EPOCH);
    let _ = fs.finish();
}
