//! Sound images made by QEMU read as QEMU reads them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Random, assert_ranges, assert_same, file, have, pattern, read_all, run, text};
use hardtack_disk::{BlockSource, SourceFormat, detect_format, open_source};

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
