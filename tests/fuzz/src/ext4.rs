//! ext4: opened, recovered, walked, edited, grown, finished.

use std::sync::Arc;

use hardtack_disk::{BlockWrite, Overlay};
use hardtack_ext4::{Ext4, Kind, ViewTree};

use crate::base::{Base, Mutant, Packed, packed};
use crate::{EPOCH, checksums};

/// Clean file systems; `bases/make.sh` says what they are.
pub(crate) static CLEAN: [Packed; 8] = [
    packed(include_bytes!("../bases/ext4-1k.zst")),
    packed(include_bytes!("../bases/ext4-1k-csum.zst")),
    packed(include_bytes!("../bases/ext4-4k-inline.zst")),
    packed(include_bytes!("../bases/ext3-1k.zst")),
    packed(include_bytes!("../bases/ext2-128.zst")),
    packed(include_bytes!("../bases/ext4-csum-all.zst")),
    packed(include_bytes!("../bases/ext4-meta-bg.zst")),
    packed(include_bytes!("../bases/ext4-uninit.zst")),
];

/// File systems that were copied while the kernel had them mounted, and logs written by debugfs.
pub(crate) static UNCLEAN: [Packed; 6] = [
    packed(include_bytes!("../bases/journal-1k.zst")),
    packed(include_bytes!("../bases/journal-csum.zst")),
    packed(include_bytes!("../bases/journal-ext3.zst")),
    packed(include_bytes!("../bases/journal-orphans.zst")),
    packed(include_bytes!("../bases/journal-data.zst")),
    packed(include_bytes!("../bases/journal-debugfs.zst")),
];

type Disk = Arc<Overlay<&'static Base>>;

/// Damaged file systems.
pub fn ext4(input: &[u8]) {
    if let Some(mutant) = Mutant::read(&CLEAN, input) {
        exercise(&disk(&mutant));
    }
}

/// Damaged file systems that were not unmounted: what recovery reads is damaged as well.
pub fn journal(input: &[u8]) {
    if let Some(mutant) = Mutant::read(&UNCLEAN, input) {
        exercise(&disk(&mutant));
    }
}

fn disk(mutant: &Mutant<'_>) -> Disk {
    let disk = Overlay::new(mutant.base);
    for (at, bytes) in &mutant.patches {
        let count = bytes.len().min(mutant.base.bytes.len() - at);
        disk.write_at(*at as u64, &bytes[..count]).expect("it lies inside");
    }
    if mutant.repaired {
        checksums::ext4(&disk);
    }
    Arc::new(disk)
}

fn exercise(disk: &Disk) {
    let Ok(mut fs) = Ext4::open(disk.clone(), EPOCH) else { return };
    // The second reader is only asked about what the first has found, as after a build.
    let found = |path| matches!(fs.lstat(path), Ok(Some(stat)) if stat.size < 1 << 20);
    if ["/", "/etc", "/many"].into_iter().all(found)
        && let Ok(view) = ViewTree::open(disk.clone())
    {
        if found("/etc/shadow") {
            let _ = view.lstat("/etc/shadow");
            let _ = view.read_tail("/etc/shadow", 10, 1 << 20);
        }
        if found("/big") {
            let _ = view.read("/big", |_| true);
        }
        if found("/etc/slow-link") {
            let _ = view.read_link("/etc/slow-link");
        }
    }
    let mut seen = 0;
    walk(&fs, "/", 0, &mut seen);
    let _ = fs.unowned();
    let _ = fs.create("/etc/new", 0o600, 0, 0);
    let _ = fs.set_content("/etc/new", &[3; 9000]);
    let _ = fs.set_content("/big", &[4; 20_000]);
    let _ = fs.append("/etc/motd", &[5; 3000]);
    let _ = fs.append("/sparse", &[5; 3000]);
    let _ = fs.mkdir("/many/dir", 0o755, 0, 0);
    let _ = fs.symlink("/etc/link", &"x".repeat(100), 0, 0);
    let _ = fs.set_xattr("/etc/shadow", "security.selinux", b"label");
    let _ = fs.set_xattr("/etc/motd", "user.long", &[6; 700]);
    let _ = fs.remove_xattr("/many", "user.inline");
    let _ = fs.rename("/etc/shadow", "/many/shadow");
    let _ = fs.remove("/etc/slow-link");
    let _ = fs.remove("/many/an-entry-with-quite-a-long-name-009");
    let _ = fs.remove("/sparse");
    let _ = fs.hard_link("/etc/motd", "/many/motd");
    let length = hardtack_disk::BlockSource::len(&**disk) + (3 << 20);
    disk.grow(length);
    let _ = fs.grow(length);
    let _ = fs.create("/after", 0o600, 0, 0);
    let _ = fs.given_up();
    let _ = fs.unowned();
    let _ = fs.finish();
}

fn walk(fs: &Ext4, path: &str, depth: usize, seen: &mut usize) {
    *seen += 1;
    if depth > 8 || *seen > 150 {
        return;
    }
    let _ = fs.xattrs(path);
    let Ok(Some(stat)) = fs.lstat(path) else { return };
    match stat.kind {
        Kind::Directory => {
            for entry in fs.read_dir(path).unwrap_or_default() {
                walk(fs, &format!("{}/{}", path.trim_end_matches('/'), entry.name), depth + 1, seen);
            }
        }
        Kind::Symlink => drop(fs.read_link(path)),
        _ => {
            let mut bytes = [0; 4096];
            let _ = fs.read_at(path, 0, &mut bytes);
            let _ = fs.read_at(path, stat.size.saturating_sub(10), &mut bytes);
        }
    }
}
