//! Sound images made by QEMU read as QEMU reads them.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{Random, assert_ranges, assert_same, file, have, pattern, read_all, run, text};
use hardtack_disk::{Backing, BlockSource, Qcow2Source, SourceFormat, detect_format, open_source};

/// Not a multiple of any cluster but the smallest.
const SIZE: usize = (5 << 20) + 3 * 512;

/// Reads everything, then pieces in any order and size, then the same on several threads.
fn check(disk: &dyn BlockSource, expected: &[u8], what: &str) {
    assert_same(&read_all(disk), expected, what);
    assert_ranges(disk, expected, what);
    let pieces = |seed: u64| {
        let mut random = Random(seed);
        for _ in 0..60 {
            let start = random.below(expected.len() as u64) as usize;
            let length = (1_usize << random.below(22)).min(expected.len() - start);
            let mut piece = vec![0x5a; length];
            disk.read_at(start as u64, &mut piece).unwrap();
            assert_same(&piece, &expected[start..start + length], what);
        }
    };
    std::thread::scope(|scope| {
        for seed in 1..4 {
            scope.spawn(move || pieces(seed));
        }
    });
    assert!(disk.read_at(disk.len() - 1, &mut [0; 2]).is_err(), "{what}: a read beyond the end");
}

#[test]
fn every_kind_of_qcow2_reads_as_qemu_reads_it() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let expected = pattern(SIZE, 7);
    let raw = file(directory.path(), "disk.raw", &expected);
    let image = directory.path().join("disk.qcow2");
    let mut cases: Vec<(String, bool)> = Vec::new();
    for cluster in ["512", "1k", "4k", "64k", "512k", "2M"] {
        cases.push((format!("compat=0.10,cluster_size={cluster}"), false));
        cases.push((format!("compat=1.1,cluster_size={cluster}"), false));
        cases.push((format!("compat=1.1,cluster_size={cluster}"), true));
        cases.push((format!("compat=1.1,cluster_size={cluster},compression_type=zstd"), true));
    }
    for options in [
        "compat=0.10",
        "compression_type=zstd,extended_l2=on,cluster_size=128k",
        "extended_l2=on,cluster_size=16k",
        "extended_l2=on,cluster_size=2M",
        "refcount_bits=1",
        "refcount_bits=64",
        "lazy_refcounts=on",
    ] {
        cases.push((options.to_owned(), true));
        cases.push((options.to_owned(), false));
    }
    for options in [
        "preallocation=metadata",
        "preallocation=falloc",
        "preallocation=metadata,extended_l2=on,cluster_size=64k",
    ] {
        cases.push((options.to_owned(), false));
    }
    for (options, compressed) in cases {
        let mut arguments = vec!["convert", "-q", "-f", "raw", "-O", "qcow2", "-o", &options];
        if compressed {
            arguments.push("-c");
        }
        arguments.extend([text(&raw), text(&image)]);
        run("qemu-img", &arguments);
        let what = format!("{options}, compressed {compressed}");
        assert_eq!(detect_format(&image).unwrap(), SourceFormat::Qcow2, "{what}");
        check(&*open_source(&image).unwrap(), &expected, &what);

        // Then changed in place: overwritten, zeroed, discarded, with a snapshot of before.
        // The snapshot needs refcounts above 1.
        if !options.contains("refcount_bits=1") {
            run("qemu-img", &["snapshot", "-c", "before", text(&image)]);
        }
        let edits = [
            "write -q -P 17 70000 9000",
            "write -q -z 300000 200000",
            "write -q -z -u 1M 130k",
            "discard -q 3M 300k",
            "write -q -P 18 4M 1",
        ];
        let mut arguments = vec!["-f", "qcow2"];
        arguments.extend(edits.iter().flat_map(|edit| ["-c", edit]));
        arguments.push(text(&image));
        run("qemu-io", &arguments);
        let after = directory.path().join("after.raw");
        run("qemu-img", &["convert", "-q", "-f", "qcow2", "-O", "raw", text(&image), text(&after)]);
        check(&*open_source(&image).unwrap(), &std::fs::read(&after).unwrap(), &format!("{what}, edited"));
    }
}

#[test]
fn raw_images_are_read_with_their_holes() {
    let directory = tempfile::tempdir().unwrap();
    let expected = pattern(SIZE, 9);
    let path = directory.path().join("disk.raw");
    // Written in pieces around its zeros, so that the file has holes.
    let out = std::fs::File::create(&path).unwrap();
    out.set_len(SIZE as u64).unwrap();
    for (number, block) in
        expected.chunks(4096).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0))
    {
        std::os::unix::fs::FileExt::write_all_at(&out, block, number as u64 * 4096).unwrap();
    }
    assert_eq!(detect_format(&path).unwrap(), SourceFormat::Raw);
    let disk = open_source(&path).unwrap();
    check(&*disk, &expected, "raw");
    assert!(disk.data_ranges(0..disk.len()).unwrap().len() > 1, "the holes are not seen");
}

/// An image in `directory` that is made by `qemu-img create` with these options and backed by a
/// file that is named as it is written here.
fn overlay(
    directory: &Path,
    name: &str,
    options: &str,
    (format, below): (&str, &str),
    size: &str,
) -> PathBuf {
    let path = directory.join(name);
    let mut arguments = vec!["create", "-q", "-f", "qcow2", "-F", format, "-b", below];
    if !options.is_empty() {
        arguments.extend(["-o", options]);
    }
    arguments.extend([text(&path), size]);
    run("qemu-img", &arguments);
    path
}

fn qemu_io(image: &Path, commands: &[&str]) {
    let mut arguments = vec!["-f", "qcow2"];
    arguments.extend(commands.iter().flat_map(|command| ["-c", command]));
    arguments.push(text(image));
    run("qemu-io", &arguments);
}

/// The image read through its chain is what `qemu-img convert` makes of it.
fn check_chain(image: &Path, within: &Path, what: &str) {
    let flat = within.join("flat.raw");
    run("qemu-img", &["convert", "-q", "-f", "qcow2", "-O", "raw", text(image), text(&flat)]);
    let disk = Qcow2Source::open_with(image, &Backing::Within(within.to_owned())).unwrap();
    assert!(disk.has_backing(), "{what}");
    check(&disk, &std::fs::read(&flat).unwrap(), what);
}

#[test]
fn backing_files_are_read_as_qemu_reads_them() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path();
    let raw = file(within, "base.raw", &pattern(SIZE, 11));
    file(within, "odd.raw", &pattern((4 << 20) + 70_001, 17));
    file(within, "empty.raw", &[]);
    let bases = [
        ("raw", "base.raw", None),
        ("raw", "odd.raw", None),
        ("raw", "empty.raw", None),
        ("qcow2", "plain", Some(&["-o", "cluster_size=4k"][..])),
        ("qcow2", "old", Some(&["-o", "compat=0.10"])),
        ("qcow2", "small", Some(&["-o", "cluster_size=512"])),
        ("qcow2", "zlib", Some(&["-c", "-o", "cluster_size=2M"])),
        ("qcow2", "zstd", Some(&["-c", "-o", "compression_type=zstd"])),
        ("qcow2", "extended", Some(&["-o", "extended_l2=on"])),
    ];
    for (number, (format, name, making)) in bases.into_iter().enumerate() {
        if let Some(making) = making {
            let mut arguments = vec!["convert", "-q", "-f", "raw", "-O", "qcow2"];
            arguments.extend(making);
            let image = within.join(name);
            arguments.extend([text(&raw), text(&image)]);
            run("qemu-img", &arguments);
        }
        let tops =
            ["", "compat=0.10", "cluster_size=512", "cluster_size=2M", "extended_l2=on,cluster_size=32k"];
        for (options, other) in tops.into_iter().zip(0..) {
            // Shorter than the base, as long, longer.
            let size = ["3M", "5244416", "9M"][(number + other) % 3];
            let image = overlay(within, "top", options, (format, name), size);
            let what = format!("{options:?} of {size} above {name}");
            check_chain(&image, within, &format!("{what}, empty"));
            let edits = [
                "write -q -P 3 70000 9000",
                "write -q -z 300000 200000",
                "discard -q 1M 300k",
                "write -q -P 9 2M 1",
            ];
            qemu_io(&image, &edits);
            check_chain(&image, within, &what);
        }
    }
}

#[test]
fn chains_are_followed_by_the_names_that_qemu_follows() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path();
    file(within, "base.raw", &pattern(SIZE, 13));
    let inner = within.join("inner");
    std::fs::create_dir(&inner).unwrap();
    // Relative to the image that names it, through `..`, by an absolute name, through a link.
    let second = overlay(&inner, "second", "cluster_size=4k", ("raw", "../base.raw"), "6M");
    qemu_io(&second, &["write -q -P 1 1M 64k"]);
    let third = overlay(within, "third", "", ("qcow2", "inner/second"), "7M");
    qemu_io(&third, &["write -q -P 2 1056k 64k", "write -q -z 3M 100k"]);
    let fourth = overlay(&inner, "fourth", "cluster_size=1k", ("qcow2", text(&third)), "4M");
    qemu_io(&fourth, &["write -q -P 3 1080k 4k"]);
    std::os::unix::fs::symlink("inner/fourth", within.join("link")).unwrap();
    let fifth = overlay(within, "fifth", "", ("qcow2", "inner/../inner/fourth"), "8M");
    for (image, what) in [(&second, "second"), (&third, "third"), (&fourth, "fourth"), (&fifth, "fifth")] {
        check_chain(image, within, what);
    }
    // Where the image lies does not matter, nor how the directory is named.
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = overlay(elsewhere.path(), "top", "", ("qcow2", text(&fifth)), "8M");
    let expected = read_all(&Qcow2Source::open_with(&fifth, &Backing::Within(inner.join(".."))).unwrap());
    let disk = Qcow2Source::open_with(&outside, &Backing::Within(within.to_owned())).unwrap();
    assert_same(&read_all(&disk), &expected, "an image elsewhere");

    // No format stated: the content says that it is qcow2. (qemu-img insists on stating one.)
    for (stated, name) in [("qcow2", "third"), ("raw", "base.raw")] {
        let image = overlay(within, "top", "", (stated, name), "6M");
        let expected =
            read_all(&Qcow2Source::open_with(&image, &Backing::Within(within.to_owned())).unwrap());
        forget_format(&image);
        let disk = Qcow2Source::open_with(&image, &Backing::Within(within.to_owned())).unwrap();
        assert_same(&read_all(&disk), &expected, name);
    }
}

/// Makes the header extension that states the backing file's format one that nobody knows.
fn forget_format(image: &Path) {
    let mut bytes = std::fs::read(image).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == [0xe2, 0x79, 0x2a, 0xca]).unwrap();
    bytes[at] = 0x12;
    std::fs::write(image, bytes).unwrap();
}

#[test]
fn a_raw_backing_file_is_never_taken_for_qcow2() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path();
    // A guest with a raw disk can write what it likes to its first sector.
    let secret = file(within, "secret", &[7; 4096]);
    let evil = overlay(within, "evil", "", ("raw", text(&secret)), "1M");
    let image = overlay(within, "top", "", ("raw", "evil"), "1M");
    let disk = Qcow2Source::open_with(&image, &Backing::Within(within.to_owned())).unwrap();
    let bytes = read_all(&disk);
    assert!(bytes.starts_with(b"QFI\xfb"), "the bytes of the file are not the bytes of the disk");
    let held = std::fs::read(evil).unwrap();
    assert_same(&bytes[..held.len()], &held, "raw");
    assert!(bytes[held.len()..].iter().all(|byte| *byte == 0), "no zeros behind its end");
}
