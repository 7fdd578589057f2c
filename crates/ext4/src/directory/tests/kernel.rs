//! The kernel goes on where we stopped, and we where it did.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Tree, names, sorted};

use crate::testing::{Image, assert_clean, mounted};

fn names_in(directory: &Path) -> Vec<Vec<u8>> {
    let names = std::fs::read_dir(directory).unwrap();
    sorted(names.map(|entry| entry.unwrap().file_name().as_bytes().to_vec()))
}

/// What the kernel does to the directory: every third name goes, others come, one subdirectory.
fn edit_by_kernel(directory: &Path, all: &[Vec<u8>]) {
    for name in all.iter().step_by(3) {
        std::fs::remove_file(directory.join(std::ffi::OsStr::from_bytes(name))).unwrap();
    }
    for number in 0..700 {
        std::fs::write(directory.join(format!("kernel-{number}-{}", "k".repeat(number % 90))), b"").unwrap();
    }
    std::fs::create_dir(directory.join("below")).unwrap();
}

#[test]
fn kernel_and_writer_take_turns() {
    for (what, args) in [
        ("4k", ["-t", "ext4", "-b", "4096"].as_slice()),
        ("1k", &["-t", "ext4", "-b", "1024", "-O", "large_dir"]),
        ("1k, inline", &["-t", "ext4", "-b", "1024", "-O", "inline_data"]),
        ("ext2, 1k", &["-t", "ext2", "-b", "1024"]),
        ("4k, no index", &["-t", "ext4", "-b", "4096", "-O", "^dir_index"]),
    ] {
        let mut tree = Tree::make(&[args, &["-N", "4096"]].concat(), 32, 1);
        let file = tree.file_of(0);
        let all = names(900);
        for name in &all {
            tree.insert(name, file);
        }
        tree.commit_clean(what);
        let path = tree.image.save(&tree.volume);
        let mut seen = Vec::new();
        let done = mounted(&path, "rw", |root| {
            let directory = root.join("d");
            assert!(names_in(&directory) == sorted(all.clone()), "{what}: the kernel's listing");
            for name in &all {
                let found = directory.join(std::ffi::OsStr::from_bytes(name)).symlink_metadata();
                assert!(found.is_ok(), "{what}: the kernel does not find {name:?}");
            }
            edit_by_kernel(&directory, &all);
            seen = names_in(&directory);
        });
        if !done {
            return;
        }
        assert_clean(&path, &format!("{what}: after the kernel"));

        let image = Image::copy_of(&path);
        let mut volume = image.volume();
        let mut directory = volume.inode(tree.directory.number).unwrap();
        let listed = |volume: &crate::volume::Volume, directory: &_| {
            sorted(volume.list_names(directory).unwrap().into_iter().skip(2).map(|name| name.name))
        };
        assert!(listed(&volume, &directory) == seen, "{what}: as the kernel wrote it");
        for name in &seen {
            assert!(volume.find_name(&directory, name).unwrap().is_some(), "{what}: {name:?}");
        }
        let mut inode = volume.inode(file).unwrap();
        for number in 0..300 {
            let name = format!("ours-{number}-{}", "o".repeat(number % 70));
            volume.insert_name(&mut directory, name.as_bytes(), file, 1).unwrap();
            inode.set_links(inode.links() + 1);
        }
        volume.write_inode(&mut directory).unwrap();
        volume.write_inode(&mut inode).unwrap();
        volume.commit().unwrap();
        image.assert_clean(&volume, &format!("{what}: after the kernel and us"));
        assert_eq!(listed(&volume, &directory).len(), seen.len() + 300, "{what}");
    }
}
