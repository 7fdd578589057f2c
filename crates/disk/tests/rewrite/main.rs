//! An edited qcow2 image, written without compressing again what did not change: it reads right
//! everywhere, and holds nothing of what was there before.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

mod account;
#[path = "../common/mod.rs"]
mod common;
mod full;
mod matrix;
mod overlay;
mod residue;

use std::ops::Range;
use std::path::Path;

use common::Random;
use hardtack_disk::{
    AtomicFile, BlockSource, BlockWrite, Overlay, Qcow2Source, RewriteOptions, Rewritten, write_qcow2_from,
};

/// Writes `disk` to `path`, as an edited form of `source`.
fn rewrite(
    source: &Qcow2Source,
    disk: &dyn BlockSource,
    changed: &[Range<u64>],
    path: &Path,
    options: &RewriteOptions,
) -> Rewritten {
    let mut out = AtomicFile::create(path).unwrap();
    let result = write_qcow2_from(source, disk, changed, &mut out, options, &|_, _| {}).unwrap();
    out.commit(true).unwrap();
    result
}

/// Edits of all sizes at random places: zeros, text and noise; the same in `model`.
fn edit(disk: &Overlay<impl BlockSource>, model: &mut [u8], count: usize, random: &mut Random) {
    for _ in 0..count {
        let start = random.below(model.len() as u64) as usize;
        let length = (1 << random.below(18)).min(model.len() - start);
        let bytes: Vec<u8> = match random.below(3) {
            0 => vec![0; length],
            1 => b"an edit; ".iter().copied().cycle().take(length).collect(),
            _ => (0..length).map(|_| random.next() as u8).collect(),
        };
        disk.write_at(start as u64, &bytes).unwrap();
        model[start..start + length].copy_from_slice(&bytes);
    }
}
