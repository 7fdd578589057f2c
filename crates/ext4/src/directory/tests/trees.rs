//! Large directories: every block size, hash and layout.

use super::{Tree, names, shuffled, sorted};

use crate::Error;
use crate::directory::hash::Hasher;
use crate::inode::flag;
use crate::testing::{debugfs, mounted};

/// Fills a directory, empties it in another order, and asks the others on the way.
fn fill_and_empty(what: &str, args: &[&str], mib: u64, count: usize) -> Tree {
    let mut tree = Tree::make(args, mib, count);
    let all = names(count);
    for (index, name) in all.iter().enumerate() {
        let file = tree.file_of(index);
        tree.insert(name, file);
        if index == count / 50 {
            tree.commit_clean(&format!("{what}: {index} names"));
        } else if index % 500 == 0 {
            tree.volume.commit().unwrap();
        }
    }
    tree.commit_clean(&format!("{what}: {count} names"));
    assert!(tree.listed() == sorted(all.clone()), "{what}: the listing");
    assert!(tree.listed_by_debugfs() == sorted(all.clone()), "{what}: the listing of debugfs");
    for name in all.iter().step_by(97) {
        assert!(tree.volume.find_name(&tree.directory, name).unwrap().is_some(), "{what}: {name:?}");
    }
    assert_eq!(tree.volume.find_name(&tree.directory, b"nobody").unwrap(), None, "{what}");
    let size = tree.directory.size();

    let mut left = shuffled((0..count).collect::<Vec<_>>());
    while let Some(index) = left.pop() {
        let file = tree.file_of(index);
        tree.remove(&all[index], file);
        if left.len() == count / 2 {
            tree.commit_clean(&format!("{what}: half of it removed"));
            let kept = sorted(left.iter().map(|index| all[*index].clone()));
            assert!(tree.listed() == kept, "{what}: half of the listing");
        } else if left.len() % 500 == 0 {
            tree.volume.commit().unwrap();
        }
    }
    tree.commit_clean(&format!("{what}: empty"));
    assert_eq!(tree.listed(), Vec::<Vec<u8>>::new(), "{what}");
    assert_eq!(tree.directory.size(), size, "{what}: blocks stay");
    // What was removed is not in the directory's blocks any more.
    for extent in tree.volume.directory_extents(&tree.directory).unwrap() {
        for (_, physical) in extent.blocks() {
            let bytes = tree.volume.read_block(physical).unwrap();
            let residue = bytes
                .windows(6)
                .any(|window| [b"file-0", b"longlo", b"ter-10"].contains(&window.first_chunk().unwrap()));
            assert!(!residue, "{what}: a removed name is still in block {physical}");
        }
    }
    tree
}

/// Arguments of mke2fs, and whether the directory gets an index.
const LAYOUTS: [(&str, &[&str], u64, bool); 12] = [
    ("4k", &["-t", "ext4", "-b", "4096"], 16, true),
    ("1k", &["-t", "ext4", "-b", "1024"], 16, true),
    ("2k", &["-t", "ext4", "-b", "2048"], 16, true),
    ("64k", &["-t", "ext4", "-b", "65536", "-O", "^has_journal"], 64, true),
    ("1k, no checksums", &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], 16, true),
    ("64k, no checksums", &["-t", "ext4", "-b", "65536", "-O", "^metadata_csum,^has_journal"], 64, true),
    ("4k, no index", &["-t", "ext4", "-b", "4096", "-O", "^dir_index"], 16, false),
    ("1k, no types", &["-t", "ext4", "-b", "1024", "-O", "^filetype"], 16, true),
    ("ext3, 1k", &["-t", "ext3", "-b", "1024"], 16, true),
    ("ext2, 4k", &["-t", "ext2", "-b", "4096"], 16, true),
    ("1k, large_dir", &["-t", "ext4", "-b", "1024", "-O", "large_dir"], 16, true),
    ("1k, inline", &["-t", "ext4", "-b", "1024", "-O", "inline_data"], 16, true),
];

#[test]
fn directories_of_every_layout_grow_and_shrink() {
    for (what, args, mib, indexed) in LAYOUTS {
        let tree = fill_and_empty(what, args, mib, 600);
        assert_eq!(tree.directory.has(flag::INDEX), indexed && !what.starts_with("64k"), "{what}");
    }
}

#[test]
#[ignore = "minutes"]
fn directories_of_20000_names() {
    for (what, args, mib, indexed) in LAYOUTS {
        let tree = fill_and_empty(what, args, mib, 20_000);
        assert_eq!(tree.directory.has(flag::INDEX), indexed, "{what}");
    }
}

#[test]
fn every_hash_orders_a_tree() {
    for hash in ["legacy", "half_md4", "tea"] {
        for flags in ["signed_directory_hash", "unsigned_directory_hash"] {
            let mut tree = Tree::make(&["-t", "ext4", "-b", "1024", "-O", "^dir_index"], 32, 1);
            // What mke2fs takes from its configuration is set by tune2fs and debugfs here.
            let path = tree.image.path();
            let version = ["legacy", "half_md4", "tea"].iter().position(|name| *name == hash).unwrap();
            let bits = if flags.starts_with("un") { 2 } else { 1 };
            for command in [
                "feature dir_index".to_owned(),
                format!("ssv def_hash_version {hash}"),
                format!("ssv flags {bits}"),
            ] {
                debugfs(&path, &command);
            }
            tree.volume = tree.image.volume();
            let file = tree.file_of(0);
            for name in names(1200) {
                tree.insert(&name, file);
            }
            tree.commit_clean(&format!("{hash}, {flags}"));
            assert!(tree.directory.has(flag::INDEX));
            let dump = tree.htree_dump();
            assert!(dump.contains(&format!("Hash Version: {version}")), "{hash}: {dump}");
            assert!(tree.volume.find_name(&tree.directory, &names(1200)[1000]).unwrap().is_some());
        }
    }
}

#[test]
fn a_tree_has_two_levels_where_one_is_not_enough() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024"], 64, 6000);
    let long = |number: usize| format!("{number:04}{}", "n".repeat(230)).into_bytes();
    let file = tree.file_of(0);
    for number in 0..3000 {
        tree.insert(&long(number), file);
    }
    tree.commit_clean("two levels");
    assert!(tree.htree_dump().contains("Indirect levels: 1"));
    assert!((0..3000).all(|number| tree.volume.find_name(&tree.directory, &long(number)).unwrap().is_some()));
}

#[test]
#[ignore = "minutes: 200,000 names"]
fn a_tree_has_three_levels_with_large_dir_only() {
    let count = 200_000;
    let name = |number: usize| format!("{number:06}{}", "n".repeat(244)).into_bytes();
    for large in [false, true] {
        let feature = if large { "large_dir" } else { "^large_dir" };
        let mut tree = Tree::make(&["-t", "ext4", "-b", "1024", "-O", feature], 512, count);
        let mut inserted = 0;
        for number in 0..count {
            let file = tree.file_of(number);
            let done = tree.volume.insert_name(&mut tree.directory, &name(number), file, 1);
            match done {
                Ok(()) => inserted += 1,
                Err(Error::Operation { what, .. }) => {
                    assert!(what.contains("full") && what.contains("large_dir"), "{what}");
                    tree.volume.rollback().unwrap();
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            let mut directory = tree.directory.clone();
            tree.volume.write_inode(&mut directory).unwrap();
            tree.directory = directory;
            tree.count_link(file, 1);
            tree.volume.commit().unwrap();
        }
        tree.image.assert_clean(&tree.volume, feature);
        assert_eq!(inserted == count, large, "{feature}: {inserted} names");
        let levels = if large { 2 } else { 1 };
        assert!(tree.htree_dump().contains(&format!("Indirect levels: {levels}")), "{feature}");
        let found =
            |number| tree.volume.find_name(&tree.volume.inode(tree.directory.number).unwrap(), &name(number));
        assert!((0..inserted).step_by(977).all(|number| found(number).unwrap().is_some()), "{feature}");
        mounted(&tree.image.save(&tree.volume), "ro", |root| {
            let directory = root.join("d");
            assert_eq!(
                std::fs::read_dir(&directory).unwrap().count(),
                inserted,
                "{feature}: the kernel's count"
            );
            for number in (0..inserted).step_by(389) {
                let name = String::from_utf8(name(number)).unwrap();
                assert!(
                    directory.join(&name).symlink_metadata().is_ok(),
                    "{feature}: the kernel finds {name}"
                );
            }
        });
        // With this hash seed the kernel stops after 19,813 names.
        assert!(inserted > 19_000, "{feature}: {inserted}");
    }
}

#[test]
fn a_full_file_system_keeps_what_it_has() {
    for args in [["-b", "1024", "-O", "^has_journal"], ["-b", "1024", "-O", "^has_journal,^extent,^64bit"]] {
        let mut tree = Tree::make(&[&["-t", "ext4"], args.as_slice()].concat(), 1, 1);
        let file = tree.file_of(0);
        let mut names = Vec::new();
        let error = loop {
            let name = format!("{}-{}", names.len(), "x".repeat(240)).into_bytes();
            let mut directory = tree.directory.clone();
            if let Err(error) = tree.volume.insert_name(&mut directory, &name, file, 1) {
                break error;
            }
            tree.volume.write_inode(&mut directory).unwrap();
            tree.directory = directory;
            tree.count_link(file, 1);
            tree.volume.commit().unwrap();
            names.push(name);
        };
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
        tree.volume.rollback().unwrap();
        assert!(names.len() > 1000, "{}", names.len());
        assert!(tree.listed() == sorted(names.clone()), "nothing is lost");
        tree.commit_clean("full");
        for name in &names {
            tree.remove(name, file);
        }
        tree.commit_clean("empty again");
    }
}

/// What follows 240 times `n` in names whose legacy hash is the same (found by trying).
const SAME_HASH: [&str; 16] = [
    "aXfwNh", "cz9hCx", "gYPVeX", "kZA7ps", "nw7TFn", "n9N1DD", "rFgNAK", "sS66D9", "tJAPuQ", "uRp0dX",
    "vy0AGn", "wj1qab", "AjWwNr", "FusIMO", "OA63BP", "P3aRYt",
];

#[test]
fn names_of_one_hash_go_on_in_the_next_block() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024"], 32, 1);
    debugfs(&tree.image.path(), "ssv def_hash_version legacy");
    tree.volume = tree.image.volume();
    let hasher = Hasher::new(0, false, [0; 4]).unwrap();
    let same = SAME_HASH.map(|end| format!("{}{end}", "n".repeat(240)).into_bytes());
    let file = tree.file_of(0);
    assert!(same.iter().all(|name| hasher.hash(name) == hasher.hash(&same[0])));
    for name in names(200).iter().chain(&same) {
        tree.insert(name, file);
    }
    tree.commit_clean("names of one hash");
    let dump = tree.htree_dump();
    let continued = format!("Hash 0x{:08x}", hasher.hash(&same[0]) | 1);
    assert!(dump.contains("Hash Version: 0") && dump.contains(&continued), "{continued}: {dump}");
    for name in &same {
        let found = tree.volume.find_indexed(&tree.directory, name).unwrap();
        assert!(found.is_some(), "the index leads to it");
    }
    for name in shuffled(same.to_vec()) {
        tree.remove(&name, file);
    }
    tree.commit_clean("they are gone");
    assert_eq!(tree.listed(), sorted(names(200)));
}
