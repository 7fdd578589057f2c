//! New, small and moved directories; what is refused.

use super::{Tree, names, sorted};

use crate::Error;
use crate::inode::{Inode, ROOT, flag};
use crate::testing::{Image, debugfs};
use crate::volume::Volume;

/// A new directory in `parent`.
fn make_directory(volume: &mut Volume, parent: u32, name: &[u8]) -> Inode {
    let mut directory = volume.allocate_inode(parent, true).unwrap();
    directory.set_mode(0o040_755);
    directory.set_links(2);
    volume.init_directory(&mut directory, parent).unwrap();
    volume.write_inode(&mut directory).unwrap();
    let mut above = volume.inode(parent).unwrap();
    volume.insert_name(&mut above, name, directory.number, 2).unwrap();
    above.set_links(above.links() + 1);
    volume.write_inode(&mut above).unwrap();
    directory
}

/// Moves a directory from one to another.
fn move_directory(volume: &mut Volume, name: &[u8], from: u32, to: u32) {
    let mut old = volume.inode(from).unwrap();
    let moved = volume.find_name(&old, name).unwrap().unwrap().inode;
    volume.remove_name(&mut old, name).unwrap();
    old.set_links(old.links() - 1);
    volume.write_inode(&mut old).unwrap();
    let mut new = volume.inode(to).unwrap();
    volume.insert_name(&mut new, name, moved, 2).unwrap();
    new.set_links(new.links() + 1);
    volume.write_inode(&mut new).unwrap();
    let mut inode = volume.inode(moved).unwrap();
    volume.retarget_name(&mut inode, b"..", to, 2).unwrap();
    volume.write_inode(&mut inode).unwrap();
}

const LAYOUTS: [(&str, &[&str]); 6] = [
    ("4k", &["-t", "ext4", "-b", "4096"]),
    ("1k", &["-t", "ext4", "-b", "1024"]),
    ("inline", &["-t", "ext4", "-b", "4096", "-O", "inline_data"]),
    ("inline, 1k, inodes of 1k", &["-t", "ext4", "-b", "1024", "-I", "1024", "-O", "inline_data"]),
    ("inline, no checksums", &["-t", "ext4", "-b", "1024", "-O", "inline_data,^metadata_csum"]),
    ("ext2", &["-t", "ext2", "-b", "1024", "-O", "^filetype"]),
];

#[test]
fn directories_are_made_and_moved() {
    for (what, args) in LAYOUTS {
        let image = Image::make(args, 16);
        let mut volume = image.volume();
        let one = make_directory(&mut volume, ROOT, b"one").number;
        let two = make_directory(&mut volume, one, b"two").number;
        let three = make_directory(&mut volume, two, b"three").number;
        volume.commit().unwrap();
        image.assert_clean(&volume, what);
        assert_eq!(volume.inode(one).unwrap().has(flag::INLINE_DATA), what.starts_with("inline"), "{what}");
        move_directory(&mut volume, b"two", one, ROOT);
        volume.commit().unwrap();
        image.assert_clean(&volume, what);
        let path = image.save(&volume);
        assert!(debugfs(&path, "stat /two/three/..").contains(&format!("Inode: {two} ")), "{what}");
        let parent = volume.find_name(&volume.inode(two).unwrap(), b"..").unwrap().unwrap();
        assert_eq!((parent.inode, parent.tag), (ROOT, if what == "ext2" { 0 } else { 2 }), "{what}");
        let itself = volume.find_name(&volume.inode(three).unwrap(), b".").unwrap().unwrap();
        assert_eq!(itself.inode, three, "{what}");
    }
}

#[test]
fn a_directory_with_an_index_is_moved() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024"], 16, 1);
    let file = tree.file_of(0);
    for name in names(200) {
        tree.insert(&name, file);
    }
    assert!(tree.directory.has(flag::INDEX));
    make_directory(&mut tree.volume, ROOT, b"above");
    let above = tree.volume.find_name(&tree.volume.inode(ROOT).unwrap(), b"above").unwrap().unwrap().inode;
    move_directory(&mut tree.volume, b"d", ROOT, above);
    tree.commit_clean("moved");
}

#[test]
fn an_index_without_the_feature_is_given_up() {
    let mut tree = Tree::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], 16, 1);
    let file = tree.file_of(0);
    for name in names(200) {
        tree.insert(&name, file);
    }
    assert!(tree.directory.has(flag::INDEX));
    tree.commit_clean("with dir_index");
    let path = tree.image.save(&tree.volume);
    debugfs(&path, "feature -dir_index");
    tree.image = Image::copy_of(&path);
    tree.volume = tree.image.volume();
    assert!(tree.volume.find_name(&tree.directory, &names(200)[77]).unwrap().is_some());
    let number = tree.directory.number;
    tree.directory = tree.volume.inode(number).unwrap();
    for number in 0..100 {
        tree.insert(format!("without-{number}").as_bytes(), file);
    }
    assert!(!tree.directory.has(flag::INDEX));
    tree.commit_clean("without dir_index");
    assert_eq!(tree.listed().len(), 300);
}

#[test]
fn an_inline_directory_grows_out_of_its_inode() {
    for (what, args) in LAYOUTS.into_iter().filter(|(what, _)| what.starts_with("inline")) {
        let mut tree = Tree::make(args, 16, 1);
        assert!(tree.directory.has(flag::INLINE_DATA), "{what}: debugfs makes it so");
        let file = tree.file_of(0);
        let all = names(120);
        let mut stayed = 0;
        for (index, name) in all.iter().enumerate() {
            tree.insert(name, file);
            stayed += usize::from(tree.directory.has(flag::INLINE_DATA));
            assert_eq!(tree.listed(), sorted(all[..=index].to_vec()), "{what}");
            if index % 8 == 0 {
                tree.commit_clean(&format!("{what}: {index}"));
            }
            if index == 1 {
                // Removed and put back while it is small.
                tree.remove(&all[0], file);
                tree.commit_clean(what);
                assert!(tree.volume.find_name(&tree.directory, &all[0]).unwrap().is_none(), "{what}");
                tree.insert(&all[0], file);
            }
        }
        assert!(stayed > 3 && stayed < 100, "{what}: {stayed} names in the inode");
        tree.commit_clean(what);
        assert_eq!(tree.listed_by_debugfs(), sorted(all), "{what}");
    }
}

#[test]
fn a_name_means_another_inode() {
    for (what, args) in LAYOUTS {
        let mut tree = Tree::make(args, 16, 60_000);
        let (one, two) = (tree.files[0], tree.files[1]);
        tree.insert(b"name", one);
        tree.volume.retarget_name(&mut tree.directory, b"name", two, 1).unwrap();
        tree.volume.write_inode(&mut tree.directory).unwrap();
        tree.count_link(one, -1);
        tree.count_link(two, 1);
        tree.commit_clean(what);
        assert_eq!(tree.volume.find_name(&tree.directory, b"name").unwrap().unwrap().inode, two, "{what}");
    }
}

#[test]
fn impossible_names_are_refused() {
    let mut tree = Tree::make(&["-t", "ext4"], 16, 1);
    let file = tree.file_of(0);
    let long = vec![b'x'; 256];
    for name in [b"".as_slice(), b".", b"..", b"a/b", b"a\0b", &long] {
        let done = tree.volume.insert_name(&mut tree.directory, name, file, 1);
        assert!(matches!(done, Err(Error::Operation { .. })), "{name:?}: {done:?}");
        let done = tree.volume.remove_name(&mut tree.directory, name);
        assert!(matches!(done, Err(Error::Operation { .. })), "{name:?}: {done:?}");
    }
    let done = tree.volume.remove_name(&mut tree.directory, b"nobody");
    assert!(matches!(done, Err(Error::Missing { .. })), "{done:?}");
    tree.insert(&long[..255], file);
    tree.commit_clean("255 bytes");
}

#[test]
fn encrypted_and_casefolded_directories_are_refused() {
    let mut tree = Tree::make(&["-t", "ext4"], 16, 1);
    let file = tree.file_of(0);
    tree.insert(b"name", file);
    for (bit, readable) in [(flag::ENCRYPT, false), (flag::CASEFOLD, true)] {
        let mut directory = tree.directory.clone();
        directory.set_flags(directory.flags() | bit);
        assert_eq!(tree.volume.find_name(&directory, b"name").is_ok(), readable, "{bit:#x}");
        assert_eq!(tree.volume.list_names(&directory).is_ok(), readable, "{bit:#x}");
        let done = [
            tree.volume.insert_name(&mut directory, b"new", file, 1),
            tree.volume.remove_name(&mut directory, b"name"),
            tree.volume.retarget_name(&mut directory, b"name", 11, 1),
        ];
        assert!(done.iter().all(|done| matches!(done, Err(Error::ReadOnly(_)))), "{done:?}");
    }
}
