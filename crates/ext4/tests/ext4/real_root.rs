//! The root of a real Debian, and file systems at their limits.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hardtack_disk::{BlockSource, Overlay, Window, open_source};
use hardtack_ext4::{Error, Ext4, ViewTree};

use crate::disk::TestDisk;
use crate::kernel;
use crate::layout::{Filling, Layout};
use crate::model::{EPOCH, content};
use crate::operation::Operation;
use crate::samples::cache;
use crate::tools;

/// The first partition of a GPT with sectors of 512 bytes.
fn first_partition(disk: impl BlockSource) -> Window<impl BlockSource> {
    let mut entry = [0; 48];
    disk.read_at(1024, &mut entry).unwrap();
    let sector = |at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap());
    Window::new(disk, sector(32) * 512..(sector(40) + 1) * 512).unwrap()
}

/// Writes a disk to a file, sparse.
fn write_out(disk: &dyn BlockSource, to: &Path) {
    let file = std::fs::File::create(to).unwrap();
    file.set_len(disk.len()).unwrap();
    let mut buf = vec![0; 1 << 20];
    for range in disk.data_ranges(0..disk.len()).unwrap() {
        let mut at = range.start;
        while at < range.end {
            let part = &mut buf[..(range.end - at).min(1 << 20) as usize];
            disk.read_at(at, part).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, part, at).unwrap();
            at += part.len() as u64;
        }
    }
}

/// What a hardening recipe does, and more of it.
fn six_hundred() -> Vec<Operation> {
    let text = |number: usize| format!("# file {number}\n").repeat(1 + number * 7 % 90).into_bytes();
    let mut all = Vec::new();
    let create = |all: &mut Vec<Operation>, path: String, mode, bytes: Vec<u8>| {
        all.push(Operation::Create { path: path.clone(), mode, uid: 0, gid: 0 });
        all.push(Operation::SetContent { path, bytes });
    };
    for name in ["/opt/hardtack", "/opt/hardtack/etc", "/etc/hardtack.d", "/opt/hardtack/gone"] {
        all.push(Operation::Mkdir { path: name.to_owned(), mode: 0o755, uid: 0, gid: 0 });
    }
    let agent = (0..20_u32 << 20).map(|at| (at >> 9) as u8 ^ at as u8).collect();
    create(&mut all, "/opt/hardtack/agent".to_owned(), 0o755, agent);
    for number in 0..100 {
        create(&mut all, format!("/etc/hardtack.d/{number:03}-of-a-policy.conf"), 0o640, text(number));
    }
    for number in 0..130 {
        let path = format!("/usr/share/doc/hardtack-{number}");
        create(&mut all, path.clone(), 0o644, text(number));
        all.push(Operation::SetXattr {
            path,
            name: "security.selinux".to_owned(),
            value: b"system_u:object_r:usr_t:s0\0".to_vec(),
        });
    }
    for path in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/fstab", "/etc/login.defs", "/etc/hostname"]
    {
        all.push(Operation::SetContent { path: path.to_owned(), bytes: text(60) });
        all.push(Operation::Append { path: path.to_owned(), bytes: text(3) });
    }
    for (number, length) in [20, 59, 60, 61, 152].into_iter().enumerate() {
        let target = "/target".repeat(30)[..length].to_owned();
        all.push(Operation::Symlink { path: format!("/opt/hardtack/link{number}"), target, uid: 0, gid: 0 });
    }
    let owned = |path: &str| path.to_owned();
    all.extend([
        Operation::SetMode { path: owned("/usr/bin/passwd"), mode: 0o755 },
        Operation::SetMode { path: owned("/opt/hardtack/agent"), mode: 0o4711 },
        Operation::SetOwner { path: owned("/opt/hardtack/agent"), uid: 100_000, gid: 70_000 },
        Operation::SetXattr { path: owned("/opt/hardtack"), name: owned("user.long"), value: vec![9; 700] },
        Operation::Rename { from: owned("/etc/motd"), to: owned("/etc/hardtack.d/motd") },
        Operation::Rename { from: owned("/opt/hardtack/etc"), to: owned("/etc/hardtack.moved") },
        Operation::HardLink { original: owned("/etc/passwd"), path: owned("/opt/hardtack/passwd") },
        Operation::Remove { path: owned("/opt/hardtack/gone") },
        Operation::Remove { path: owned("/usr/bin/perl") },
    ]);
    for number in (0..100).step_by(3) {
        all.push(Operation::Remove { path: format!("/etc/hardtack.d/{number:03}-of-a-policy.conf") });
    }
    all
}

#[test]
#[ignore = "the full suite: a real root"]
fn a_real_root_is_edited_600_ways() {
    let image = cache().join("images/debian12.qcow2");
    if !image.exists() {
        tools::skip(&format!("no {} (`cargo xtask images` makes it)", image.display()));
        return;
    }
    let edits: Vec<_> = six_hundred();
    let overlay = Arc::new(Overlay::new(first_partition(open_source(&image).unwrap())));
    let mut fs = Ext4::open(overlay.clone(), EPOCH).unwrap();
    let mut made = Vec::new();
    let begun = Instant::now();
    for edit in &edits {
        match edit.carry_out(&mut fs) {
            Ok(()) => made.push(edit.clone()),
            // Not every Debian has every file.
            Err(Error::Missing { .. }) => {}
            Err(error) => panic!("{edit:?}: {error}"),
        }
    }
    fs.finish().unwrap();
    let took = begun.elapsed();
    eprintln!("{} edits in {took:.1?}, {} KiB changed", made.len(), overlay.changed_bytes() >> 10);
    assert!(made.len() >= 600, "{}", made.len());
    assert!(cfg!(debug_assertions) || took < Duration::from_secs(1), "{took:?}");
    let dir = tempfile::tempdir().unwrap();
    let edited = dir.path().join("edited");
    write_out(&overlay, &edited);
    tools::assert_clean(&edited, "a real root");
    let view = ViewTree::open(TestDisk::open(&edited)).unwrap();
    for edit in &made {
        if let Operation::SetContent { path, bytes } = edit
            && path.starts_with("/usr/share/doc/")
        {
            assert!(view.read_tail(path, 0, bytes.len() + 1).unwrap() == *bytes, "{path}");
        }
    }
    let copy = dir.path().join("kernel");
    write_out(overlay.below(), &copy);
    let mut theirs = None;
    kernel::mounted_as(&copy, "rw", "a real root", |root| {
        for edit in &made {
            kernel::carry_out(edit, root).unwrap_or_else(|error| panic!("{edit:?}: {error}"));
        }
        theirs = Some(kernel::tree(root));
    });
    if let Some(theirs) = theirs {
        kernel::mounted(&edited, "a real root", |root| {
            let ours = kernel::tree(root);
            assert!(ours.len() > 15_000, "{} files", ours.len());
            kernel::assert_equal(&ours, &theirs, "a real root");
        });
    }
}

#[test]
#[ignore = "the full suite: 20,000 names"]
fn a_directory_of_20000_names() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in [
        "-t ext4 -N 24000",
        "-t ext4 -b 1024 -N 24000",
        "-t ext3 -b 4096 -N 24000",
        "-t ext4 -N 24000 -O inline_data",
    ] {
        let image = Layout::plain(args, 64, Filling::Empty).make().unwrap();
        let disk = TestDisk::open(&image.path());
        let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
        fs.mkdir("/d", 0o755, 0, 0).unwrap();
        let name = |number: usize| format!("/d/entry {number}{}", "-x".repeat(number % 40));
        for number in 0..20_000 {
            fs.create(&name(number), 0o644, 0, 0).unwrap_or_else(|error| panic!("{args}: {number}: {error}"));
        }
        for number in (0..20_000).filter(|number| number % 3 != 0) {
            fs.remove(&name(number)).unwrap();
        }
        for number in (0..20_000).filter(|number| number % 3 == 1) {
            fs.symlink(&name(number), "back", 0, 0).unwrap();
        }
        fs.finish().unwrap();
        assert_eq!(fs.read_dir("/d").unwrap().len(), 13_334, "{args}");
        let edited = image.beside("edited");
        disk.save(&edited);
        tools::assert_clean(&edited, args);
        kernel::mounted(&edited, args, |root| {
            assert_eq!(std::fs::read_dir(root.join("d")).unwrap().count(), 13_334, "{args}");
            for number in 0..20_000 {
                let there = root.join(&name(number)[1..]).symlink_metadata().is_ok();
                assert_eq!(there, number % 3 != 2, "{args}: the kernel's index, {number}");
            }
        });
    }
}

#[test]
#[ignore = "the full suite: 100 MB in holes of 32 KiB"]
fn a_large_file_in_shattered_space() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in ["-t ext4", "-t ext4 -b 1024", "-t ext3"] {
        let image = Layout::plain(args, 256, Filling::Empty).make().unwrap();
        let disk = TestDisk::open(&image.path());
        let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
        let mut made = 0;
        while fs.superblock().free_bytes() > 1 << 20 {
            fs.create(&format!("/{made}"), 0o644, 0, 0).unwrap();
            fs.set_content(&format!("/{made}"), &[made as u8 | 1; 32 << 10]).unwrap();
            made += 1;
        }
        for number in (0..made).step_by(2) {
            fs.remove(&format!("/{number}")).unwrap();
        }
        let large: Vec<u8> = (0..100_000_000_u32).map(|at| (at >> 8) as u8 ^ at as u8).collect();
        fs.create("/large", 0o644, 0, 0).unwrap();
        let begun = Instant::now();
        fs.set_content("/large", &large).unwrap_or_else(|error| panic!("{args}: {error}"));
        eprintln!("{args}: 100 MB in holes of 32 KiB: {:.1?}", begun.elapsed());
        assert!(content(&fs, "/large") == large, "{args}");
        fs.finish().unwrap();
        let edited = image.beside("edited");
        disk.save(&edited);
        tools::assert_clean(&edited, args);
        kernel::mounted(&edited, args, |root| {
            assert!(std::fs::read(root.join("large")).unwrap() == large, "{args}: the kernel");
        });
    }
}

#[test]
fn a_full_file_system_is_left_as_it_was() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in [
        "-t ext4 -b 1024",
        "-t ext4 -b 4096",
        "-t ext4 -b 1024 -O inline_data,ea_inode",
        "-t ext4 -b 1024 -O ^extent,^64bit,^metadata_csum",
        "-t ext3 -b 1024",
    ] {
        let image = Layout::plain(args, 8, Filling::Tree).make().unwrap();
        let disk = TestDisk::open(&image.path());
        let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
        fill_up(&mut fs);
        let mut full = 0;
        for operation in greedy() {
            let (written, before) = (disk.writes(), disk.edits());
            match operation.carry_out(&mut fs) {
                Ok(()) => fill_up(&mut fs),
                Err(Error::NoSpace { needed, free, path }) => {
                    full += 1;
                    assert!(needed > free, "{args}: {operation:?}: {needed} bytes of {free}");
                    assert_eq!(free, fs.superblock().free_bytes(), "{args}: {operation:?}");
                    assert!(!path.is_empty(), "{args}: {operation:?}");
                    assert_eq!(disk.writes(), written, "{args}: {operation:?}");
                    assert!(disk.edits() == before, "{args}: {operation:?}");
                }
                Err(error) => panic!("{args}: {operation:?}: {error}"),
            }
        }
        assert!(full >= 6, "{args}: {full} operations had no room");
        // What is there can still be looked at, replaced by as much, and removed.
        fs.set_content("/usr/lib/deep/er/big", &[1; 9000]).unwrap();
        fs.remove("/full").unwrap();
        fs.set_content("/etc/motd", &vec![2; 50_000]).unwrap();
        fs.finish().unwrap();
        let edited = image.beside("edited");
        disk.save(&edited);
        tools::assert_clean(&edited, args);
    }
}

/// One file takes what is left, to the last block.
fn fill_up(fs: &mut Ext4) {
    if fs.lstat("/full").unwrap().is_none() {
        fs.create("/full", 0o644, 0, 0).unwrap();
    }
    let mut piece = fs.superblock().free_bytes() as usize;
    while piece > 0 {
        if fs.append("/full", &vec![7; piece]).is_err() {
            piece /= 2;
        }
    }
}

/// Operations that need a block, most of them, or many.
fn greedy() -> Vec<Operation> {
    let owned = |path: &str| path.to_owned();
    let mut all = vec![
        Operation::SetContent { path: owned("/etc/empty"), bytes: vec![1; 30_000] },
        Operation::SetContent { path: owned("/usr/lib/deep/er/big"), bytes: vec![1; 700_000] },
        Operation::Append { path: owned("/usr/lib/deep/er/big"), bytes: vec![1; 70_000] },
        Operation::Symlink { path: owned("/etc/slow"), target: "t".repeat(600), uid: 0, gid: 0 },
        Operation::SetXattr { path: owned("/etc/motd"), name: owned("user.a"), value: vec![1; 700] },
        Operation::SetXattr { path: owned("/etc/slow-link"), name: owned("trusted.a"), value: vec![1; 700] },
    ];
    // A directory's last block fills up, and its tree with it.
    for number in 0..12 {
        let long = format!("/many/{number}{}", "l".repeat(240));
        all.push(Operation::Create { path: long.clone(), mode: 0o644, uid: 0, gid: 0 });
        all.push(Operation::HardLink { original: owned("/etc/shadow"), path: format!("{long}h") });
        all.push(Operation::Mkdir {
            path: format!("/etc/{number}{}", "d".repeat(200)),
            mode: 0o755,
            uid: 0,
            gid: 0,
        });
    }
    all.push(Operation::Rename { from: owned("/etc/motd"), to: format!("/many/{}", "r".repeat(255)) });
    all
}
