//! A full disk leaves nothing behind.

use std::path::Path;
use std::process::Command;

use hardtack_disk::{
    AtomicFile, BlockWrite, Compression, Error, ImageFormat, Overlay, OverlayBase, Qcow2Options, Qcow2Source,
    RewriteOptions, write_overlay, write_qcow2, write_qcow2_from, write_raw,
};

use crate::common::{file, have, pattern, run, text};

/// A tmpfs of 1 MiB, unmounted on drop.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none", text(at)]).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_leaves_no_file_behind() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let Some(small) = Small::mount(&mount) else {
        assert!(std::env::var_os("CI").is_none(), "nothing can be mounted here");
        common_skip();
        return;
    };
    let raw = file(directory.path(), "disk.raw", &pattern(16 << 20, 61));
    let path = directory.path().join("source.qcow2");
    run("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", text(&raw), text(&path)]);
    let source = Qcow2Source::open(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let disk = Overlay::new(&source);
    disk.write_at(0, &pattern(4 << 20, 63)).unwrap();
    let changed = disk.changed_ranges(0..u64::MAX);
    let base = OverlayBase { name: b"source.qcow2".to_vec(), format: ImageFormat::Qcow2 };
    let plain = Qcow2Options { compression: Compression::None, threads: 3, ..Qcow2Options::default() };

    type Way<'a> = &'a dyn Fn(&mut AtomicFile) -> Result<(), Error>;
    let ways: [(&str, Way<'_>); 4] = [
        ("rewrite", &|out| {
            let options = RewriteOptions { threads: 3, ..RewriteOptions::default() };
            write_qcow2_from(&source, &disk, &changed, out, &options, &|_, _| {}).map(drop)
        }),
        ("overlay", &|out| write_overlay(&source, &base, &disk, &changed, out, &plain, &|_, _| {}).map(drop)),
        ("qcow2", &|out| write_qcow2(&disk, out, &plain, &|_, _| {}).map(drop)),
        ("raw", &|out| write_raw(&disk, out, 3, &|_, _| {}).map(drop)),
    ];
    for (name, way) in ways {
        let mut out = AtomicFile::create(&mount.join("out")).unwrap();
        let error = way(&mut out).expect_err(name);
        let Error::Io { source: reason, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(reason.kind(), std::io::ErrorKind::StorageFull, "{name}: {error}");
        drop(out);
        assert_eq!(std::fs::read_dir(&mount).unwrap().count(), 0, "{name}");
        let used = rustix::fs::statvfs(&mount).unwrap();
        assert_eq!(used.f_bfree, used.f_blocks, "{name}: blocks stay in use");
    }
    drop(small);
    assert!(std::fs::read(&path).unwrap() == before, "the source has changed");
}

#[allow(clippy::print_stderr)]
fn common_skip() {
    eprintln!("SKIPPED: no file system can be mounted here");
}
