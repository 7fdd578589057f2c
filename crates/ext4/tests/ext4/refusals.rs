//! File systems that must not be written, or cannot be read: each refused by name, none touched.

use std::os::unix::fs::FileExt;
use std::path::Path;

use hardtack_ext4::{Error, Ext4};

use crate::disk::TestDisk;
use crate::model::EPOCH;
use crate::tools::{self, Image, assert_clean, debugfs};

/// Opens `path`, which must be readable and refuse every edit for a reason that contains `why`.
fn assert_read_only(path: &Path, why: &str) {
    let disk = TestDisk::open(path);
    let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap_or_else(|error| panic!("{why}: {error}"));
    let reason = fs.read_only_reason().unwrap_or_else(|| panic!("{why}: would be written")).to_owned();
    assert!(reason.contains(why), "{why}: {reason}");
    assert!(!fs.read_dir("/").unwrap().is_empty(), "{why}: it can be read");
    for result in [
        fs.create("/x", 0o644, 0, 0),
        fs.mkdir("/x", 0o755, 0, 0),
        fs.symlink("/x", "y", 0, 0),
        fs.remove("/lost+found"),
        fs.set_mode("/lost+found", 0o700),
        fs.set_owner("/lost+found", 1, 1),
        fs.set_mtime("/lost+found", 1),
        fs.set_xattr("/lost+found", "user.a", b"b"),
        fs.rename("/lost+found", "/x"),
        fs.set_content("/etc/motd", b"x"),
        fs.append("/etc/motd", b"x"),
        fs.hard_link("/etc/motd", "/x"),
    ] {
        match result {
            Err(Error::ReadOnly(told)) => assert_eq!(told, reason),
            Err(Error::Missing { .. }) => {}
            other => panic!("{why}: {other:?}"),
        }
    }
    fs.finish().unwrap();
    assert!(disk.edits().is_empty(), "{why}: nothing is written");
}

#[test]
fn features_that_would_be_left_wrong() {
    if !tools::have("mke2fs") {
        return;
    }
    for (args, mib, why) in [
        (&["-t", "ext4", "-O", "quota"][..], 64, "tune2fs -O ^quota"),
        (&["-t", "ext4", "-O", "quota,project"], 64, "quota"),
        (&["-t", "ext4", "-O", "project"], 64, "project"),
        (&["-t", "ext4", "-O", "bigalloc"], 128, "bigalloc"),
    ] {
        assert_read_only(&Image::make(args, mib).path(), why);
    }
}

#[test]
fn states_that_need_repair_first() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for (commands, why) in [
        (&["ssv state 0"][..], "not unmounted cleanly"),
        (&["ssv state 3"], "error"),
        (&["ssv state 3", "feature needs_recovery"], "error"),
        (&["ssv journal_inum 0"], "another device"),
        (&["ssv journal_inum 0", "feature needs_recovery"], "another device"),
        (&["feature ^has_journal needs_recovery"], "no journal to recover from"),
        (&["feature shared_blocks"], "shared_blocks"),
        (&["feature FEATURE_R25"], "0x2000000"),
        (&["feature read-only"], "read-only"),
    ] {
        let image = Image::make(&["-t", "ext4"], 64);
        for command in commands {
            debugfs(&image.path(), command);
        }
        assert_read_only(&image.path(), why);
    }
    let image = Image::make(&["-t", "ext2"], 64);
    debugfs(&image.path(), "ssv state 0");
    assert_read_only(&image.path(), "not unmounted cleanly");
}

#[test]
fn multiple_mount_protection_tells_who_has_it_mounted() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    let image = Image::make(&["-t", "ext4", "-O", "mmp"], 64);
    assert_writable(&image, "mmp, unmounted");
    // debugfs itself takes part in the protection, so the block is written here: blocks have 1 or 4 KiB.
    let file = std::fs::File::options().read(true).write(true).open(image.path()).unwrap();
    let mut bytes = [0; 0x16c];
    file.read_exact_at(&mut bytes, 1024).unwrap();
    let block = u64::from(u32::from_le_bytes(bytes[0x168..].try_into().unwrap())) << (10 + bytes[0x18]);
    file.write_all_at(b"build-host-7\0", block + 16).unwrap();
    for (sequence, told) in [(0x1234_u32, "in use by \"build-host-7\""), (0xe24d_4d50, "e2fsck runs on it")] {
        file.write_all_at(&sequence.to_le_bytes(), block + 4).unwrap();
        assert_read_only(&image.path(), told);
    }
    file.write_all_at(&[0; 4], block).unwrap();
    let error = Ext4::open(TestDisk::open(&image.path()), EPOCH).err().unwrap().to_string();
    assert!(error.contains("multiple mount protection: its magic number is 0x00000000"), "{error}");
}

/// Edits go through, and e2fsck finds nothing.
fn assert_writable(image: &Image, what: &str) {
    let disk = TestDisk::open(&image.path());
    let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(fs.read_only_reason(), None, "{what}");
    fs.create("/etc/new", 0o644, 0, 0).unwrap();
    fs.set_content("/etc/new", &[1; 10_000]).unwrap();
    fs.remove("/etc/slow-link").unwrap();
    fs.finish().unwrap();
    disk.save(&image.beside("edited"));
    assert_clean(&image.beside("edited"), what);
}

#[test]
fn features_of_single_inodes_refuse_these_alone() {
    if !tools::have("mke2fs") || !tools::have("debugfs") || !tools::have("e2fsck") {
        return;
    }
    // `i_flags` of a directory with extents, and what makes it special.
    for (feature, flag) in [("casefold", 0x4000_0000_u32), ("encrypt", 0x800), ("verity", 0)] {
        let image = Image::make(&["-t", "ext4", "-O", feature], 64);
        assert_writable(&image, feature);
        if flag == 0 {
            debugfs(&image.path(), "sif /etc/motd flags 0x180000");
        } else {
            debugfs(&image.path(), &format!("sif /many flags {:#x}", flag | 0x8_0000));
        }
        let disk = TestDisk::open(&image.path());
        let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
        let results = if flag == 0 {
            vec![fs.set_content("/etc/motd", b"x"), fs.append("/etc/motd", b"x")]
        } else {
            vec![
                fs.create("/many/new", 0o644, 0, 0),
                fs.remove("/many/entry-number-0007"),
                fs.rename("/etc/motd", "/many/motd"),
                fs.hard_link("/etc/motd", "/many/motd"),
            ]
        };
        for result in results {
            let error = result.err().unwrap_or_else(|| panic!("{feature}: is done")).to_string();
            let told = error.contains("/many") || error.contains("/etc/motd");
            assert!(told, "{feature}: {error}");
        }
        assert!(disk.edits().is_empty(), "{feature}: nothing is written");
        fs.create("/etc/new", 0o644, 0, 0).unwrap();
    }
}

#[test]
fn what_cannot_be_read_at_all() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    let open = |path: &Path| match Ext4::open(TestDisk::open(path), EPOCH) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    };
    let image = Image::empty(&["-t", "ext4", "-O", "journal_dev"], 64);
    let error = open(&image.path());
    assert!(matches!(error, Error::Unsupported(_)) && error.to_string().contains("journal_dev"), "{error}");

    let image = Image::make(&["-t", "ext4"], 64);
    debugfs(&image.path(), "feature FEATURE_I30");
    let error = open(&image.path());
    assert!(error.to_string().contains("0x40000000"), "{error}");

    let image = Image::make(&["-t", "ext4"], 64);
    std::fs::File::options().write(true).open(image.path()).unwrap().set_len(40 << 20).unwrap();
    let error = open(&image.path());
    assert!(error.to_string().contains("do not fit the partition"), "{error}");

    let blank = image.beside("blank");
    std::fs::File::create(&blank).unwrap().set_len(1 << 20).unwrap();
    assert!(matches!(open(&blank), Error::NotExt4 { found: 0 }));
    std::fs::File::create(&blank).unwrap().set_len(1500).unwrap();
    assert!(matches!(open(&blank), Error::Damaged(_)));

    let image = Image::make(&["-t", "ext4"], 64);
    let file = std::fs::File::options().write(true).open(image.path()).unwrap();
    file.write_all_at(b"another label", 1024 + 0x78).unwrap();
    let error = open(&image.path());
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn tables_on_top_of_each_other() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for (request, told) in [
        ("set_bg 1 block_bitmap 300", "block bitmap of group 1 lies on top of the inode table of group 0"),
        ("set_bg 1 inode_bitmap 258", "lies on top of the"),
        ("set_bg 1 inode_table 500", "inode table of group 1 lies on top of the inode table of group 0"),
        ("set_bg 1 inode_table 60000", "damaged"),
    ] {
        let image = Image::make(&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"], 32);
        debugfs(&image.path(), request);
        let error = Ext4::open(TestDisk::open(&image.path()), EPOCH).err();
        let error = error.unwrap_or_else(|| panic!("{request}: opens")).to_string();
        assert!(error.contains(told), "{request}: {error}");
    }
}
