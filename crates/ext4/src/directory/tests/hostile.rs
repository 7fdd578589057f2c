//! Damaged directories: an error or an answer, in time, never a panic.

use super::{Tree, names};

use crate::Error;
use crate::bytes::{put, u16_at};
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// Everything that can be asked of a directory; the volume is as before afterwards.
fn exercise(volume: &mut Volume, directory: &Inode, file: u32) {
    let _ = volume.list_names(directory);
    let _ = volume.find_name(directory, b"file-000001.conf");
    let _ = volume.find_name(directory, b"nobody");
    for name in [b"new".to_vec(), vec![b'x'; 255]] {
        let _ = volume.insert_name(&mut directory.clone(), &name, file, 1);
    }
    let _ = volume.remove_name(&mut directory.clone(), b"file-000006.conf");
    let _ = volume.retarget_name(&mut directory.clone(), b"..", 11, 2);
    volume.rollback().unwrap();
}

/// A directory of two levels without checksums.
fn two_levels() -> Tree {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], 16, 1);
    let file = tree.file_of(0);
    for number in 0..700 {
        let name = format!("file-{number:06}.conf{}", "n".repeat(180));
        tree.insert(name.as_bytes(), file);
    }
    tree.commit_clean("two levels");
    tree
}

fn write_at(tree: &mut Tree, logical: u32, at: usize, bytes: &[u8]) {
    let physical = tree.volume.directory_block_place(&tree.directory, logical).unwrap();
    let mut block = tree.volume.read_block(physical).unwrap();
    put(&mut block, at, bytes);
    tree.volume.write_block(physical, block).unwrap();
}

#[test]
fn damaged_indexes_are_read_as_lists_and_not_written() {
    let name = format!("file-000001.conf{}", "n".repeat(180)).into_bytes();
    for (what, logical, at, bytes) in [
        ("an unknown hash", 0, 28, [6].as_slice()),
        ("a long info", 0, 29, &[16]),
        ("200 levels", 0, 30, &[200]),
        ("unknown flags", 0, 31, &[1]),
        ("room for too many", 0, 32, &[0xff, 0xff]),
        ("no entries", 0, 34, &[0, 0]),
        ("too many entries", 0, 34, &[0xff, 0xff]),
        ("a way back to the root", 0, 36, &[0, 0, 0, 0]),
        ("a way to nowhere", 0, 36, &[0xff, 0xff, 0xff, 0]),
    ] {
        let mut tree = two_levels();
        let levels = if what == "200 levels" { 1 } else { 0 };
        assert!(levels == 1 || tree.directory.has(flag::INDEX));
        write_at(&mut tree, logical, at, bytes);
        let found = tree.volume.find_name(&tree.directory, &name).unwrap();
        assert!(found.is_some(), "{what}: the list still holds it");
        assert_eq!(tree.listed().len(), 700, "{what}");
        let file = tree.file_of(0);
        let done = tree.volume.insert_name(&mut tree.directory.clone(), b"new", file, 1);
        let refused = matches!(done, Err(Error::Damaged(_) | Error::Unsupported(_)));
        // The first way is not everybody's.
        assert!(refused || what.starts_with("a way"), "{what}: {done:?}");
    }
}

#[test]
fn an_index_in_a_circle_ends() {
    let mut tree = two_levels();
    let root = tree.volume.directory_block_place(&tree.directory, 0).unwrap();
    let bytes = tree.volume.read_block(root).unwrap();
    let node = u16_at(&bytes, 36);
    // The node leads to itself everywhere.
    let physical = tree.volume.directory_block_place(&tree.directory, node.into()).unwrap();
    let mut bytes = tree.volume.read_block(physical).unwrap();
    for at in (12..1024).step_by(8) {
        put(&mut bytes, at, &u32::from(node).to_le_bytes());
    }
    tree.volume.write_block(physical, bytes).unwrap();
    tree.volume.commit().unwrap();
    let (directory, file) = (tree.directory.clone(), tree.file_of(0));
    exercise(&mut tree.volume, &directory, file);
    assert_eq!(tree.listed().len(), 700);
}

#[test]
fn sizes_that_lie_are_refused() {
    let mut tree = two_levels();
    let file = tree.file_of(0);
    for size in [0, 1, 1023, 1 << 31, u64::from(u32::MAX) & !1023, 1 << 40, u64::MAX] {
        let mut directory = tree.directory.clone();
        directory.set_size(size);
        exercise(&mut tree.volume, &directory, file);
        let done = tree.volume.insert_name(&mut directory, &[b'x'; 255], file, 1);
        assert!(done.is_err() || size >= 1 << 31, "{size}: {done:?}");
        tree.volume.rollback().unwrap();
    }
}

#[test]
fn checksums_of_names_and_nodes_are_verified() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024"], 16, 1);
    let file = tree.file_of(0);
    for name in names(300) {
        tree.insert(&name, file);
    }
    tree.volume.commit().unwrap();
    for logical in 0..u32::try_from(tree.directory.size() / 1024).unwrap() {
        let physical = tree.volume.directory_block_place(&tree.directory, logical).unwrap();
        let mut block = tree.volume.read_block(physical).unwrap();
        block[100] ^= 0x20;
        tree.volume.write_block(physical, block).unwrap();
        let listed = tree.volume.list_names(&tree.directory);
        assert!(
            matches!(&listed, Err(Error::Damaged(text)) if text.contains("checksum")),
            "{logical}: {listed:?}"
        );
        tree.volume.rollback().unwrap();
    }
}

/// Numbers below the one given, always the same.
fn random() -> impl FnMut(u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[test]
fn random_damage_to_inline_directories_never_panics() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024", "-O", "inline_data,^metadata_csum"], 16, 1);
    let file = tree.file_of(0);
    for number in 0..3 {
        tree.insert(format!("file-{number:06}.conf").as_bytes(), file);
    }
    assert!(tree.directory.has(flag::INLINE_DATA) && tree.directory.size() > 60);
    tree.volume.commit().unwrap();
    let mut random = random();
    let mut refused = 0;
    for _ in 0..2000 {
        let mut directory = tree.directory.clone();
        for _ in 0..=random(4) {
            // i_block, or what lies behind the extra fields.
            let at = if random(2) == 0 { 0x28 + random(60) } else { 0xa0 + random(96) };
            let byte = [0, 1, 4, 12, 0x7f, 0xff, 56][usize::try_from(random(7)).unwrap()];
            put(&mut directory.raw, usize::try_from(at).unwrap(), &[byte]);
        }
        refused += usize::from(tree.volume.list_names(&directory).is_err());
        exercise(&mut tree.volume, &directory, file);
    }
    assert!((100..2000).contains(&refused), "{refused}");
}

#[test]
fn random_damage_never_panics() {
    let mut tree = two_levels();
    let file = tree.file_of(0);
    let blocks = tree.directory.size() / 1024;
    let mut random = random();
    for _ in 0..400 {
        for _ in 0..=random(6) {
            let logical = u32::try_from(if random(2) == 0 { random(3) } else { random(blocks) }).unwrap();
            let at = usize::try_from(if random(2) == 0 { random(48) } else { random(1024) }).unwrap();
            let byte = [0, 1, 4, 12, 0x7f, 0xff, 0xf4][usize::try_from(random(7)).unwrap()];
            write_at(&mut tree, logical, at, &[byte]);
        }
        let directory = tree.directory.clone();
        exercise_pending(&mut tree, &directory, file);
    }
}

/// As [`exercise`], with the damage of this operation: each step starts from it again.
fn exercise_pending(tree: &mut Tree, directory: &Inode, file: u32) {
    let _ = tree.volume.find_name(directory, b"nobody");
    let _ = tree.volume.insert_name(&mut directory.clone(), &[b'x'; 255], file, 1);
    exercise(&mut tree.volume, directory, file);
}
