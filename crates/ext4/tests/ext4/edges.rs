//! Single facts that random edits do not reach.

use hardtack_ext4::{Error, Ext4, ViewError, ViewTree};

use crate::disk::TestDisk;
use crate::kernel;
use crate::model::{EPOCH, content};
use crate::tools::{self, Image, debugfs};

fn open(image: &Image) -> (std::sync::Arc<TestDisk>, Ext4) {
    let disk = TestDisk::open(&image.path());
    let fs = Ext4::open(disk.clone(), EPOCH).unwrap();
    (disk, fs)
}

#[test]
fn a_big_file_on_scattered_free_space() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in [&["-t", "ext4"][..], &["-t", "ext4", "-b", "1024"]] {
        let image = Image::empty(args, 96);
        let (disk, mut fs) = open(&image);
        // Every second file goes: the free space becomes holes of 96 KiB.
        for index in 0..400 {
            let path = format!("/hole{index}");
            fs.create(&path, 0o644, 0, 0).unwrap();
            fs.set_content(&path, &vec![1; 96 * 1024]).unwrap();
        }
        for index in (0..400).step_by(2) {
            fs.remove(&format!("/hole{index}")).unwrap();
        }
        let big: Vec<u8> = (0..50_u32 << 20).map(|index| (index >> 8) as u8 ^ index as u8).collect();
        fs.create("/big", 0o755, 0, 0).unwrap();
        fs.set_content("/big", &big).unwrap();
        assert!(content(&fs, "/big") == big);
        fs.set_content("/big", b"small again").unwrap();
        fs.set_content("/big", &big[..20 << 20]).unwrap();
        fs.append("/big", &big[20 << 20..21 << 20]).unwrap();
        fs.finish().unwrap();
        let edited = image.beside("edited");
        disk.save(&edited);
        tools::assert_clean(&edited, &format!("{args:?}"));
        let view = ViewTree::open(TestDisk::open(&edited)).unwrap();
        assert!(view.read_tail("/big", 20 << 20, 2 << 20).unwrap() == big[20 << 20..21 << 20]);
        kernel::mounted(&edited, "big file", |root| {
            assert!(std::fs::read(root.join("big")).unwrap() == big[..21 << 20]);
        });
    }
}

#[test]
fn a_directory_grows_to_3000_entries_and_empties() {
    if !tools::have("mke2fs") {
        return;
    }
    for args in [&["-t", "ext4"][..], &["-t", "ext4", "-b", "1024"], &["-t", "ext3"]] {
        let image = Image::empty(args, 64);
        let (disk, mut fs) = open(&image);
        fs.mkdir("/d", 0o755, 0, 0).unwrap();
        let name = |index: usize| format!("/d/a-rather-long-name-for-entry-{index:05}");
        for index in 0..3000 {
            fs.create(&name(index), 0o644, 0, 0).unwrap();
        }
        assert_eq!(fs.read_dir("/d").unwrap().len(), 3000);
        let grown = image.beside("grown");
        disk.save(&grown);
        tools::assert_clean(&grown, &format!("{args:?} grown"));
        kernel::mounted(&grown, "grown directory", |root| {
            for index in (0..3000).step_by(97) {
                assert!(root.join(&name(index)[1..]).exists(), "the kernel's index finds entry {index}");
            }
        });
        for index in 0..3000 {
            fs.remove(&name(index)).unwrap();
        }
        fs.remove("/d").unwrap();
        fs.finish().unwrap();
        let emptied = image.beside("emptied");
        disk.save(&emptied);
        tools::assert_clean(&emptied, &format!("{args:?} emptied"));
    }
}

#[test]
fn replacing_keeps_inode_owner_mode_labels_and_hard_links() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for args in [
        &["-t", "ext4"][..],
        &["-t", "ext4", "-I", "128"],
        &["-t", "ext4", "-O", "inline_data"],
        &["-t", "ext3"],
    ] {
        let image = Image::make(args, 64);
        debugfs(&image.path(), "ea_set /etc/shadow security.selinux system_u:object_r:shadow_t:s0");
        let (disk, mut fs) = open(&image);
        fs.set_owner("/etc/shadow", 0, 42).unwrap();
        fs.set_mode("/etc/shadow", 0o640).unwrap();
        let before = fs.lstat("/etc/shadow").unwrap().unwrap();
        assert_eq!(before.links, 2, "{args:?}");
        let text = "debian:$6$salt$hash:20000:0:99999:7:::\n".repeat(200);
        fs.set_content("/etc/shadow", text.as_bytes()).unwrap();
        let after = fs.lstat("/etc/shadow").unwrap().unwrap();
        assert_eq!(
            (after.inode, after.mode, after.uid, after.gid, after.links),
            (before.inode, 0o640, 0, 42, 2)
        );
        assert_eq!(after.mtime, EPOCH);
        assert_eq!(content(&fs, "/etc/shadow-"), text.as_bytes(), "the other name has the new content");
        let label = ("security.selinux".to_owned(), b"system_u:object_r:shadow_t:s0".to_vec());
        assert_eq!(fs.xattrs("/etc/shadow").unwrap(), [label], "{args:?}");
        // VFS_CAP_REVISION_2 with cap_net_raw: what dpkg's ping has.
        let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        fs.set_xattr("/etc/motd", "security.capability", capability).unwrap();
        fs.set_xattr("/etc/motd", "security.selinux", b"first").unwrap();
        fs.set_xattr("/etc/motd", "security.selinux", &[b'x'; 300]).unwrap();
        let found = fs.xattrs("/etc/motd").unwrap();
        assert_eq!(found.len(), 2, "{args:?}: {found:?}");
        assert_eq!(found[0].1, capability, "{args:?}");
        assert_eq!(found[1].1, [b'x'; 300], "{args:?}");
        fs.finish().unwrap();
        let edited = image.beside("edited");
        disk.save(&edited);
        tools::assert_clean(&edited, &format!("{args:?}"));
        let listed = debugfs(&edited, "ea_list /etc/shadow");
        assert!(listed.contains("shadow_t:s0"), "{args:?}: {listed}");
    }
}

#[test]
fn times_are_the_clocks_and_parents_change_too() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    let image = Image::make(&["-t", "ext4"], 64);
    let (disk, mut fs) = open(&image);
    fs.create("/etc/new", 0o600, 0, 0).unwrap();
    assert_eq!(fs.lstat("/etc").unwrap().unwrap().mtime, EPOCH, "the directory changed");
    fs.remove("/many/entry-number-0007").unwrap();
    assert_eq!(fs.lstat("/many").unwrap().unwrap().mtime, EPOCH);
    fs.rename("/etc/motd", "/usr/lib/motd").unwrap();
    assert_eq!(fs.lstat("/usr/lib").unwrap().unwrap().mtime, EPOCH);
    fs.mkdir("/srv", 0o750, 0, 0).unwrap();
    assert_eq!(fs.lstat("/").unwrap().unwrap().mtime, EPOCH);
    fs.set_mtime("/etc/new", 1_600_000_000).unwrap();
    assert_eq!(fs.lstat("/etc/new").unwrap().unwrap().mtime, 1_600_000_000);
    fs.set_mtime("/srv", 4_500_000_000).unwrap();
    fs.finish().unwrap();
    let edited = image.beside("edited");
    disk.save(&edited);
    tools::assert_clean(&edited, "times");
    for path in ["/etc", "/many", "/usr/lib"] {
        let listed = debugfs(&edited, &format!("stat {path}"));
        // 0x6553f100 is EPOCH; the second number has the nanoseconds: none.
        assert!(listed.contains("ctime: 0x6553f100:00000000"), "{path}: {listed}");
        assert!(listed.contains("mtime: 0x6553f100:00000000"), "{path}: {listed}");
    }
    let view = ViewTree::open(TestDisk::open(&edited)).unwrap();
    assert_eq!(view.lstat("/srv").unwrap().unwrap().mtime, 4_500_000_000);
    assert_eq!(view.lstat("/nowhere").unwrap(), None);
}

#[test]
fn a_full_file_system_says_how_much_is_missing() {
    if !tools::have("mke2fs") {
        return;
    }
    let image = Image::empty(&["-t", "ext4", "-N", "64"], 16);
    let (disk, mut fs) = open(&image);
    let free = fs.superblock().free_bytes();
    fs.create("/big", 0o644, 0, 0).unwrap();
    let written = disk.edits();
    match fs.set_content("/big", &vec![7; free as usize + 1]) {
        Err(Error::NoSpace { path, needed, free: told }) => {
            assert_eq!((path.as_str(), told), ("/big", free));
            assert!(needed > free);
        }
        other => panic!("{other:?}"),
    }
    assert!(disk.edits() == written, "nothing is written then");
    // Just what is there: the extent tree's own blocks may or may not find room.
    let filled = fs.set_content("/big", &vec![7; free as usize]);
    if let Err(error) = filled {
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    }
    fs.set_content("/big", b"").unwrap();
    let mut made = 0;
    let error = loop {
        match fs.create(&format!("/f{made}"), 0o644, 0, 0) {
            Ok(()) => made += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NoInodes { .. }), "{error}");
    assert!(made > 10);
    fs.finish().unwrap();
    let edited = image.beside("edited");
    disk.save(&edited);
    tools::assert_clean(&edited, "full");
}

#[test]
fn answers_for_paths_that_are_not_what_was_asked_for() {
    if !tools::have("mke2fs") {
        return;
    }
    let image = Image::make(&["-t", "ext4"], 64);
    let (_, mut fs) = open(&image);
    assert_eq!(fs.lstat("/no/such").unwrap(), None);
    assert_eq!(fs.lstat("/etc/motd/below").unwrap(), None, "below a file there is nothing");
    assert_eq!(fs.lstat("/etc/os-release/below").unwrap(), None, "links are not followed");
    assert_eq!(fs.read_link("/etc/os-release").unwrap(), "../usr/lib/os-release");
    assert!(matches!(fs.read_dir("/etc/motd"), Err(Error::WrongType { .. })));
    assert!(matches!(fs.read_at("/etc", 0, &mut [0; 4]), Err(Error::WrongType { .. })));
    assert!(matches!(fs.set_content("/etc/os-release", b"x"), Err(Error::WrongType { .. })));
    assert!(matches!(fs.create("/etc/motd", 0o644, 0, 0), Err(Error::Exists { .. })));
    assert!(matches!(fs.create("/no/such/file", 0o644, 0, 0), Err(Error::Missing { .. })));
    assert!(matches!(fs.remove("/etc"), Err(Error::NotEmpty { .. })));
    assert!(fs.remove("/").is_err());
    assert!(matches!(fs.hard_link("/etc", "/etc2"), Err(Error::WrongType { .. })));
    assert!(fs.create(&format!("/{}", "n".repeat(256)), 0o644, 0, 0).is_err());
    assert_eq!(fs.superblock().label, "cloudimg-rootfs");
    assert_eq!(fs.superblock().uuid, "6b8a1d4e-0f7c-4d51-9a3e-2f1c5b7d9e80");
}

#[test]
fn directories_with_several_names_are_damage() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for features in ["metadata_csum", "^metadata_csum,^filetype", "inline_data"] {
        let image = Image::empty(&["-t", "ext4", "-I", "256", "-O", features], 32);
        tools::debugfs_script(
            &image.path(),
            "mkdir ring\nmkdir ring/below\nln ring ring/below/again\nmkdir twice\nmkdir twice/one\nln twice/one twice/two\n",
        );
        let (_, fs) = open(&image);
        for (path, told) in
            [("/ring/below/again", "stands in"), ("/twice", "two is a second name of the directory")]
        {
            match fs.read_dir(path) {
                Err(Error::Damaged(what)) => assert!(what.contains(told), "{features} {path}: {what}"),
                other => panic!("{features} {path}: {other:?}"),
            }
        }
        for path in ["/", "/ring", "/ring/below", "/twice/one"] {
            fs.read_dir(path).unwrap();
        }
    }
}

#[test]
fn a_link_to_what_is_no_path_is_beyond_the_second_reader() {
    if !tools::have("mke2fs") {
        return;
    }
    let image = Image::empty(&["-t", "ext4"], 32);
    let (disk, mut fs) = open(&image);
    let target = "x".repeat(256);
    fs.symlink("/lock", &target, 0, 0).unwrap();
    fs.finish().unwrap();
    assert_eq!(fs.read_link("/lock").unwrap(), target);
    let edited = image.beside("edited");
    disk.save(&edited);
    tools::assert_clean(&edited, "a long target");
    let view = ViewTree::open(TestDisk::open(&edited)).unwrap();
    let told = view.lstat("/lock").and_then(|_| view.read_link("/lock")).unwrap_err();
    assert!(matches!(told, ViewError::Unsupported(_)), "{told}");
}

#[test]
fn what_removed_inodes_still_hold_is_unowned() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for args in [&["-t", "ext4", "-O", "inline_data"][..], &["-t", "ext2", "-I", "256"]] {
        let image = Image::empty(args, 32);
        // As a kernel leaves them: neither the target nor the attribute is wiped.
        tools::debugfs_script(
            &image.path(),
            "symlink gone a-secret-in-an-inode\nsymlink kept not-a-secret\nea_set gone user.a another-secret\nrm gone\n",
        );
        let mut bytes = std::fs::read(image.path()).unwrap();
        let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        assert!(find(&bytes, b"a-secret-in-an-inode") && find(&bytes, b"another-secret"), "{args:?}");
        let (_, fs) = open(&image);
        for range in fs.unowned().unwrap() {
            bytes[range.start as usize..range.end as usize].fill(0);
        }
        assert!(!find(&bytes, b"a-secret-in-an-inode") && !find(&bytes, b"another-secret"), "{args:?}");
        assert!(find(&bytes, b"not-a-secret"), "{args:?}");
        let wiped = image.beside("wiped");
        std::fs::write(&wiped, bytes).unwrap();
        tools::assert_clean(&wiped, &format!("{args:?}"));
        let fs = Ext4::open(TestDisk::open(&wiped), EPOCH).unwrap();
        assert_eq!(fs.read_link("/kept").unwrap(), "not-a-secret");
        assert_eq!(fs.unowned().unwrap().len(), open(&image).1.unowned().unwrap().len() - 1);
    }
}
