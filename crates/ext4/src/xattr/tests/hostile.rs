//! Tables, blocks and value inodes that lie.

use super::*;
use crate::bytes::{put, u16_at};
use crate::xattr::entry::{self, Entry, Value};

/// Tables with single faults.
#[test]
fn hostile_tables_are_refused() {
    let entries = vec![
        Entry { index: 1, name: b"one".to_vec(), value: Value::Here(vec![1; 10]) },
        Entry { index: 6, name: b"two".to_vec(), value: Value::Here(vec![2; 20]) },
    ];
    let mut table = vec![0; 160];
    assert!(entry::store(&entries, &mut table, 0, true));
    assert_eq!(entry::parse(&table, 0).unwrap(), entries);
    let first = u16_at(&table, 2);
    for (what, at, bytes) in [
        ("a long name", 0, vec![255]),
        ("a value at the end", 2, vec![157, 0]),
        ("a value beyond the end", 2, vec![0xff, 0xff]),
        ("a value on the names", 2, vec![8, 0]),
        ("a value on the other", 22, first.to_le_bytes().to_vec()),
        ("a huge value", 8, vec![0xff, 0xff, 0xff, 0xff]),
        ("a long value", 8, vec![0, 1]),
        ("a zero in the name", 16, vec![0]),
        ("no end", 40, vec![1; 120]),
    ] {
        let mut bad = table.clone();
        put(&mut bad, at, &bytes);
        assert!(entry::parse(&bad, 0).is_err(), "{what}");
    }
    // All single bytes of a table changed: an answer, never a panic.
    for at in 0..table.len() {
        for byte in [0, 1, 2, 4, 0x7f, 0xff] {
            let mut bad = table.clone();
            bad[at] = byte;
            if let Ok(entries) = entry::parse(&bad, 0) {
                assert!(entry::table_room(&entries) <= bad.len());
            }
        }
    }
    for length in 0..20 {
        let _ = entry::parse(&vec![1; length], 0);
    }
}

#[test]
fn hostile_blocks_are_refused() {
    for args in [&["-t", "ext4", "-I", "128"][..], &["-t", "ext4", "-I", "128", "-O", "^metadata_csum"]] {
        let image = image(args);
        debugfs(&image.path(), "ea_set f0 user.x y");
        let volume = image.volume();
        let mut inode = volume.inode(FIRST).unwrap();
        assert_eq!(volume.attributes(&inode).unwrap().len(), 1);
        let good = inode.xattr_block();
        for number in [1, good + 1, volume.superblock.blocks, u64::from(u32::MAX) << 8] {
            inode.set_xattr_block(number);
            let error = volume.attributes(&inode).unwrap_err();
            assert!(matches!(error, Error::Damaged(_)), "{number}: {error}");
        }
        inode.set_xattr_block(good);
        for (at, bytes) in [(0, [0; 4]), (4, [0; 4]), (8, [2, 0, 0, 0])] {
            let mut volume = image.volume();
            let mut block = volume.read_block(good).unwrap();
            put(&mut block, at, &bytes);
            volume.write_attribute_block(good, block).unwrap();
            assert!(volume.attributes(&inode).is_err(), "{at}");
        }
        if volume.superblock.has_metadata_csum() {
            let mut volume = image.volume();
            let mut block = volume.read_block(good).unwrap();
            block[1000] ^= 1;
            volume.write_block(good, block).unwrap();
            let error = volume.attributes(&inode).unwrap_err().to_string();
            assert!(error.contains("checksum"), "{error}");
        }
    }
}

#[test]
fn hostile_value_inodes_are_refused() {
    let image = image(&["-t", "ext4", "-b", "1024", "-O", "ea_inode,inline_data"]);
    let mut good = image.volume();
    let long = vec![7; 5000];
    set(&mut good, FIRST, "user.long", Some(&long)).unwrap();
    set(&mut good, FIRST + 1, "user.long", Some(&long)).unwrap();
    let owner = good.inode(FIRST).unwrap();
    let held = good.attributes_inside(&owner).unwrap().pop().unwrap();
    let Value::Inode { number, size, hash } = held.value else { panic!("{held:?}") };
    assert_eq!(get(&good, FIRST)["user.long"], long);
    let disk = std::fs::read(image.save(&good)).unwrap();
    let fresh = || {
        let path = image.path();
        std::fs::write(&path, &disk).unwrap();
        image.volume()
    };
    type Fault = fn(&mut Inode);
    let faults: &[(&str, Fault)] = &[
        ("no flag", |value| value.set_flags(value.flags() & !flag::EA_INODE)),
        ("a directory", |value| value.set_mode(0o040_755)),
        ("inline", |value| value.set_flags(value.flags() | flag::INLINE_DATA)),
        ("another size", |value| value.set_size(5001)),
        ("a checksum of nothing", |value| put_u32(&mut value.raw, 8, 0)),
        ("holes", |value| value.block_area_mut()[2..].fill(0)),
        ("attributes of its own", |value| value.set_xattr_block(100)),
    ];
    for (what, fault) in faults {
        let mut volume = fresh();
        let mut value = volume.inode(number).unwrap();
        fault(&mut value);
        volume.write_inode(&mut value).unwrap();
        let error = volume.attributes(&owner).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "{what}: {error}");
    }
    for (what, other, size, hash) in [
        ("the root", 2, size, hash),
        ("its owner", FIRST, size, hash),
        ("no inode", u32::MAX, size, hash),
        ("too long", number, u32::MAX, hash),
        ("another hash", number, size, hash ^ 1),
    ] {
        let mut volume = fresh();
        let mut owner = owner.clone();
        let entry = Entry { value: Value::Inode { number: other, size, hash }, ..held.clone() };
        assert!(store_inside(&mut owner, &[entry]));
        assert!(volume.attributes(&owner).is_err(), "{what}");
        if other != number {
            assert!(volume.release_attributes(&mut owner).is_err(), "{what}");
            volume.rollback().unwrap();
        }
    }
    // A count of nothing is the last one, not one below zero.
    let mut volume = fresh();
    let mut value = volume.inode(number).unwrap();
    put_u32(&mut value.raw, 0x24, 0);
    volume.write_inode(&mut value).unwrap();
    let mut owner = owner.clone();
    volume.release_attributes(&mut owner).unwrap();
    assert_eq!(volume.inode(number).unwrap().links(), 0);
}

/// Random bytes in everything that holds attributes: answers and errors, never a panic, and what an edit
/// makes of it can be read.
#[test]
fn mutated_attributes_do_no_harm() {
    for args in [
        &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "^metadata_csum,ea_inode,inline_data"][..],
        &["-t", "ext4", "-b", "1024", "-I", "128", "-O", "^metadata_csum"],
    ] {
        let image = image(args);
        let mut volume = image.volume();
        for (name, length) in
            [("user.a", 5), ("security.selinux", 30), ("user.b", 300), ("trusted.long", 400)]
        {
            set(&mut volume, FIRST, name, Some(&vec![b'v'; length])).unwrap();
        }
        let good = volume.inode(FIRST).unwrap();
        let block = volume.read_block(good.xattr_block()).unwrap();
        let mut dice = Dice(7);
        let mut accepted = 0;
        for _ in 0..3000 {
            let mut inode = good.clone();
            let mut bytes = block.clone();
            for _ in 0..=dice.roll(3) {
                let byte = [0, 1, 4, 0x20, 0x7f, 0xff][dice.roll(6)];
                if dice.roll(2) == 0 && inode.raw.len() > 128 {
                    let at = 128 + dice.roll(inode.raw.len() - 128);
                    inode.raw[at] = byte;
                } else {
                    // Names and headers are where it hurts.
                    let among = if dice.roll(2) == 0 { 160 } else { bytes.len() };
                    let at = dice.roll(among);
                    bytes[at] = byte;
                }
            }
            volume.write_block(good.xattr_block(), bytes).unwrap();
            let _ = volume.attributes(&inode);
            let _ = volume.inline_content(&inode);
            let mut edited = inode.clone();
            let value = (dice.roll(2) == 0).then(|| vec![b'w'; dice.roll(400)]);
            if volume.set_named_attribute(&mut edited, "user.a", value.as_deref()).is_ok() {
                accepted += 1;
                let seen = volume.attributes(&edited);
                if let Ok(seen) = seen {
                    let found = seen.into_iter().find(|one| one.index == 1 && one.name == b"a");
                    assert_eq!(found.map(|one| one.value), value);
                }
            }
            let _ = volume.set_inline_content(&mut edited, b"content");
            let _ = volume.release_attributes(&mut edited);
            volume.rollback().unwrap();
        }
        assert!(accepted > 100, "{accepted}");
    }
}

#[test]
fn a_full_file_system_stays_as_it_was() {
    let image = image(&["-t", "ext4", "-b", "1024", "-I", "128", "-O", "ea_inode"]);
    let mut volume = image.volume();
    set(&mut volume, FIRST, "user.a", Some(b"a")).unwrap();
    for (name, length) in [("user.one", 100), ("user.inode", 5000)] {
        let left = if length > 1000 { 3 } else { 0 };
        let all = volume.superblock.free_blocks - left;
        volume.allocate_blocks(all, 1).unwrap();
        let mut inode = volume.inode(FIRST + 1).unwrap();
        let error = volume.set_named_attribute(&mut inode, name, Some(&vec![1; length])).unwrap_err();
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
        assert_eq!(inode, volume.inode(FIRST + 1).unwrap());
        volume.rollback().unwrap();
        image.assert_clean(&volume, name);
    }
}
