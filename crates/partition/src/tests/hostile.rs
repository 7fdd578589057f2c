use super::*;
use hardtack_disk::Overlay;

use crate::{Error, FsKind, Repair, grow_partition, read_table};

/// xorshift64*: the same mutants in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

/// CRC-32 as GPT has it, so that a mutated header is believed.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 != 0 { 0xedb8_8320 } else { 0 })
    })
}

#[test]
fn mutants_neither_panic_nor_allocate_by_claims() {
    if !have(&["sgdisk", "sfdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 4 * MIB);
    run("sgdisk", &["-n", "1:2048:4000", "-n", "14:4001:5000", text(&path)], "");
    let gpt = std::fs::read(&path).unwrap();
    let path = blank(directory.path(), 4 * MIB);
    run(
        "sfdisk",
        &[text(&path)],
        "label: dos\n1: start=64, size=64, type=83\n2: start=256, size=4096, type=5\n5: start=300, size=64\n6: start=600, size=64\n",
    );
    let mbr = std::fs::read(&path).unwrap();

    let mut read = 0;
    let mut disk = Vec::new();
    for number in 0..4000_u64 {
        let mut random = Random(number * 2 + 1);
        random.below(2);
        let (seed, places) = if number % 2 == 0 {
            (&gpt, [446, 512, 1024])
        } else {
            (&mbr, [446, 256 * 512 + 446, 400 * 512])
        };
        disk.clone_from(seed);
        for _ in 0..1 + random.below(3) {
            let at = places[random.below(3) as usize] + random.below(96) as usize;
            match random.below(3) {
                0 => disk[at] ^= 1 << random.below(8),
                1 => disk[at] = random.below(256) as u8,
                _ => disk[at..at + 4].fill(0xff),
            }
        }
        if number % 4 == 0 {
            // Believed: the header's own checksum holds, and that of the entries half the time.
            if number % 8 == 0 {
                let sum = crc32(&disk[1024..1024 + 128 * 128]);
                disk[512 + 88..512 + 92].copy_from_slice(&sum.to_le_bytes());
            }
            disk[512 + 16..512 + 20].fill(0);
            let sum = crc32(&disk[512..512 + 92]);
            disk[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
        }
        if random.below(8) == 0 {
            disk.truncate(random.below(4096) as usize * 16);
        }
        let length = disk.len() as u64;
        if let Ok(table) = read_table(&disk) {
            read += 1;
            for partition in &table.partitions {
                assert!(
                    partition.range.start <= partition.range.end && partition.range.end <= length,
                    "mutant {number}"
                );
            }
        }
        FsKind::detect(&disk).unwrap();
    }
    assert!(read > 1000, "only {read} mutants had a table: the test misses it");
}

/// A header that the reader refuses although its checksums hold is never copied over the sound half.
#[test]
fn a_header_that_cannot_be_read_is_not_grown() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 4 * MIB);
    run("sgdisk", &["-n", "1:2048:4000", text(&path)], "");
    let bytes = std::fs::read(&path).unwrap();
    // The usable sectors, and the header's own length.
    for (at, value, size) in [(44, 1, 92), (52, 1, 92), (12, 143, 143)] {
        let mut bytes = bytes.clone();
        bytes[512 + at] = value;
        bytes[512 + 16..512 + 20].fill(0);
        let sum = crc32(&bytes[512..512 + size]);
        bytes[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
        let length = bytes.len() as u64;
        assert_eq!(read_table(&bytes).unwrap().partitions.len(), 1);
        let disk = Overlay::with_size(&bytes, length + MIB);
        let refused = grow_partition(&disk, length, 1, Repair::Refuse);
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
        assert_eq!(disk.changed_bytes(), 0);
    }
    // Sound again, it grows.
    let length = bytes.len() as u64;
    let disk = Overlay::with_size(&bytes, length + MIB);
    assert!(grow_partition(&disk, length, 1, Repair::Refuse).unwrap().gained() > 0);
}

/// A chain of tables without partitions ends where the kernel ends it, whatever its length.
#[test]
fn a_chain_of_empty_tables_ends() {
    let links = 60_000;
    let mut disk = vec![0; (links + 2) * 512];
    let mut put = |sector: usize, kind: u8, first: u32| {
        let at = sector * 512;
        disk[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
        disk[at + 446 + 4] = kind;
        disk[at + 446 + 8..at + 446 + 12].copy_from_slice(&first.to_le_bytes());
        disk[at + 446 + 12..at + 446 + 16].copy_from_slice(&1_u32.to_le_bytes());
    };
    put(0, 5, 1);
    for link in 1..links {
        put(link, 5, link as u32);
    }
    put(links, 0x83, 1);
    let table = read_table(&disk).unwrap();
    assert!(table.partitions.is_empty(), "{table:?}");
    assert!(table.warnings.iter().any(|warning| warning.contains("empty tables")), "{:?}", table.warnings);
    assert!(grow_partition(&Overlay::new(&disk), disk.len() as u64, 5, Repair::Refuse).is_err());
}
