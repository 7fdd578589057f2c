//! Which partition is the root.

use hardtack_guest::GuestPath;

use crate::disk::{Bench, ESP, LINUX, Part, ROOT_X86_64, open, refusal, tools};

fn part(number: u32, kind: &'static str, content: std::path::PathBuf) -> Part<'static> {
    Part { number, kind, name: "", content: Some(content) }
}

fn root_number(path: &std::path::Path) -> u32 {
    let guest = open(path).unwrap_or_else(|error| panic!("{error}"));
    guest.volumes().iter().find(|volume| volume.mount == Some(GuestPath::root())).unwrap().number
}

#[test]
fn type_before_label_before_content() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let plain = || bench.root("plain", &[], "");
    let labelled = || bench.root("labelled", &["-L", "cloudimg-rootfs"], "");
    let data = || bench.ext4("data", 16, &["-L", "root"], &[("/file", "")]);
    for (name, parts, wanted) in [
        ("type", vec![part(1, LINUX, labelled()), part(3, ROOT_X86_64, plain())], 3),
        ("label", vec![part(1, LINUX, plain()), part(2, LINUX, labelled())], 2),
        ("content", vec![part(1, ESP, bench.esp("esp", 16, &[])), part(5, LINUX, plain())], 5),
        ("label without content", vec![part(1, LINUX, data()), part(2, LINUX, plain())], 2),
    ] {
        assert_eq!(root_number(&bench.gpt(name, &parts)), wanted, "{name}");
    }
    let parts =
        [Part { number: 2, kind: LINUX, name: "root", content: Some(plain()) }, part(1, LINUX, plain())];
    assert_eq!(root_number(&bench.gpt("partition name", &parts)), 2);
}

#[test]
fn two_roots_are_refused_by_name_unless_one_names_itself() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let (one, two) = (bench.root("one", &[], ""), bench.root("two", &[], ""));
    let disk = bench.gpt("twins", &[part(1, LINUX, one.clone()), part(2, LINUX, two)]);
    let told = refusal(&disk);
    assert!(told.contains("ext4 on partition 1, ext4 on partition 2"), "{told}");
    let own = bench.root("own", &[], "/dev/vda2 / ext4 defaults 0 1\n");
    let disk = bench.gpt("own disk", &[part(1, LINUX, one), part(2, LINUX, own)]);
    assert_eq!(root_number(&disk), 2);
}

#[test]
fn disks_without_gpt() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let root = bench.root(
        "root",
        &[],
        "/dev/sda1 / ext3 defaults 0 1\n/dev/sdb /mnt auto nofail 0 0\nnone /proc proc\n",
    );
    let guest = open(&root).unwrap();
    assert_eq!((guest.volumes().len(), guest.volumes()[0].number), (1, 0));
    assert_eq!(guest.volumes()[0].describe(), "ext4 on the whole disk");
    assert_eq!(guest.notes().len(), 1, "{:?}", guest.notes());
    assert!(guest.notes()[0].contains("/dev/sdb on /mnt"), "{:?}", guest.notes());
    assert_eq!(root_number(&bench.mbr("mbr", &root)), 1);
    // Before os-release there was passwd.
    let old = bench.ext4("old", 16, &["-O", "^metadata_csum,^64bit"], &[("/etc/passwd", "root:x:0:0::/:\n")]);
    assert_eq!(root_number(&old), 0);
}

#[test]
fn roots_of_other_kinds_are_refused_by_name() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    for (name, at, magic, kind) in [
        ("xfs", 0, &b"XFSB"[..], "XFS on partition 2"),
        ("btrfs", 0x10040, b"_BHRfS_M", "btrfs on partition 2"),
        ("bitlocker", 3, b"-FVE-FS-", "BitLocker on partition 2"),
        ("f2fs", 1024, &[0x10, 0x20, 0xf5, 0xf2], "F2FS on partition 2"),
        (
            "bcachefs",
            4120,
            &[0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef],
            "bcachefs on partition 2",
        ),
        ("luks", 0, b"LUKS\xba\xbe\0\x02", "LUKS on partition 2"),
        (
            "lvm",
            512,
            b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001",
            "LVM physical volume on partition 2",
        ),
    ] {
        let boot = bench.ext4("boot", 16, &["-L", "BOOT"], &[("/vmlinuz", "")]);
        let disk = bench.gpt(
            &format!("{name}.disk"),
            &[part(1, LINUX, boot.clone()), part(2, LINUX, bench.magic(name, at, magic))],
        );
        let told = refusal(&disk);
        assert!(told.contains(kind) && told.contains("only ext4"), "{name}: {told}");
        let typed = bench.gpt(
            &format!("{name}.typed"),
            &[part(1, LINUX, boot), part(2, ROOT_X86_64, bench.magic(name, at, magic))],
        );
        assert!(refusal(&typed).contains(kind), "{name}");
    }
    let data = bench.ext4("data", 16, &[], &[("/file", "")]);
    let told = refusal(&bench.gpt("empty root", &[part(1, ROOT_X86_64, data.clone())]));
    assert!(told.contains("by its type, ext4 on partition 1 is the root"), "{told}");
    let told = refusal(&bench.gpt("no root", &[part(1, LINUX, data)]));
    assert!(told.contains("no root file system") && told.contains("ext4 on partition 1"), "{told}");
    let blank = bench.magic("blank", 0, b"");
    assert!(refusal(&blank).contains("no root file system"));
}

#[test]
fn a_root_that_must_not_be_changed_is_refused_before_anything_else() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let root = bench.root("root", &["-O", "^metadata_csum"], "");
    let mut bytes = std::fs::read(&root).unwrap();
    // Read-only features that nobody knows yet.
    bytes[1024 + 103] = 0xff;
    std::fs::write(&root, bytes).unwrap();
    let told = refusal(&bench.gpt("disk", &[part(1, ROOT_X86_64, root)]));
    for word in ["ext4 on partition 1", "cannot be changed", "0xff000000"] {
        assert!(told.contains(word), "{told}");
    }
}
