#![allow(clippy::unwrap_used)]

use crate::inode::flag;
use crate::testing::{Image, assert_clean, debugfs};

fn image(args: &[&str]) -> Image {
    let image = Image::make(args, 8);
    let host = tempfile::tempdir().unwrap();
    for (name, length) in [("f0", 0), ("f1", 59), ("f2", 60), ("f3", 61), ("f4", 120)] {
        let path = host.path().join(name);
        std::fs::write(&path, &"0123456789".repeat(20).as_bytes()[..length]).unwrap();
        debugfs(&image.path(), &format!("write {} {name}", path.display()));
    }
    debugfs(&image.path(), "mkdir d0");
    assert_clean(&image.path(), "as made");
    image
}

/// What fits an inode without other attributes: fields 160, magic 4, entry 20, terminator 4.
fn most_bytes(inode_size: usize) -> usize {
    60 + inode_size - 160 - 28
}

#[test]
fn contents_up_to_the_limit() {
    for size in ["256", "512", "1024"] {
        let image = image(&["-t", "ext4", "-I", size, "-O", "inline_data"]);
        let mut volume = image.volume();
        for (number, length) in [(13, 59), (14, 60), (15, 61), (16, 120)] {
            let inode = volume.inode(number).unwrap();
            assert!(inode.has(flag::INLINE_DATA), "{number}");
            assert_eq!(volume.inline_content(&inode).unwrap(), &"0123456789".repeat(20).as_bytes()[..length]);
        }
        let mut inode = volume.inode(16).unwrap();
        let most = most_bytes(size.parse().unwrap());
        for length in [most, 0, 1, 59, 60, 61, 64, most - 1, 100] {
            let content: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap() | 1).collect();
            assert!(volume.set_inline_content(&mut inode, &content).unwrap(), "{length}");
            inode.set_size(length as u64);
            volume.write_inode(&mut inode).unwrap();
            volume.commit().unwrap();
            let read = volume.inode(16).unwrap();
            assert_eq!(volume.inline_content(&read).unwrap(), content);
            let held = read.raw[160..].iter().filter(|byte| **byte != 0).count();
            assert!(held <= length.saturating_sub(60) + 16, "{length}: bytes of the former content are left");
            let path = image.save(&volume);
            assert_clean(&path, &format!("{length} bytes"));
            let dir = tempfile::tempdir().unwrap();
            let copy = dir.path().join("copy");
            debugfs(&path, &format!("dump f4 {}", copy.display()));
            // debugfs pads what is shorter than i_block.
            let copied = std::fs::read(&copy).unwrap();
            assert_eq!(copied[..length], content, "{length}");
        }
        let before = inode.clone();
        assert!(!volume.set_inline_content(&mut inode, &vec![1; most + 1]).unwrap());
        assert_eq!(inode, before);
    }
}

#[test]
fn attributes_leave_inline_data_alone() {
    let image = image(&["-t", "ext4", "-I", "256", "-O", "inline_data"]);
    let mut volume = image.volume();
    let mut inode = volume.inode(16).unwrap();
    let most = most_bytes(256);
    let content = vec![b'x'; most];
    assert!(volume.set_inline_content(&mut inode, &content).unwrap());
    inode.set_size(most as u64);
    volume.set_attribute(&mut inode, 6, b"selinux", Some(b"system_u:object_r:etc_t:s0")).unwrap();
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    let mut inode = volume.inode(16).unwrap();
    assert_ne!(inode.xattr_block(), 0);
    assert_eq!(volume.inline_content(&inode).unwrap(), content);
    image.assert_clean(&volume, "the label in a block");
    // The other way round: a label in the inode leaves less for content.
    assert!(volume.set_inline_content(&mut inode, b"short").unwrap());
    inode.set_size(5);
    volume.set_attribute(&mut inode, 6, b"selinux", Some(b"system_u:object_r:usr_t:s0")).unwrap();
    assert_eq!(inode.xattr_block(), 0);
    let mut tried = inode.clone();
    assert!(!volume.set_inline_content(&mut tried, &content[..most - 51]).unwrap());
    assert!(volume.set_inline_content(&mut tried, &content[..most - 52]).unwrap());
    volume.write_inode(&mut inode).unwrap();
    volume.commit().unwrap();
    image.assert_clean(&volume, "the label in the inode");
}

#[test]
fn a_directory_is_raw() {
    let image = image(&["-t", "ext4", "-I", "256", "-O", "inline_data"]);
    let volume = image.volume();
    let directory = volume.inode(17).unwrap();
    assert!(directory.is_directory() && directory.has(flag::INLINE_DATA));
    let content = volume.inline_content(&directory).unwrap();
    assert_eq!(content.len() as u64, directory.size());
    assert_eq!(content[..4], 2_u32.to_le_bytes());
}

#[test]
fn lies_about_inline_data() {
    let image = image(&["-t", "ext4", "-I", "256", "-O", "inline_data"]);
    let mut volume = image.volume();
    let mut inode = volume.inode(16).unwrap();
    inode.set_size(1 << 40);
    let error = volume.inline_content(&inode).unwrap_err().to_string();
    assert!(error.contains("inline data is said to have"), "{error}");
    inode.set_size(120);
    assert!(volume.set_inline_tail(&mut inode, None).unwrap());
    let error = volume.inline_content(&inode).unwrap_err().to_string();
    assert!(error.contains("system.data"), "{error}");
    // Without the feature nothing goes in.
    volume.superblock.features[1] &= !0x8000;
    assert!(!volume.set_inline_content(&mut inode, b"x").unwrap());
}
