//! Damaged FAT file systems and tables: an answer or an error, never a panic or a hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hardtack_disk::{BlockWrite, Overlay};
use hardtack_guest::{FileType, Guest, GuestPath, Tree, free_map};

use crate::disk::{Bench, EPOCH, ESP, Part, ROOT_X86_64, tools};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

#[test]
fn mutated_fat_and_fstab_never_panic_or_hang() {
    if !tools() {
        return;
    }
    for (bits, mib) in [("12", 2), ("16", 16), ("32", 40)] {
        let bench = Bench::new();
        let esp = bench.esp("esp", mib, &["-F", bits, "-s", "1"]);
        let root = bench.root("root", &[], "/dev/vda15 /boot/efi vfat nofail 0 0\n");
        let path = bench.gpt(
            "disk",
            &[
                Part { number: 15, kind: ESP, name: "", content: Some(esp) },
                Part { number: 1, kind: ROOT_X86_64, name: "", content: Some(root) },
            ],
        );
        let source: Arc<[u8]> = std::fs::read(&path).unwrap().into();
        let mut random = Random(0xfeed + u64::from(bits.as_bytes()[0]));
        for round in 0..150 {
            let disk = Arc::new(Overlay::new(Shared(source.clone())));
            for _ in 0..1 + random.below(3) {
                // The boot sector, the start of the tables, and the first directories.
                let at = match random.below(4) {
                    0 => random.below(90),
                    1 => 512 * 32 + random.below(4096),
                    2 => 512 + random.below(1024),
                    _ => random.below(mib * 1024 * 1024 / 4),
                };
                let value = [[0xff; 4], [0; 4], [1, 0, 0, 0], [0x0f; 4]][random.below(4) as usize];
                disk.write_at(1024 * 1024 + at, &value[..1 + random.below(4) as usize]).unwrap();
            }
            let begun = Instant::now();
            let free = free_map(disk.clone()).unwrap().ranges;
            assert!(free.last().is_none_or(|last| last.end <= source.len() as u64));
            assert!(free.windows(2).all(|pair| pair[0].end < pair[1].start));
            if let Ok(guest) = Guest::open(disk, EPOCH) {
                walk(&guest, &GuestPath::new("/boot/efi"), 0);
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "FAT{bits}: round {round}");
        }
    }
}

#[test]
fn no_damage_of_a_table_or_an_ext4_makes_a_map_of_nonsense() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let root = bench.root("root", &["-b", "1024"], "");
    let path = bench.gpt("disk", &[Part { number: 1, kind: ROOT_X86_64, name: "", content: Some(root) }]);
    let source: Arc<[u8]> = std::fs::read(&path).unwrap().into();
    let length = source.len() as u64;
    let mut random = Random(0xbeef);
    for round in 0..400 {
        let disk = Arc::new(Overlay::new(Shared(source.clone())));
        for _ in 0..1 + random.below(3) {
            // The tables, the superblock, descriptors and bitmaps.
            let at = match random.below(5) {
                0 => random.below(1536),
                1 => length - 1 - random.below(1536),
                2 => 1024 * 1024 + 1024 + random.below(1024),
                3 => 1024 * 1024 + 2048 + random.below(2048),
                _ => 1024 * 1024 + random.below(length / 8),
            };
            let value = [[0xff; 4], [0; 4], [1, 0, 0, 0], [0x0f; 4]][random.below(4) as usize];
            let count = (1 + random.below(4)).min(length - at) as usize;
            disk.write_at(at, &value[..count]).unwrap();
        }
        let begun = Instant::now();
        let free = free_map(disk).unwrap().ranges;
        assert!(free.last().is_none_or(|last| last.end <= length), "round {round}");
        assert!(free.windows(2).all(|pair| pair[0].end < pair[1].start), "round {round}");
        // The primary table, the boot sector, the superblock.
        let used = [0..34 * 512, 1024 * 1024 + 1024..1024 * 1024 + 2048, length - 512..length];
        assert!(
            !free.iter().any(|free| used.iter().any(|used| free.start < used.end && used.start < free.end)),
            "round {round}: {free:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(30), "round {round}");
    }
}

/// Shared by all rounds: the disk is not copied for each.
struct Shared(Arc<[u8]>);

impl hardtack_disk::BlockSource for Shared {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        let bytes = usize::try_from(offset).ok().and_then(|at| self.0.get(at..at.checked_add(buf.len())?));
        match bytes {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(hardtack_disk::Error::OutOfRange {
                offset,
                length: buf.len() as u64,
                size: self.0.len() as u64,
            }),
        }
    }
}

fn walk(guest: &Guest, path: &GuestPath, depth: usize) {
    let Ok(entries) = guest.read_dir(path) else { return };
    for entry in entries.iter().take(40) {
        let child = GuestPath::new(&format!("{path}/{}", entry.name));
        let _ = guest.lstat(&child);
        if entry.kind == FileType::Directory && depth < 3 {
            walk(guest, &child, depth + 1);
        } else {
            let _ = guest.read_at(&child, 0, &mut [0; 4096]);
            let _ = guest.read_at(&child, 50_000, &mut [0; 4096]);
        }
    }
}
