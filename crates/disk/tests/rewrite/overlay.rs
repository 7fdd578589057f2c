//! Overlay files: qemu-img reads the edited disk through them and the source.

use std::path::Path;

use hardtack_disk::{
    AtomicFile, BlockSource, BlockWrite, Compression, Error, ImageFormat, Overlay, OverlayBase, Qcow2Options,
    backing_name, open_source, write_overlay,
};

use crate::common::{Random, assert_same, file, have, pattern, run, scratch, text};
use crate::edit;

const SIZE: usize = (6 << 20) + 1024;

fn write(
    source: &dyn BlockSource,
    disk: &Overlay<&dyn BlockSource>,
    base: &OverlayBase,
    path: &Path,
    options: &Qcow2Options,
) {
    let mut out = AtomicFile::create(path).unwrap();
    let changed = disk.changed_ranges(0..u64::MAX);
    write_overlay(source, base, disk, &changed, &mut out, options, &|_, _| {}).unwrap();
    out.commit(true).unwrap();
}

#[test]
fn an_overlay_file_shows_the_edited_disk() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let (images, outputs) = (directory.path().join("images"), directory.path().join("nbd:outputs"));
    std::fs::create_dir(&images).unwrap();
    std::fs::create_dir(&outputs).unwrap();
    let original = pattern(SIZE, 71);
    let raw = file(&images, "disk.raw", &original);
    let qcow2 = images.join("disk:1.qcow2");
    let target = format!("file:{}", text(&qcow2));
    run("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", text(&raw), &target]);
    let mut random = Random(3);
    for (path, format) in [(&raw, ImageFormat::Raw), (&qcow2, ImageFormat::Qcow2)] {
        let source = open_source(path).unwrap();
        let source: &dyn BlockSource = &*source;
        for (cluster, compression, grown, directory) in [
            (65_536, Compression::Zlib, 0, &outputs),
            (65_536, Compression::None, 1 << 20, &images),
            (4096, Compression::Zstd, 1 << 20, &outputs),
            (2 << 20, Compression::Zlib, 5 << 20, &images),
            (512, Compression::None, 0, &outputs),
        ] {
            let what =
                format!("{format:?}, clusters of {cluster} bytes, {compression:?}, {grown} bytes more");
            let mut model = original.clone();
            model.resize(SIZE + grown, 0);
            let disk = Overlay::with_size(source, model.len() as u64);
            edit(&disk, &mut model, 10, &mut random);
            // Zeros over data must hide the data.
            disk.write_at(70_000, &vec![0; 300_000]).unwrap();
            model[70_000..370_000].fill(0);
            for absolute in [false, true] {
                let out = directory.join("out.qcow2");
                let base = OverlayBase { name: backing_name(&out, path, absolute).unwrap(), format };
                assert_eq!(base.name.starts_with(b"/"), absolute);
                let options = Qcow2Options { cluster_size: cluster, compression, threads: 1 };
                write(source, &disk, &base, &out, &options);
                let bytes = std::fs::read(&out).unwrap();
                let file_name = format!("file:{}", text(&out));
                run("qemu-img", &["check", "-q", "-f", "qcow2", &file_name]);
                let flat = file(directory, "flat.raw", &[]);
                run("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", &file_name, text(&flat)]);
                assert_same(&std::fs::read(&flat).unwrap(), &model, &what);
                let info = run("qemu-img", &["info", &file_name]);
                assert!(info.contains(&format!("backing file format: {}", format.name())), "{info}");
                write(source, &disk, &base, &out, &Qcow2Options { threads: 4, ..options });
                assert!(std::fs::read(&out).unwrap() == bytes, "{what}: another number of threads");
            }
        }
    }
}

#[test]
fn only_changed_clusters_are_in_the_file() {
    let directory = scratch();
    let original = pattern(SIZE, 73);
    let path = file(directory.path(), "disk.raw", &original);
    let source = open_source(&path).unwrap();
    let source: &dyn BlockSource = &*source;
    let disk = Overlay::new(source);
    disk.write_at(1 << 20, b"changed").unwrap();
    // Written, but with what is there already.
    disk.write_at(2 << 20, &original[2 << 20..(2 << 20) + 10_000]).unwrap();
    let mut out = AtomicFile::create(&directory.path().join("out")).unwrap();
    let base = OverlayBase { name: b"disk.raw".to_vec(), format: ImageFormat::Raw };
    let all = [0..u64::MAX];
    let written =
        write_overlay(source, &base, &disk, &all, &mut out, &Qcow2Options::default(), &|_, _| {}).unwrap();
    assert_eq!((written.data, written.virtual_size), (65_536, SIZE as u64));
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    let directory = scratch();
    let disk = vec![0_u8; 4096];
    for (length, cluster_size) in [(1024, 65_536), (450, 512)] {
        let mut out = AtomicFile::create(&directory.path().join("out")).unwrap();
        let base = OverlayBase { name: vec![b'x'; length], format: ImageFormat::Qcow2 };
        let options = Qcow2Options { cluster_size, ..Qcow2Options::default() };
        let error = write_overlay(&disk, &base, &disk, &[], &mut out, &options, &|_, _| {}).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}
