//! Containers: looked into, unpacked, read.

use hardtack_disk::{BlockSource, SourceOptions, open_source_with};

use crate::base::{Mutant, Packed, packed};
use crate::checksums;
use crate::file::{MemoryFile, SCRATCH};
use crate::qcow2::WHOLE;

/// `bases/make.sh` says what they are.
pub(crate) static BASES: [Packed; 14] = [
    packed(include_bytes!("../bases/disk.gz.zst")),
    packed(include_bytes!("../bases/disk.xz.zst")),
    packed(include_bytes!("../bases/disk.zst.zst")),
    packed(include_bytes!("../bases/disk.bz2.zst")),
    packed(include_bytes!("../bases/disk.tar.zst")),
    packed(include_bytes!("../bases/disk.pax.zst")),
    packed(include_bytes!("../bases/disk.sparse.zst")),
    packed(include_bytes!("../bases/disk.tgz.zst")),
    packed(include_bytes!("../bases/disk.cpio.zst")),
    packed(include_bytes!("../bases/disk.rpm.zst")),
    packed(include_bytes!("../bases/disk.stream.vmdk.zst")),
    packed(include_bytes!("../bases/disk.sparse.vmdk.zst")),
    packed(include_bytes!("../bases/disk.dynamic.vhd.zst")),
    packed(include_bytes!("../bases/disk.fixed.vhd.zst")),
];

/// Bytes that one input may unpack to, and that are read of it.
const MOST: u64 = 4 << 20;

/// Damaged containers.
pub fn container(input: &[u8]) {
    match input.split_first() {
        Some((&WHOLE, bytes)) => exercise(bytes),
        _ => {
            let Some(mutant) = Mutant::read(&BASES, input) else { return };
            let mut bytes = mutant.bytes();
            if mutant.repaired {
                checksums::tar(&mut bytes);
                checksums::vhd(&mut bytes);
            }
            exercise(&bytes);
        }
    }
}

fn exercise(bytes: &[u8]) {
    let file = MemoryFile::new(bytes);
    for member in [None, Some("disk.img".to_owned())] {
        let options = SourceOptions {
            scratch: Some(SCRATCH.into()),
            limit: Some(MOST),
            member,
            ..SourceOptions::default()
        };
        let Ok(opened) = open_source_with(&file.path(), &options) else { continue };
        let _ = opened.describe();
        let _ = opened.source.snapshots();
        read(&opened.source);
    }
}

fn read(disk: &dyn BlockSource) {
    let mut buffer = vec![0; 64 << 10];
    let length = disk.len();
    let tail = length.min(4096);
    let _ = disk.read_at(length - tail, &mut buffer[..tail as usize]);
    let mut left = MOST;
    let mut end = 0;
    for range in disk.data_ranges(0..length).unwrap_or_default() {
        assert!(
            range.start >= end && range.end > range.start && range.end <= length,
            "{range:?} after {end}"
        );
        end = range.end;
        let mut at = range.start;
        while at < range.end && left > 0 {
            let count = (range.end - at).min(buffer.len() as u64).min(left);
            let _ = disk.read_at(at, &mut buffer[..count as usize]);
            at += count;
            left -= count;
        }
    }
}
