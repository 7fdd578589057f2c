//! Every layout that mke2fs makes and we write: random edits, then all judges.

use hardtack_ext4::view::ViewError;
use hardtack_ext4::{Ext4, ViewTree};

use crate::disk::TestDisk;
use crate::kernel;
use crate::model::{EPOCH, Model, Random};
use crate::tools::{self, Image};

struct Layout {
    name: &'static str,
    args: &'static [&'static str],
    mib: u64,
    /// What the second reader must say; `""`: it opens it.
    view: &'static str,
}

const fn layout(name: &'static str, args: &'static [&'static str], mib: u64, view: &'static str) -> Layout {
    Layout { name, args, mib, view }
}

const LAYOUTS: &[Layout] = &[
    layout(
        "debian 12",
        &["-t", "ext4", "-O", "metadata_csum,64bit,^orphan_file,^metadata_csum_seed"],
        64,
        "",
    ),
    layout("debian 13", &["-t", "ext4", "-O", "metadata_csum,64bit,orphan_file,metadata_csum_seed"], 64, ""),
    layout("1 KiB blocks", &["-t", "ext4", "-b", "1024"], 48, ""),
    layout("64 KiB blocks", &["-t", "ext4", "-b", "65536", "-O", "^has_journal"], 256, ""),
    layout("old", &["-t", "ext4", "-O", "^metadata_csum,^64bit,uninit_bg,^orphan_file"], 64, ""),
    layout("no checksums", &["-t", "ext4", "-O", "^metadata_csum"], 64, ""),
    layout("not 64-bit", &["-t", "ext4", "-O", "^64bit"], 64, ""),
    layout("ext3", &["-t", "ext3"], 64, ""),
    layout("ext2", &["-t", "ext2"], 64, ""),
    layout("ext2, 1 KiB blocks", &["-t", "ext2", "-b", "1024"], 48, ""),
    layout("128-byte inodes", &["-t", "ext4", "-I", "128"], 64, "truncated"),
    layout("128-byte inodes, no checksums", &["-t", "ext4", "-I", "128", "-O", "^metadata_csum"], 64, ""),
    layout("1 KiB inodes", &["-t", "ext4", "-I", "1024"], 64, ""),
    layout("inline data", &["-t", "ext4", "-O", "inline_data"], 64, "unsupported"),
    layout("no journal", &["-t", "ext4", "-O", "^has_journal"], 64, ""),
    layout("meta_bg", &["-t", "ext4", "-O", "^resize_inode,meta_bg"], 64, "unsupported"),
    layout("large_dir", &["-t", "ext4", "-O", "large_dir"], 64, "unsupported"),
    layout("ea_inode", &["-t", "ext4", "-O", "ea_inode"], 64, "unsupported"),
    layout("sparse_super2", &["-t", "ext4", "-O", "sparse_super2,^resize_inode"], 64, ""),
    layout("no flex_bg", &["-t", "ext4", "-O", "^flex_bg", "-g", "4096"], 64, ""),
    layout("no dir_index", &["-t", "ext4", "-O", "^dir_index"], 64, ""),
    layout("no filetype", &["-t", "ext4", "-O", "^filetype"], 64, "FILE_TYPE"),
];

#[test]
fn random_edits_on_every_layout() {
    if !tools::have("mke2fs") || !tools::have("e2fsck") {
        return;
    }
    for (index, layout) in LAYOUTS.iter().enumerate() {
        sequence(layout, SEED + index as u64);
    }
}

/// As many sequences as the full suite runs, on every layout in turn.
const SEQUENCES: u64 = 2000;

#[test]
#[ignore = "the full suite: 2,000 sequences of edits"]
fn thousands_of_edit_sequences() {
    for number in 0..SEQUENCES {
        let layout = &LAYOUTS[number as usize % LAYOUTS.len()];
        sequence(layout, SEED ^ (number << 20));
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// 250 random edits on a fresh file system, looked at by e2fsck, our own reader, the second reader
/// and the kernel.
fn sequence(layout: &Layout, seed: u64) {
    let image = Image::make(layout.args, layout.mib);
    let before = std::fs::metadata(image.path()).unwrap().modified().unwrap();
    let disk = TestDisk::open(&image.path());
    let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap_or_else(|error| panic!("{}: {error}", layout.name));
    assert_eq!(fs.read_only_reason(), None, "{}", layout.name);
    let mut model = Model::read(&fs);
    let mut random = Random(seed);
    for number in 0..250 {
        model
            .step(&mut fs, &mut random, 60_000, true)
            .unwrap_or_else(|error| panic!("{}: edit {number}: {error}", layout.name));
    }
    model.assert_same(&fs, layout.name);
    fs.finish().unwrap();
    model.assert_same(&fs, layout.name);
    assert!(fs.create("/late", 0o644, 0, 0).is_err(), "{}: edits end with finish", layout.name);

    let edited = image.beside("edited");
    disk.save(&edited);
    tools::assert_clean(&edited, layout.name);
    let second = TestDisk::open(&edited);
    match ViewTree::open(second) {
        Ok(view) => {
            assert_eq!(layout.view, "", "{}: the second reader opens it", layout.name);
            model.assert_view(&view, layout.name);
        }
        Err(ViewError::Unsupported(why)) => {
            assert!(!layout.view.is_empty(), "{}: the second reader: {why}", layout.name);
            assert!(why.contains(layout.view), "{}: the second reader: {why}", layout.name);
        }
        Err(error) => panic!("{}: {error}", layout.name),
    }
    kernel::assert_same(&edited, &model, layout.name);
    assert_eq!(
        std::fs::metadata(image.path()).unwrap().modified().unwrap(),
        before,
        "the source is only read"
    );
}

#[test]
fn the_same_edits_give_the_same_bytes() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in [&["-t", "ext4"][..], &["-t", "ext3"], &["-t", "ext4", "-O", "inline_data"]] {
        let image = Image::make(args, 48);
        let edits = || {
            let disk = TestDisk::open(&image.path());
            let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
            let mut model = Model::read(&fs);
            let mut random = Random(77);
            for _ in 0..150 {
                model.step(&mut fs, &mut random, 40_000, true).unwrap();
            }
            fs.finish().unwrap();
            disk.edits()
        };
        let first = edits();
        assert!(!first.is_empty());
        assert!(first == edits(), "{args:?}");
    }
}
