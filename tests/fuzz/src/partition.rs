//! Partition tables and what partitions hold: read, and grown on a larger disk.

use hardtack_disk::{BlockSource, BlockWrite, Overlay, Window};
use hardtack_partition::{FsKind, Repair, grow_partition, read_table};

use crate::base::{Mutant, Packed, packed};
use crate::checksums;

/// `bases/make.sh` says what they are.
pub(crate) static BASES: [Packed; 7] = [
    packed(include_bytes!("../bases/disk-gpt.zst")),
    packed(include_bytes!("../bases/disk-gpt-hybrid.zst")),
    packed(include_bytes!("../bases/disk-gpt-4096.zst")),
    packed(include_bytes!("../bases/disk-mbr.zst")),
    packed(include_bytes!("../bases/disk-mbr-logical.zst")),
    packed(include_bytes!("../bases/ext4-1k-csum.zst")),
    packed(include_bytes!("../bases/disk-none.zst")),
];

/// Damaged tables.
pub fn partition(input: &[u8]) {
    let Some(mutant) = Mutant::read(&BASES, input) else { return };
    let mut bytes = mutant.bytes();
    if mutant.repaired {
        checksums::gpt(&mut bytes);
    }
    let length = bytes.len() as u64;
    let _ = FsKind::detect(&bytes);
    let Ok(table) = read_table(&bytes) else { return };
    for partition in table.partitions.iter().take(16) {
        let range = partition.range.clone();
        assert!(range.start <= range.end && range.end <= length, "{range:?} of {length}");
        let window = Window::new(&bytes, range).expect("it lies inside");
        let _ = FsKind::detect(&window);
        for (repair, size) in [
            (Repair::Refuse, length + (1 << 20)),
            (Repair::FromSoundHalf, length + 512),
            (Repair::Refuse, length),
        ] {
            let disk = Overlay::with_size(&bytes, size);
            grow(&disk, length, partition.number, partition.range.start, repair);
        }
    }
}

fn grow(disk: &dyn BlockWrite, old: u64, number: u32, start: u64, repair: Repair) {
    let Ok(growth) = grow_partition(disk, old, number, repair) else { return };
    let _ = growth.describe();
    assert!(growth.new.end <= disk.len() && growth.new.start == start, "{growth:?}");
    let disk: &dyn BlockSource = &disk;
    let table = read_table(disk).expect("a table that was grown can be read");
    let now = table.partitions.iter().find(|partition| partition.number == number);
    assert_eq!(now.map(|partition| partition.range.clone()), Some(growth.new));
}
