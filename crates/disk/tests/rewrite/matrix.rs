//! Every kind of source that qemu-img makes, edited at random.

use std::path::{Path, PathBuf};

use hardtack_disk::{
    AtomicFile, Backing, BlockSource, Overlay, Qcow2Source, RewriteOptions, write_qcow2_from,
};

use crate::account::Account;
use crate::common::{Random, assert_ranges, assert_same, file, have, pattern, read_all, run, scratch, text};
use crate::{edit, rewrite};

const SIZE: usize = (5 << 20) + 512;

/// A name, the options of `qemu-img convert` or of `create` when there is nothing to convert, and
/// what `qemu-io` and `qemu-img snapshot` do to it then.
struct Row {
    name: &'static str,
    convert: &'static [&'static str],
    then: &'static [&'static [&'static str]],
    /// Nothing that was superseded before is in it, and the entries are normal.
    pristine: bool,
}

const fn row(name: &'static str, convert: &'static [&'static str]) -> Row {
    Row { name, convert, then: &[], pristine: true }
}

const WRITES: &[&[&str]] = &[&[
    "qemu-io",
    "-c",
    "write -P 0x51 100k 3k",
    "-c",
    "write -P 0x52 2M 300k",
    "-c",
    "write -z 3M 1M",
    "-c",
    "write -P 0x53 5M 512",
]];

const ROWS: &[Row] = &[
    row("v2-zlib", &["-c", "-o", "compat=0.10"]),
    row("v3-zlib", &["-c"]),
    row("v3-zlib-shuffled", &["-c", "-m", "16", "-W"]),
    row("v3-zstd", &["-c", "-o", "compression_type=zstd"]),
    row("v3-zstd-plain", &["-o", "compression_type=zstd"]),
    row("v3-plain", &[]),
    row("v2-plain", &["-o", "compat=0.10"]),
    row("zlib-512", &["-c", "-o", "cluster_size=512"]),
    row("zlib-4k", &["-c", "-o", "cluster_size=4k"]),
    row("zlib-4k-shuffled", &["-c", "-m", "16", "-W", "-o", "cluster_size=4k"]),
    row("zlib-2M", &["-c", "-o", "cluster_size=2M"]),
    row("zstd-512", &["-c", "-o", "cluster_size=512,compression_type=zstd"]),
    row("zstd-2M", &["-c", "-o", "cluster_size=2M,compression_type=zstd"]),
    row("plain-512", &["-o", "cluster_size=512"]),
    row("plain-2M", &["-o", "cluster_size=2M"]),
    row("lazy-refcounts", &["-c", "-o", "lazy_refcounts=on"]),
    row("refcount-64", &["-c", "-o", "refcount_bits=64"]),
    Row { name: "refcount-1", convert: &["-o", "refcount_bits=1"], then: WRITES, pristine: false },
    Row { name: "extended-l2", convert: &["-o", "extended_l2=on"], then: WRITES, pristine: false },
    Row { name: "extended-l2-zlib", convert: &["-c", "-o", "extended_l2=on"], then: WRITES, pristine: false },
    Row {
        name: "extended-l2-2M",
        convert: &["-o", "extended_l2=on,cluster_size=2M"],
        then: WRITES,
        pristine: false,
    },
    Row { name: "written-to", convert: &["-c"], then: WRITES, pristine: false },
    Row { name: "written-to-plain", convert: &[], then: WRITES, pristine: false },
    Row {
        name: "snapshot",
        convert: &["-c"],
        then: &[&["qemu-img", "snapshot", "-c", "one"], WRITES[0], &["qemu-img", "snapshot", "-c", "two"]],
        pristine: false,
    },
    Row { name: "backing", convert: &["backing"], then: WRITES, pristine: false },
    Row { name: "empty", convert: &["empty"], then: &[], pristine: true },
    Row { name: "preallocated", convert: &["-o", "preallocation=metadata"], then: &[], pristine: false },
];

fn make(row: &Row, directory: &Path, disk: &Path) -> PathBuf {
    let path = directory.join(format!("{}.qcow2", row.name));
    if row.convert == ["empty"] {
        run("qemu-img", &["create", "-q", "-f", "qcow2", text(&path), &SIZE.to_string()]);
        return path;
    }
    if row.convert == ["backing"] {
        let base = directory.join("base.qcow2");
        run("qemu-img", &["convert", "-c", "-f", "raw", "-O", "qcow2", text(disk), text(&base)]);
        run("qemu-img", &["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", text(&path)]);
    }
    let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2"];
    arguments.extend(row.convert);
    arguments.extend([text(disk), text(&path)]);
    if row.convert != ["backing"] {
        run("qemu-img", &arguments);
    }
    for command in row.then {
        let mut arguments = command[1..].to_vec();
        if command[0] == "qemu-io" {
            arguments.extend(["-f", "qcow2"]);
        }
        arguments.push(text(&path));
        run(command[0], &arguments);
    }
    path
}

fn check(path: &Path, expected: &[u8], what: &str) {
    run("qemu-img", &["check", "-q", "-f", "qcow2", text(path)]);
    let raw = file(path.parent().unwrap(), "expected.raw", expected);
    run("qemu-img", &["compare", "-q", "-f", "raw", "-F", "qcow2", text(&raw), text(path)]);
    let disk = Qcow2Source::open(path).unwrap();
    assert_same(&read_all(&disk), expected, what);
    assert_ranges(&disk, expected, what);
}

#[test]
fn every_kind_of_source_edited_at_random() {
    edited_at_random(ROWS.iter().step_by(2));
}

#[test]
fn every_other_kind_of_source_edited_at_random() {
    edited_at_random(ROWS.iter().skip(1).step_by(2));
}

fn edited_at_random<'a>(rows: impl Iterator<Item = &'a Row>) {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = scratch();
    let disk = file(directory.path(), "disk.raw", &pattern(SIZE, 41));
    let mut random = Random(99);
    for row in rows {
        let path = make(row, directory.path(), &disk);
        let before = std::fs::read(&path).unwrap();
        let within = Backing::Within(directory.path().to_owned());
        let source = Qcow2Source::open_with(&path, &within).unwrap();
        let original = read_all(&source);
        let out = directory.path().join("out.qcow2");
        for (edits, grown, compress) in [(0, 0, true), (12, 0, true), (5, 3_000_000, false)] {
            let what = format!("{}, {edits} edits, {grown} bytes more, compressed {compress}", row.name);
            let mut model = original.clone();
            model.resize(SIZE + grown / 512 * 512, 0);
            let edited = Overlay::with_size(&source, model.len() as u64);
            edit(&edited, &mut model, edits, &mut random);
            let changed = edited.changed_ranges(0..u64::MAX);
            let options = RewriteOptions { compress, ..RewriteOptions::default() };
            let result = rewrite(&source, &edited, &changed, &out, &options);
            check(&out, &model, &what);
            let bytes = std::fs::read(&out).unwrap();
            assert_eq!(bytes.len() as u64, result.written.file_size, "{what}");
            assert_eq!(result.snapshots_dropped, if row.name == "snapshot" { 2 } else { 0 }, "{what}");
            rewrite(&source, &edited, &changed, &out, &RewriteOptions { threads: 5, ..options });
            assert_same(&std::fs::read(&out).unwrap(), &bytes, &format!("{what}, 5 threads"));
            if row.pristine || result.snapshots_dropped > 0 {
                Account::of(&out).assert_no_residue(&what);
            }
            rewrite(&source, &edited, &changed, &out, &RewriteOptions { scrub: true, ..options });
            let what = format!("{what}, scrubbed");
            if row.pristine {
                assert_same(&std::fs::read(&out).unwrap(), &bytes, &what);
            } else {
                check(&out, &model, &what);
                Account::of(&out).assert_no_residue(&what);
            }
        }
        assert_same(&std::fs::read(&path).unwrap(), &before, row.name);
    }
}

#[test]
fn what_did_not_change_is_taken_over() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let original = pattern(SIZE, 43);
    let disk = file(directory.path(), "disk.raw", &original);
    for name in ["v3-zlib", "v3-zlib-shuffled", "v3-zstd", "v3-plain", "zlib-2M"] {
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let path = make(row, directory.path(), &disk);
        let source = Qcow2Source::open(&path).unwrap();
        let out = directory.path().join("out.qcow2");
        let edited = Overlay::new(&source);
        hardtack_disk::BlockWrite::write_at(&edited, 3_000_000, b"one edit").unwrap();
        let changed = edited.changed_ranges(0..u64::MAX);
        let result = rewrite(&source, &edited, &changed, &out, &RewriteOptions::default());
        let (old, new) = (Account::of(&path), Account::of(&out));
        // One cluster for the edit, and the last one, behind which the disk ends.
        let total = result.kept + result.renewed;
        assert!(result.renewed <= 2 && total == new.live.len() as u64, "{name}: {result:?}");
        let kept = new.live.iter().filter(|live| {
            let before = old.live.iter().find(|old| old.index == live.index).unwrap();
            old.bytes[before.stored.clone()] == new.bytes[live.stored.clone()]
        });
        assert!(kept.count() as u64 >= result.kept, "{name}");

        // Ranges that claim too much change nothing but the time it takes.
        let all = [0..u64::MAX];
        let result = rewrite(&source, &edited, &all, &out, &RewriteOptions::default());
        let again = Account::of(&out);
        assert_eq!((result.kept, again.live.len()), (0, new.live.len()), "{name}");
        for (one, other) in again.live.iter().zip(&new.live) {
            assert!(again.bytes[one.stored.clone()] == new.bytes[other.stored.clone()], "{name}: {one:?}");
        }
    }
}

#[test]
fn damaged_sources_neither_panic_nor_grow() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let mut random = Random(1234);
    for (name, mutants) in [("v3-zlib", 300), ("v3-zstd", 150), ("plain-512", 100), ("extended-l2", 150)] {
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let disk = file(directory.path(), "disk.raw", &pattern(600 << 10, 3));
        let sound = std::fs::read(make(&Row { then: &[], ..*row }, directory.path(), &disk)).unwrap();
        let mut written = 0;
        for _ in 0..mutants {
            let mut bytes = sound.clone();
            for _ in 0..1 + random.below(3) {
                // The header, and the tables: words that are offsets.
                let at = match random.below(3) {
                    0 => random.below(112),
                    _ => random.below(bytes.len() as u64 / 8) * 8 + random.below(8),
                };
                bytes[at as usize] = random.next() as u8;
            }
            if random.below(10) == 0 {
                bytes.truncate(random.below(sound.len() as u64) as usize);
            }
            let path = file(directory.path(), "mutant.qcow2", &bytes);
            let Ok(source) = Qcow2Source::open(&path) else { continue };
            let disk = Overlay::new(&source);
            let _ = hardtack_disk::BlockWrite::write_at(&disk, 70_000, &[9; 10_000]);
            let mut out = AtomicFile::create(&directory.path().join("out")).unwrap();
            let options = RewriteOptions { scrub: random.below(2) == 0, threads: 2, ..Default::default() };
            let changed = disk.changed_ranges(0..u64::MAX);
            let result = write_qcow2_from(&source, &disk, &changed, &mut out, &options, &|_, _| {});
            if let Ok(result) = result {
                written += 1;
                let most = 2 * sound.len() as u64 + (result.kept + result.renewed + 64) * (64 << 10);
                assert!(out.file().metadata().unwrap().len() <= most + result.written.virtual_size / 4096);
            }
        }
        assert!(written > 10, "{name}: {written} mutants could be read");
    }
}

#[test]
fn a_shorter_disk_and_a_huge_one() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = scratch();
    let original = pattern(SIZE, 47);
    let disk = file(directory.path(), "disk.raw", &original);
    let path = make(&ROWS[1], directory.path(), &disk);
    let source = Qcow2Source::open(&path).unwrap();
    let out = directory.path().join("out.qcow2");
    let shorter = hardtack_disk::Window::new(&source, 0..3_000_320).unwrap();
    rewrite(&source, &shorter, &[], &out, &RewriteOptions::default());
    check(&out, &original[..3_000_320], "shorter");
    Account::of(&out).assert_no_residue("shorter");

    let huge = Overlay::with_size(&source, 20 << 40);
    hardtack_disk::BlockWrite::write_at(&huge, (20 << 40) - 1, &[7]).unwrap();
    let changed = huge.changed_ranges(0..u64::MAX);
    let result = rewrite(&source, &huge, &changed, &out, &RewriteOptions::default());
    assert_eq!(result.written.virtual_size, 20 << 40);
    run("qemu-img", &["check", "-q", "-f", "qcow2", text(&out)]);
    let grown = Qcow2Source::open(&out).unwrap();
    let data = grown.data_ranges(SIZE as u64 + 65_536..20 << 40).unwrap();
    assert_eq!(data, [(20 << 40) - 65_536..20 << 40]);
    let mut start = vec![1; SIZE + 100_000];
    grown.read_at(0, &mut start).unwrap();
    assert_same(&start[..SIZE], &original, "the beginning of the huge disk");
    assert!(start[SIZE..].iter().all(|byte| *byte == 0));
}
