//! Other file systems: a full one is left as it was, one that shares blocks stores them once.

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
fn clusters_are_shared_where_the_file_system_can() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("shared");
    std::fs::create_dir(&mount).unwrap();
    let device = directory.path().join("device");
    std::fs::File::create(&device).unwrap().set_len(400 << 20).unwrap();
    let done = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !done("mkfs.xfs", &["-q", "-m", "reflink=1", text(&device)])
        || !done("mount", &["-o", "loop", text(&device), text(&mount)])
    {
        skip("no file system that shares blocks can be mounted here");
        return;
    }
    let mounted = Small(&mount);
    let raw = file(directory.path(), "disk.raw", &pattern(64 << 20, 67));
    for options in [&["-c"][..], &["-c", "-m", "16", "-W"], &[]] {
        let path = mount.join("source.qcow2");
        let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2"];
        arguments.extend(options);
        arguments.extend([text(&raw), text(&path)]);
        run("qemu-img", &arguments);
        let source = Qcow2Source::open(&path).unwrap();
        let disk = Overlay::new(&source);
        disk.write_at(30 << 20, b"an edit").unwrap();
        let changed = disk.changed_ranges(0..u64::MAX);
        std::fs::File::open(&path).unwrap().sync_all().unwrap();
        let free = || rustix::fs::statvfs(&mount).unwrap().f_bfree * 4096;
        let before = free();
        let out = mount.join("out.qcow2");
        let result = crate::rewrite(&source, &disk, &changed, &out, &RewriteOptions::default());
        let used = before.saturating_sub(free());
        let size = result.written.file_size;
        assert!(used < size / 4, "{options:?}: {used} bytes of {size} are new");
        run("qemu-img", &["check", "-q", "-f", "qcow2", text(&out)]);
        let taken = crate::common::read_all(&Qcow2Source::open(&out).unwrap());
        crate::common::assert_same(&taken, &crate::common::read_all(&disk), "shared");
        std::fs::remove_file(&out).unwrap();
    }
    drop(mounted);
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
        skip("no file system can be mounted here");
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
fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    eprintln!("SKIPPED: {reason}");
}
