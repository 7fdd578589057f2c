//! A base that cannot even be opened finds nothing: each is read, and edited, as it is.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use hardtack_disk::{Backing, BlockSource, Overlay, Qcow2Source, SourceOptions, open_source_with};
use hardtack_ext4::Ext4;
use hardtack_guest::{Guest, GuestPath, Tree, Volumes};
use hardtack_partition::read_table;

use crate::base::{Mutant, Packed};
use crate::file::{MemoryFile, SCRATCH};
use crate::{EPOCH, bundle, checksums, container, ext4, fat, partition, qcow2};

/// All bases of a target, as an input without patches names them.
fn mutants(bases: &'static [Packed]) -> impl Iterator<Item = (usize, Mutant<'static>)> {
    static NUMBERS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    (0..bases.len()).map(move |number| (number, Mutant::read(bases, &NUMBERS[number..=number]).unwrap()))
}

#[test]
fn file_systems_open_and_take_edits() {
    for (number, mutant) in mutants(&ext4::CLEAN).chain(mutants(&ext4::UNCLEAN)) {
        // Checksums that are right already stay as they are.
        let disk = Arc::new(Overlay::new(mutant.base));
        checksums::ext4(&*disk);
        let mut fs = Ext4::open(disk, EPOCH).unwrap_or_else(|error| panic!("base {number}: {error}"));
        assert_eq!(fs.read_only_reason(), None, "base {number}");
        for path in ["/etc/motd", "/etc/shadow", "/etc/slow-link", "/big", "/sparse", "/many"] {
            assert!(fs.lstat(path).unwrap().is_some(), "base {number}: {path}");
        }
        assert!(fs.xattrs("/etc/shadow").unwrap().len() > 1, "base {number}");
        fs.set_content("/big", &[4; 20_000]).unwrap();
        fs.remove("/many/an-entry-with-quite-a-long-name-109").unwrap();
        fs.finish().unwrap();
    }
}

#[test]
fn unclean_file_systems_have_something_to_replay() {
    for (number, mutant) in mutants(&ext4::UNCLEAN) {
        let disk = Arc::new(Overlay::new(mutant.base));
        let fs = Ext4::open(disk.clone(), EPOCH).unwrap();
        assert!(disk.changed_bytes() > 0, "base {number} was recovered by writing nothing");
        let replayed = if number < 5 { "/dir-0/moved" } else { "/etc" };
        assert!(fs.lstat(replayed).unwrap().is_some(), "base {number}: {replayed}");
    }
}

#[test]
fn images_open() {
    for (number, mutant) in mutants(&qcow2::BASES) {
        let file = MemoryFile::new(&mutant.bytes());
        let disk = Qcow2Source::open_with(&file.path(), &Backing::Refuse).unwrap();
        assert!(
            disk.len() >= 128 << 10 && !disk.data_ranges(0..disk.len()).unwrap().is_empty(),
            "base {number}"
        );
    }
}

#[test]
fn containers_hold_a_disk() {
    for (number, mutant) in mutants(&container::BASES) {
        let mut bytes = mutant.bytes();
        let sound = bytes.clone();
        checksums::tar(&mut bytes);
        checksums::vhd(&mut bytes);
        let file = MemoryFile::new(&bytes);
        let options =
            SourceOptions { scratch: Some(SCRATCH.into()), limit: Some(4 << 20), ..SourceOptions::default() };
        let opened = open_source_with(&file.path(), &options);
        let opened = opened.unwrap_or_else(|error| panic!("base {number}: {error}"));
        let mut head = [0; 512];
        opened.source.read_at(0, &mut head).unwrap();
        // Its MBR, or the file system of the qcow2 image in a tar file.
        assert!(head[510..] == [0x55, 0xaa] || opened.describe().contains("qcow2"), "base {number}");
        assert!(bytes == sound || number == 5 || number == 6, "base {number}: its checksums were right");
    }
}

#[test]
fn tables_have_partitions() {
    for (number, mutant) in mutants(&partition::BASES) {
        let mut bytes = mutant.bytes();
        checksums::gpt(&mut bytes);
        assert!(bytes == mutant.base.bytes, "base {number}: its checksums were right");
        assert!(!read_table(&bytes).unwrap().partitions.is_empty(), "base {number}");
    }
}

#[test]
fn efi_system_partitions_are_mounted() {
    for (number, mutant) in mutants(&fat::BASES) {
        let mut guest = Guest::open(Arc::new(Overlay::new(mutant.base)), EPOCH).unwrap();
        let file = GuestPath::new("/boot/efi/EFI/debian/grub.cfg");
        assert!(guest.lstat(&file).unwrap().is_some(), "base {number}");
        let (fs, _) = guest.volume(&file).unwrap();
        assert_eq!(fs.read_only(), None);
        assert!(fs.describe().contains("FAT"), "{}", fs.describe());
    }
}

#[test]
fn bundles_of_the_seeds_are_read_to_their_end() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for name in ["plain", "sparse", "map"] {
        let input = std::fs::read(seeds.join("bundle").join(name)).unwrap();
        assert!(bundle::is_good(&input), "{name}");
    }
    for name in ["signed", "unsigned"] {
        let text = std::fs::read(seeds.join("manifest").join(name)).unwrap();
        assert!(hardtack_bundle::Manifest::parse(&text, Path::new(name)).is_ok(), "{name}");
    }
}
