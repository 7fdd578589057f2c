//! qcow2: opened, read, converted to raw, to qcow2, and to qcow2 with the clusters as they are stored.

use std::path::Path;

use hardtack_disk::{
    AtomicFile, Backing, BlockSource, BlockWrite, Overlay, Qcow2Options, Qcow2Source, RewriteOptions,
    write_qcow2, write_qcow2_from, write_raw,
};

use crate::base::{Mutant, Packed, packed};
use crate::file::{MemoryFile, SCRATCH};

/// `bases/make.sh` says what they are.
pub(crate) static BASES: [Packed; 8] = [
    packed(include_bytes!("../bases/qcow2-512.zst")),
    packed(include_bytes!("../bases/qcow2-4k-zstd.zst")),
    packed(include_bytes!("../bases/qcow2-64k.zst")),
    packed(include_bytes!("../bases/qcow2-v2.zst")),
    packed(include_bytes!("../bases/qcow2-extended.zst")),
    packed(include_bytes!("../bases/qcow2-refcount.zst")),
    packed(include_bytes!("../bases/qcow2-snapshot.zst")),
    packed(include_bytes!("../bases/qcow2-2m.zst")),
];

/// Bytes that are read and written of one image; sizes may be lies.
const MOST: u64 = 6 << 20;

/// A first byte that says: what follows is the image itself.
pub(crate) const WHOLE: u8 = 0xff;

/// Damaged images.
pub fn qcow2(input: &[u8]) {
    match input.split_first() {
        Some((&WHOLE, image)) => exercise(image),
        _ => {
            if let Some(mutant) = Mutant::read(&BASES, input) {
                exercise(&mutant.bytes());
            }
        }
    }
}

fn exercise(image: &[u8]) {
    let file = MemoryFile::new(image);
    let Ok(source) = Qcow2Source::open_with(&file.path(), &Backing::Refuse) else { return };
    let mut buffer = vec![0; 64 << 10];
    let length = source.len();
    for place in [0, length / 2, length.saturating_sub(buffer.len() as u64)] {
        let count = (length - place).min(buffer.len() as u64) as usize;
        let _ = source.read_at(place, &mut buffer[..count]);
    }
    let Ok(ranges) = source.data_ranges(0..length) else { return };
    let mut end = 0;
    let mut bytes = 0;
    for range in &ranges {
        assert!(
            range.start >= end && range.end > range.start && range.end <= length,
            "{range:?} after {end}"
        );
        end = range.end;
        bytes += range.end - range.start;
    }
    if bytes > MOST {
        return;
    }
    let is_readable = ranges.iter().all(|range| reads(&source, range.clone(), &mut buffer));
    convert(&source, is_readable && length <= MOST);
}

fn reads(disk: &dyn BlockSource, range: std::ops::Range<u64>, buffer: &mut [u8]) -> bool {
    let mut at = range.start;
    while at < range.end {
        let count = (range.end - at).min(buffer.len() as u64) as usize;
        if disk.read_at(at, &mut buffer[..count]).is_err() {
            return false;
        }
        at += count as u64;
    }
    true
}

/// Writes the image in all ways. What is sound must come out as it was.
fn convert(source: &Qcow2Source, is_sound: bool) {
    let output = || AtomicFile::create(&Path::new(SCRATCH).join("fuzz")).expect("a file in memory");
    let nobody = |_, _| {};
    let mut raw = output();
    let done = write_raw(source, &mut raw, 1, &nobody).is_ok();
    check(source, &raw, done, is_sound);
    let mut fresh = output();
    let options = Qcow2Options { cluster_size: 4096, ..Qcow2Options::default() };
    let done = write_qcow2(source, &mut fresh, &options, &nobody).is_ok();
    check(source, &fresh, done, is_sound);
    for (compress, scrub) in [(true, false), (false, true)] {
        let disk = Overlay::new(source);
        if source.len() >= 5000 {
            let _ = disk.write_at(4000, &[7; 1000]);
        }
        let mut rewritten = output();
        let changed = disk.changed_ranges(0..disk.len());
        let options = RewriteOptions { compress, scrub, threads: 1 };
        let done = write_qcow2_from(source, &disk, &changed, &mut rewritten, &options, &nobody).is_ok();
        check(&disk, &rewritten, done, is_sound);
    }
}

fn check(disk: &dyn BlockSource, output: &AtomicFile, done: bool, is_sound: bool) {
    // An empty disk can be written, but an empty file is no raw image.
    if !is_sound || !done || disk.is_empty() {
        return;
    }
    let written = output.read_back(&Backing::Refuse).expect("what was written can be opened");
    assert!(written.len() >= disk.len(), "{} bytes of {}", written.len(), disk.len());
    let (mut old, mut new) = (vec![0; disk.len() as usize], vec![0; disk.len() as usize]);
    if disk.read_at(0, &mut old).is_err() {
        return;
    }
    written.read_at(0, &mut new).expect("what was written can be read");
    assert!(old == new, "what was written differs from its source");
}
