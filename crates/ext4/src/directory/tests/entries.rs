//! The entries of one region.

use crate::directory::entry::{self, Target, entries, insert, needed, remove};

const INODES: u32 = 1000;

fn names_in(region: &[u8], block_size: usize) -> Vec<String> {
    entries(region, block_size, INODES)
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.inode != 0)
        .map(|entry| String::from_utf8_lossy(entry.name).into_owned())
        .collect()
}

fn target(name: &[u8]) -> Target<'_> {
    Target { name, inode: 12, tag: 1 }
}

#[test]
fn names_come_and_go_without_a_trace() {
    for size in [56_usize, 1012, 1024, 4084, 65524, 65536] {
        let block_size = size.next_power_of_two();
        let mut region = vec![0xaa; size];
        entry::clear(&mut region);
        let empty = region.clone();
        for name in ["one", "second", "the-third-name"] {
            assert!(insert(&mut region, block_size, INODES, target(name.as_bytes())).unwrap(), "{size}");
        }
        assert_eq!(names_in(&region, block_size), ["one", "second", "the-third-name"], "{size}");
        let at = needed(3);
        remove(&mut region, block_size, INODES, at).unwrap();
        assert_eq!(names_in(&region, block_size), ["one", "the-third-name"], "{size}");
        // The gap is used again.
        assert!(insert(&mut region, block_size, INODES, target(b"2nd")).unwrap());
        assert_eq!(names_in(&region, block_size), ["one", "2nd", "the-third-name"], "{size}");
        for at in [at, 0, at + needed(6)] {
            remove(&mut region, block_size, INODES, at).unwrap();
        }
        assert_eq!(names_in(&region, block_size), Vec::<String>::new(), "{size}");
        let letters = region.iter().filter(|byte| byte.is_ascii_lowercase()).count();
        assert_eq!(letters, 0, "{size}: residue");
        assert!(remove(&mut region, block_size, INODES, 4).is_err());
        assert_eq!(region.len(), empty.len());
    }
}

#[test]
fn a_full_region_says_so() {
    let mut region = vec![0; 56];
    entry::clear(&mut region);
    for (name, fits) in [(vec![b'x'; 40], true), (b"12345".to_vec(), false), (b"1".to_vec(), false)] {
        let done = insert(&mut region, 1024, INODES, target(&name)).unwrap();
        assert_eq!(done, fits, "{}", name.len());
    }
    assert!(!entry::pack(&mut region, [target(&[b'x'; 40]), target(b"1")]));
    assert!(entry::pack(&mut region, [target(&[b'x'; 36]), target(b"1")]));
    assert_eq!(names_in(&region, 1024).len(), 2);
}

#[test]
fn damaged_entries_are_refused() {
    for (what, at, bytes) in [
        ("a length of 0", 4, [0, 0].as_slice()),
        ("a length that is odd", 4, &[13, 0]),
        ("a length beyond the block", 4, &[0, 8]),
        ("a length that leaves a crumb", 4, &[0xf8, 3]),
        ("an inode too high", 0, &[0xe9, 3, 0, 0]),
        ("a name longer than its entry", 6, &[200]),
        ("no name", 6, &[0]),
    ] {
        let mut region = vec![0; 1024];
        entry::clear(&mut region);
        assert!(insert(&mut region, 1024, INODES, target(b"a")).unwrap());
        assert!(insert(&mut region, 1024, INODES, target(b"b")).unwrap());
        region[at..at + bytes.len()].copy_from_slice(bytes);
        let results: Vec<_> = entries(&region, 1024, INODES).collect();
        assert!(results.last().unwrap().is_err(), "{what}: {results:?}");
        assert!(insert(&mut region, 1024, INODES, target(&[b'c'; 255])).is_err(), "{what}");
        assert!(remove(&mut region, 1024, INODES, 12).is_err(), "{what}");
    }
}

#[test]
fn checksums_are_kept() {
    let mut block = vec![0; 1024];
    entry::clear(&mut block[..1012]);
    assert!(entry::verify(&block, 7).unwrap_err().contains("no room"));
    entry::seal(&mut block, 7);
    assert_eq!(entry::verify(&block, 7), Ok(()));
    assert!(entry::verify(&block, 8).unwrap_err().contains("checksum"));
    block[5] ^= 1;
    assert!(entry::verify(&block, 7).unwrap_err().contains("checksum"));
}
