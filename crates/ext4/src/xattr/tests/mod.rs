#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod access_lists;
mod hostile;
mod kernel;

use std::collections::BTreeMap;

use super::*;
use crate::testing::{Image, assert_clean, debugfs};
use kernel::kernel_sees;

/// Files, a directory and a link, all with names; in this order, from `FIRST` on.
const FILES: [&str; 6] = ["f0", "f1", "f2", "f3", "d0", "l0"];
const FIRST: u32 = 12;

const LAYOUTS: &[(&str, &[&str])] = &[
    ("4k, 256", &["-t", "ext4", "-b", "4096", "-I", "256"]),
    ("4k, 256, no checksums", &["-t", "ext4", "-b", "4096", "-I", "256", "-O", "^metadata_csum"]),
    ("1k, 128", &["-t", "ext4", "-b", "1024", "-I", "128"]),
    ("ext2, 1k, 128", &["-t", "ext2", "-b", "1024", "-I", "128"]),
    ("ext3, 4k, 256", &["-t", "ext3", "-b", "4096", "-I", "256"]),
    ("2k, 1024", &["-t", "ext4", "-b", "2048", "-I", "1024"]),
    ("1k, 1024, no checksums", &["-t", "ext4", "-b", "1024", "-I", "1024", "-O", "^metadata_csum"]),
    ("inline, 256", &["-t", "ext4", "-b", "4096", "-I", "256", "-O", "inline_data"]),
    (
        "inline, 1024, no checksums",
        &["-t", "ext4", "-b", "1024", "-I", "1024", "-O", "inline_data,^metadata_csum"],
    ),
    ("ea_inode, 128", &["-t", "ext4", "-b", "1024", "-I", "128", "-O", "ea_inode"]),
    ("ea_inode, 256", &["-t", "ext4", "-b", "4096", "-I", "256", "-O", "ea_inode"]),
    ("ea_inode, no checksums", &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "ea_inode,^metadata_csum"]),
    (
        "ea_inode, inline, seed",
        &["-t", "ext4", "-b", "1024", "-O", "ea_inode,inline_data,metadata_csum_seed"],
    ),
    ("64k", &["-t", "ext4", "-b", "65536", "-I", "256"]),
];

fn image(args: &[&str]) -> Image {
    let image = Image::make(args, if args.contains(&"65536") { 32 } else { 4 });
    let host = tempfile::tempdir().unwrap();
    for (name, length) in [("f0", 5), ("f1", 40), ("f2", 100), ("f3", 3000)] {
        let path = host.path().join(name);
        std::fs::write(&path, &"0123456789".repeat(300).as_bytes()[..length]).unwrap();
        debugfs(&image.path(), &format!("write {} {name}", path.display()));
    }
    debugfs(&image.path(), "mkdir d0");
    debugfs(&image.path(), "symlink l0 f0");
    assert_clean(&image.path(), "as made");
    image
}

fn number_of(file: usize) -> u32 {
    FIRST + u32::try_from(file).unwrap()
}

fn set(volume: &mut Volume, number: u32, name: &str, value: Option<&[u8]>) -> Result<(), Error> {
    let mut inode = volume.inode(number).unwrap();
    let done = volume.set_named_attribute(&mut inode, name, value);
    match &done {
        Ok(()) => {
            volume.write_inode(&mut inode).unwrap();
            volume.commit().unwrap();
        }
        Err(_) => volume.rollback().unwrap(),
    }
    done
}

fn get(volume: &Volume, number: u32) -> BTreeMap<String, Vec<u8>> {
    volume.named_attributes(&volume.inode(number).unwrap()).unwrap().into_iter().collect()
}

/// A small generator: the same numbers on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[test]
fn names_and_back() {
    for (full, index, rest) in [
        ("user.x", 1, "x"),
        ("system.posix_acl_access", 2, ""),
        ("system.posix_acl_default", 3, ""),
        ("trusted.overlay.opaque", 4, "overlay.opaque"),
        ("security.selinux", 6, "selinux"),
        ("security.capability", 6, "capability"),
        ("system.data", 7, "data"),
        ("system.richacl", 8, ""),
    ] {
        assert_eq!(names::split_name(full), Some((index, rest.as_bytes())), "{full}");
        assert_eq!(names::full_name(index, rest.as_bytes()).as_deref(), Some(full));
    }
    for wrong in ["", "user.", "user", "x.y", "security."] {
        assert_eq!(names::split_name(wrong), None, "{wrong}");
    }
    assert_eq!(names::full_name(2, b"more"), None);
    assert_eq!(names::full_name(9, b"c"), None);
}

#[test]
fn what_debugfs_wrote_is_read() {
    for (what, args) in LAYOUTS {
        let image = image(args);
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("long");
        std::fs::write(&long, vec![b'v'; 700]).unwrap();
        debugfs(&image.path(), "ea_set f0 security.selinux system_u:object_r:etc_t:s0");
        debugfs(&image.path(), "ea_set f0 user.gr\u{fc}n leaf");
        debugfs(&image.path(), &format!("ea_set -f {} f1 user.long", long.display()));
        assert_clean(&image.path(), what);
        let volume = image.volume();
        let seen = get(&volume, FIRST);
        assert_eq!(seen["security.selinux"], b"system_u:object_r:etc_t:s0", "{what}");
        assert_eq!(seen["user.gr\u{fc}n"], b"leaf", "{what}");
        assert_eq!(get(&volume, FIRST + 1)["user.long"], vec![b'v'; 700], "{what}");
        assert!(get(&volume, FIRST + 2).is_empty(), "{what}");
    }
}

#[test]
fn attributes_in_the_inode() {
    let image = image(&["-t", "ext4", "-I", "256"]);
    let mut volume = image.volume();
    set(&mut volume, FIRST, "security.selinux", Some(b"type")).unwrap();
    set(&mut volume, FIRST, "user.secret", Some(b"a secret to go")).unwrap();
    set(&mut volume, FIRST, "trusted.\u{fc}", Some(b"")).unwrap();
    let inode = volume.inode(FIRST).unwrap();
    assert_eq!(inode.xattr_block(), 0);
    let path = image.save(&volume);
    assert_clean(&path, "three");
    let said = debugfs(&path, "ea_get f0 user.secret");
    assert!(said.contains("a secret to go"), "{said}");

    set(&mut volume, FIRST, "user.secret", None).unwrap();
    let raw = volume.inode(FIRST).unwrap().raw;
    assert!(!raw.windows(6).any(|bytes| bytes == b"secret"), "the name or the value is left");
    image.assert_clean(&volume, "two");
    assert_eq!(get(&volume, FIRST).len(), 2);
    set(&mut volume, FIRST, "security.selinux", None).unwrap();
    set(&mut volume, FIRST, "trusted.\u{fc}", None).unwrap();
    assert!(volume.inode(FIRST).unwrap().raw[160..].iter().all(|byte| *byte == 0));
    image.assert_clean(&volume, "none");
}

#[test]
fn an_inode_that_never_used_its_tail() {
    let image = image(&["-t", "ext4", "-I", "256"]);
    debugfs(&image.path(), "set_inode_field f0 extra_isize 0");
    let mut volume = image.volume();
    assert_eq!(volume.inode(FIRST).unwrap().extra_isize(), 0);
    set(&mut volume, FIRST, "user.x", Some(b"y")).unwrap();
    let inode = volume.inode(FIRST).unwrap();
    assert_eq!((inode.extra_isize(), inode.xattr_block()), (32, 0));
    image.assert_clean(&volume, "a tail");
    if let Some(seen) = kernel_sees(&image.save(&volume)) {
        assert_eq!(seen["f0"]["user.x"], b"y");
    }
}

/// Lets `to` have the block of `from`, as the kernel does with equal attributes.
fn share(volume: &mut Volume, from: u32, to: u32) -> bool {
    let giver = volume.inode(from).unwrap();
    let mut taker = volume.inode(to).unwrap();
    let number = giver.xattr_block();
    if number == 0 || taker.xattr_block() != 0 || from == to || giver.is_directory() != taker.is_directory() {
        return false;
    }
    let inside = volume.attributes_inside(&taker).unwrap();
    let block = volume.attribute_block(&giver).unwrap().unwrap();
    if block.entries.iter().any(|entry| inside.iter().any(|own| entry.is(own.index, &own.name))) {
        return false;
    }
    if taker.is_symlink() || giver.is_symlink() {
        return false;
    }
    let charge = volume.charged_blocks(&taker, &block.entries).unwrap();
    volume.count_references(block, 1).unwrap();
    taker.set_xattr_block(number);
    taker.add_blocks(&volume.superblock.clone(), 1 + charge);
    volume.write_inode(&mut taker).unwrap();
    volume.commit().unwrap();
    true
}

fn sequence(what: &str, args: &[&str], seed: u64, steps: usize) {
    let image = image(args);
    let mut volume = image.volume();
    let mut dice = Dice(seed);
    let mut model: Vec<BTreeMap<String, Vec<u8>>> = vec![BTreeMap::new(); FILES.len()];
    let before = volume.superblock.free_blocks;
    let inodes = volume.superblock.free_inodes;
    let mut refused = 0;
    let mut shared = 0;
    for step in 0..steps {
        let file = dice.roll(FILES.len());
        let number = number_of(file);
        if dice.roll(4) == 0 {
            let other = dice.roll(FILES.len());
            // The block may hold more than what the other has by itself.
            let own = get(&volume, number_of(other));
            if share(&mut volume, number, number_of(other)) {
                model[other] = get(&volume, number_of(other));
                assert!(own.iter().all(|(name, value)| model[other].get(name) == Some(value)));
                shared += 1;
            }
            continue;
        }
        let prefix =
            if FILES[file] == "l0" { "trusted." } else { ["user.", "trusted.", "security."][dice.roll(3)] };
        let name = format!("{prefix}{}", ["a", "bb", "\u{e9}", "name", "a-rather-long-name"][dice.roll(5)]);
        let value: Option<Vec<u8>> = (dice.roll(3) > 0).then(|| {
            let length = match dice.roll(6) {
                0 => 0,
                1 => dice.roll(volume.block_size().min(9000)),
                2 => dice.roll(300),
                _ => dice.roll(40),
            };
            (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
        });
        match set(&mut volume, number, &name, value.as_deref()) {
            Ok(()) => {
                match value {
                    Some(value) => model[file].insert(name, value),
                    None => model[file].remove(&name),
                };
            }
            Err(Error::Operation { what, .. }) => {
                assert!(what.contains("do not fit"), "{what}");
                refused += 1;
            }
            Err(error) => panic!("{what}, seed {seed}, step {step}: {name}: {error}"),
        }
        for (file, expected) in model.iter().enumerate() {
            assert_eq!(&get(&volume, number_of(file)), expected, "{what}, seed {seed}, step {step}");
        }
        if step % 16 == 0 {
            image.assert_clean(&volume, &format!("{what}, seed {seed}, step {step}"));
        }
    }
    let path = image.save(&volume);
    assert_clean(&path, what);
    if let Some(seen) = kernel_sees(&path) {
        for (name, expected) in FILES.iter().zip(&model) {
            assert_eq!(&seen[*name], expected, "{what}: the kernel, {name}");
        }
    }
    // The contents are what they were, inline or not.
    for (file, length) in [(0, 5), (1, 40), (2, 100)] {
        let inode = volume.inode(number_of(file)).unwrap();
        if inode.has(flag::INLINE_DATA) {
            assert_eq!(
                volume.inline_content(&inode).unwrap(),
                &"0123456789".repeat(300).as_bytes()[..length]
            );
        }
    }
    for (file, expected) in model.iter().enumerate() {
        let mut inode = volume.inode(number_of(file)).unwrap();
        if !inode.has(flag::INLINE_DATA) {
            volume.release_attributes(&mut inode).unwrap();
            volume.write_inode(&mut inode).unwrap();
            volume.commit().unwrap();
        } else {
            for name in expected.keys() {
                set(&mut volume, number_of(file), name, None).unwrap();
            }
        }
    }
    image.assert_clean(&volume, &format!("{what}: all released"));
    assert_eq!((volume.superblock.free_blocks, volume.superblock.free_inodes), (before, inodes), "{what}");
    eprintln!("{what}, seed {seed}: {steps} steps, {refused} refused for room, {shared} blocks shared");
}

#[test]
fn random_sequences() {
    for (seed, (what, args)) in (1..).zip(LAYOUTS) {
        sequence(what, args, seed, 48);
    }
}

#[test]
#[ignore = "minutes"]
fn many_random_sequences() {
    for seed in 100..130 {
        for (what, args) in LAYOUTS {
            sequence(what, args, seed, 150);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_numbers() {
    let image = image(&["-t", "ext4", "-b", "1024", "-I", "256"]);
    let mut volume = image.volume();
    set(&mut volume, FIRST, "user.one", Some(&[1; 900])).unwrap();
    let error = set(&mut volume, FIRST, "user.two", Some(&[2; 200])).unwrap_err().to_string();
    assert!(error.contains("one block of 992 bytes"), "{error}");
    let error = set(&mut volume, FIRST, "user.two", Some(&[2; 70000])).unwrap_err().to_string();
    assert!(error.contains("at most 65536"), "{error}");
    assert_eq!(get(&volume, FIRST).len(), 1);
    image.assert_clean(&volume, "refused");
}

#[test]
fn others_move_to_make_room() {
    let image = image(&["-t", "ext4", "-b", "1024", "-I", "256"]);
    let mut volume = image.volume();
    set(&mut volume, FIRST, "user.a", Some(&[1; 20])).unwrap();
    set(&mut volume, FIRST, "user.b", Some(&[2; 910])).unwrap();
    // 80 bytes: the inode holds 40 of 88, the block 932 of 988. The 40 move to the block.
    set(&mut volume, FIRST, "user.c", Some(&[3; 60])).unwrap();
    let inode = volume.inode(FIRST).unwrap();
    assert!(volume.attributes_inside(&inode).unwrap()[0].is(1, b"c"));
    assert_eq!(volume.attribute_block(&inode).unwrap().unwrap().entries.len(), 2);
    image.assert_clean(&volume, "moved");
    set(&mut volume, FIRST, "user.d", Some(&[4; 40])).unwrap_err();
    assert_eq!(get(&volume, FIRST).len(), 3);
    image.assert_clean(&volume, "full");
}

#[test]
fn a_link_with_inline_data_gets_a_block_before_its_attributes_do() {
    let target = "target/".repeat(20);
    for (args, extents) in [
        (&["-t", "ext4", "-b", "4096", "-I", "512", "-O", "inline_data"][..], true),
        (&["-t", "ext4", "-b", "4096", "-I", "512", "-O", "inline_data,ea_inode,^extent,^64bit"], false),
    ] {
        let image = image(args);
        debugfs(&image.path(), &format!("symlink l1 {target}"));
        let mut volume = image.volume();
        let number = FIRST + 6;
        assert!(is_inline_link(&volume.inode(number).unwrap()));
        set(&mut volume, number, "security.selinux", Some(b"label")).unwrap();
        assert!(is_inline_link(&volume.inode(number).unwrap()), "there is room in the inode");
        set(&mut volume, number, "trusted.large", Some(&[7; 1900])).unwrap();
        let inode = volume.inode(number).unwrap();
        assert!(!is_inline_link(&inode));
        assert_eq!(inode.has(flag::EXTENTS), extents);
        assert_eq!(volume.link_target(&inode).unwrap(), target.as_bytes());
        assert_eq!(volume.named_attributes(&inode).unwrap().len(), 2);
        assert_clean(&image.save(&volume), "moved out");
    }
}
