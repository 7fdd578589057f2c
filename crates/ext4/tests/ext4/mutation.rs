//! Hostile images: bytes of the metadata changed at random. No panic, no hang, whatever comes out.

use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use hardtack_ext4::{Ext4, Kind, ViewTree};

use crate::disk::TestDisk;
use crate::model::{EPOCH, Random, join};
use crate::tools::{self, Image, debugfs};

/// Rounds per layout; the long run sets HARDTACK_MUTATIONS.
fn rounds() -> usize {
    std::env::var("HARDTACK_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(120)
}

#[test]
fn mutated_metadata_never_panics_or_hangs() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    // Without checksums the damage reaches the parsers; with them it is caught early.
    for args in [
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^uninit_bg"][..],
        &["-t", "ext4", "-O", "^metadata_csum,inline_data"],
        &["-t", "ext3", "-b", "1024"],
        &["-t", "ext4"],
    ] {
        let image = Image::make(args, 16);
        let places = places(&image);
        let mut random = Random(0xdead_beef);
        // One round alone, with the time of each step: for looking into a find.
        let only: Option<usize> = std::env::var("HARDTACK_ROUND").ok().and_then(|text| text.parse().ok());
        for round in 0..rounds() {
            let disk = TestDisk::open(&image.path());
            for _ in 0..1 + random.below(4) {
                let (start, length) = places[random.below(places.len())];
                let at = start + random.below(length) as u64;
                let value = match random.below(4) {
                    0 => vec![0xff; 4],
                    1 => vec![0; 4],
                    2 => vec![0x80],
                    _ => vec![random.below(256) as u8],
                };
                hardtack_disk::BlockWrite::write_at(&*disk, at, &value).unwrap();
            }
            if only.is_some_and(|only| only != round) {
                continue;
            }
            let begun = Instant::now();
            exercise(&disk, only.is_some());
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{args:?}: round {round} took {:?}",
                begun.elapsed()
            );
        }
    }
}

/// Where the metadata lies: superblock, descriptors, and the inodes and blocks of some files.
fn places(image: &Image) -> Vec<(u64, usize)> {
    let file = std::fs::File::open(image.path()).unwrap();
    let mut head = [0; 2048];
    file.read_exact_at(&mut head, 0).unwrap();
    let block = 1024_u64 << head[1024 + 0x18];
    let descriptors = if block == 1024 { 2048 } else { block };
    let mut places = vec![(1024, 0x180), (1024, 0x180), (descriptors, 64)];
    for path in
        ["/", "/etc", "/many", "/etc/motd", "/etc/shadow", "/usr/lib/deep/er/big", "/etc/slow-link", "<8>"]
    {
        let told = debugfs(&image.path(), &format!("imap {path}"));
        // "Inode 12 is part of block group 0\n\tlocated at block 37, offset 0x0b00"
        if let Some((_, rest)) = told.split_once("located at block ") {
            let (number, rest) = rest.split_once(", offset 0x").unwrap();
            let number: u64 = number.parse().unwrap();
            let offset = u64::from_str_radix(rest.lines().next().unwrap().trim(), 16).unwrap();
            places.push((number * block + offset, 160));
            places.push((number * block + offset + 40, 60));
        }
        for number in debugfs(&image.path(), &format!("blocks {path}")).split_whitespace().take(3) {
            if let Ok(number) = number.parse::<u64>() {
                places.push((number * block, block.min(1024) as usize));
            }
        }
    }
    places
}

fn exercise(disk: &std::sync::Arc<TestDisk>, aloud: bool) {
    let begun = Instant::now();
    let step = |what: &str| {
        if aloud {
            eprintln!("{what}: {:?}", begun.elapsed());
        }
    };
    let Ok(mut fs) = Ext4::open(disk.clone(), EPOCH) else { return };
    // The second reader is only asked about what the first has found: alone, a directory of an
    // absurd size keeps it busy for a minute.
    let found = |path| matches!(fs.lstat(path), Ok(Some(stat)) if stat.size < 1 << 20);
    if ["/", "/etc", "/usr/lib/deep/er", "/usr/lib/deep", "/usr/lib", "/usr"].into_iter().all(found)
        && let Ok(view) = ViewTree::open(disk.clone())
    {
        if found("/etc/shadow") {
            let _ = view.lstat("/etc/shadow");
        }
        if found("/usr/lib/deep/er/big") {
            let _ = view.read("/usr/lib/deep/er/big", |_| true);
            let _ = view.read_tail("/usr/lib/deep/er/big", 200_000, 1 << 20);
        }
        if found("/etc/slow-link") {
            let _ = view.read_link("/etc/slow-link");
        }
    }
    step("second reader");
    let mut seen = 0;
    walk(&fs, "/", 0, &mut seen);
    step("walk");
    let _ = fs.create("/etc/new", 0o600, 0, 0);
    let _ = fs.set_content("/etc/new", &[3; 9000]);
    let _ = fs.set_content("/usr/lib/deep/er/big", &[4; 70_000]);
    let _ = fs.append("/etc/motd", &[5; 3000]);
    step("contents");
    let _ = fs.mkdir("/many/dir", 0o755, 0, 0);
    let _ = fs.symlink("/etc/link", &"x".repeat(100), 0, 0);
    let _ = fs.set_xattr("/etc/shadow", "security.selinux", b"label");
    let _ = fs.rename("/etc/shadow", "/many/shadow");
    let _ = fs.remove("/etc/slow-link");
    let _ = fs.remove("/many/entry-number-0009");
    let _ = fs.hard_link("/etc/motd", "/many/motd");
    let _ = fs.finish();
    step("names");
}

fn walk(fs: &Ext4, path: &str, depth: usize, seen: &mut usize) {
    *seen += 1;
    if depth > 8 || *seen > 600 {
        return;
    }
    let _ = fs.xattrs(path);
    let Ok(Some(stat)) = fs.lstat(path) else { return };
    match stat.kind {
        Kind::Directory => {
            for entry in fs.read_dir(path).unwrap_or_default() {
                walk(fs, &join(path, &entry.name), depth + 1, seen);
            }
        }
        Kind::Symlink => drop(fs.read_link(path)),
        _ => drop(fs.read_at(path, 0, &mut [0; 4096])),
    }
}
