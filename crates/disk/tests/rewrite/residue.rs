//! A secret that was in the source and is not on the disk is nowhere in the output.

use std::path::Path;

use hardtack_disk::{BlockSource, BlockWrite, Holes, Overlay, Qcow2Source, RewriteOptions};

use crate::account::Account;
use crate::common::{Random, file, have, pattern, read_all, run, text};
use crate::rewrite;

const SIZE: usize = 8 << 20;
const CLUSTER: usize = 65_536;
const SECRET: &[u8] = b"root:$y$j9T$Gb2Vx0pHq8Kz$uR7wQ1:20000:0:99999:7:::";

/// A disk with the secret in several clusters: alone in one that shrinks to less than a sector,
/// between two like it, in text, and in noise that does not shrink.
fn disk_with_secrets() -> (Vec<u8>, Vec<usize>) {
    let mut disk = pattern(SIZE, 51);
    let mut random = Random(5);
    let places = vec![10, 11, 12, 40, 60];
    for cluster in 8..15 {
        let at = cluster * CLUSTER;
        disk[at..at + CLUSTER].fill(0);
        disk[at] = cluster as u8;
    }
    disk[40 * CLUSTER..41 * CLUSTER].fill(b'x');
    disk[60 * CLUSTER..61 * CLUSTER].fill_with(|| random.next() as u8);
    for place in &places {
        let at = place * CLUSTER + 4096;
        disk[at..at + SECRET.len()].copy_from_slice(SECRET);
    }
    (disk, places)
}

fn make(directory: &Path, disk: &[u8], options: &[&str]) -> Qcow2Source {
    let raw = file(directory, "disk.raw", disk);
    let path = directory.join("source.qcow2");
    let mut arguments = vec!["convert", "-f", "raw", "-O", "qcow2"];
    arguments.extend(options);
    arguments.extend([text(&raw), text(&path)]);
    run("qemu-img", &arguments);
    Qcow2Source::open(&path).unwrap()
}

const KINDS: &[&[&str]] = &[
    &["-c"],
    &["-c", "-m", "16", "-W"],
    &["-c", "-o", "compression_type=zstd"],
    &["-c", "-o", "cluster_size=4k"],
    &["-c", "-o", "cluster_size=2M"],
    &[],
];

#[test]
fn a_superseded_secret_is_nowhere_in_the_output() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (disk, places) = disk_with_secrets();
    let out = directory.path().join("out.qcow2");
    for kind in KINDS {
        let source = make(directory.path(), &disk, kind);
        let old = Account::of(&directory.path().join("source.qcow2"));
        assert!(old.holds(SECRET), "{kind:?}: the secret is not in the source");
        let edited = Overlay::new(&source);
        for place in &places {
            edited.write_at((place * CLUSTER + 4096) as u64, &vec![b'-'; SECRET.len()]).unwrap();
        }
        let changed = edited.changed_ranges(0..u64::MAX);
        rewrite(&source, &edited, &changed, &out, &RewriteOptions::default());
        let new = Account::of(&out);
        new.assert_no_residue(&format!("{kind:?}"));
        assert!(!new.holds(SECRET), "{kind:?}");
        // Nor are the bytes that compressed clusters with the secret were stored as.
        for live in old.live.iter().filter(|live| live.compressed) {
            let bytes = &old.bytes[live.stored.clone()];
            let start = live.index as usize * old.inflated(live).len();
            let end = start + old.inflated(live).len();
            if places.iter().any(|place| (start..end).contains(&(place * CLUSTER + 4096))) {
                let tail = &bytes[bytes.len().saturating_sub(24)..];
                assert!(!new.holds(&bytes[..bytes.len().min(48)]), "{kind:?}: the beginning of {live:?}");
                assert!(!new.holds(tail), "{kind:?}: the end of {live:?}");
            }
        }
    }
}

#[test]
fn a_deleted_secret_in_blocks_that_nobody_owns_is_gone() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (mut disk, places) = disk_with_secrets();
    let out = directory.path().join("out.qcow2");
    for kind in KINDS {
        let source = make(directory.path(), &disk, kind);
        let free: Vec<_> = places
            .iter()
            .map(|place| (place * CLUSTER + 4096) as u64..(place * CLUSTER + 8192) as u64)
            .chain([20 * CLUSTER as u64..35 * CLUSTER as u64])
            .collect();
        let holed = Holes::new(&source, free.clone());
        rewrite(&source, &holed, &free, &out, &RewriteOptions::default());
        let new = Account::of(&out);
        new.assert_no_residue(&format!("{kind:?}"));
        assert!(!new.holds(SECRET), "{kind:?}");
        let mut expected = disk.clone();
        for range in free {
            expected[range.start as usize..range.end as usize].fill(0);
        }
        assert!(read_all(&Qcow2Source::open(&out).unwrap()) == expected, "{kind:?}");
    }
    disk.truncate(0);
}

#[test]
fn what_others_superseded_goes_with_scrub_and_with_snapshots() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (disk, _) = disk_with_secrets();
    let path = directory.path().join("source.qcow2");
    let out = directory.path().join("out.qcow2");
    for snapshot in [false, true] {
        make(directory.path(), &disk, &["-c"]);
        if snapshot {
            run("qemu-img", &["snapshot", "-c", "before", text(&path)]);
        }
        // All clusters with secrets, written by another program: the old bytes stay in the file.
        for cluster in [10, 11, 12, 40, 60] {
            let write = format!("write -P 0x2d {} {CLUSTER}", cluster * CLUSTER);
            run("qemu-io", &["-f", "qcow2", "-c", &write, text(&path)]);
        }
        let source = Qcow2Source::open(&path).unwrap();
        let options = RewriteOptions { scrub: !snapshot, ..RewriteOptions::default() };
        let result = rewrite(&source, &source, &[], &out, &options);
        assert_eq!(result.snapshots_dropped, u32::from(snapshot));
        let new = Account::of(&out);
        new.assert_no_residue(&format!("snapshot {snapshot}"));
        assert!(!new.holds(SECRET), "snapshot {snapshot}");
        assert!(read_all(&Qcow2Source::open(&out).unwrap()) == read_all(&source));
        assert_eq!(source.len(), SIZE as u64);
    }
}
