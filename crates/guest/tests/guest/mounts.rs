//! What the guest's fstab says.

use hardtack_guest::{GuestPath, Tree};

use crate::disk::{Bench, ESP, LINUX, Part, ROOT_X86_64, open, refusal, tools};

struct Disk {
    bench: Bench,
}

impl Disk {
    /// Root 1, ext4 "my data" 2, XFS 3, FAT 4, with the given fstab.
    fn with(fstab: &str) -> (Self, std::path::PathBuf) {
        let bench = Bench::new();
        let part = |number, kind, name, content| Part { number, kind, name, content: Some(content) };
        let path = bench.gpt(
            "disk",
            &[
                part(1, ROOT_X86_64, "", bench.root("root", &[], fstab)),
                part(
                    2,
                    LINUX,
                    "second",
                    bench.ext4(
                        "second",
                        16,
                        &["-L", "my data", "-U", "6b8a1d4e-0f7c-4d51-9a3e-2f1c5b7d9e80"],
                        &[("/marker", "second")],
                    ),
                ),
                part(3, LINUX, "", bench.magic("xfs", 0, b"XFSB")),
                part(4, ESP, "", bench.esp("esp", 16, &["-i", "1a2b3c4d"])),
            ],
        );
        (Self { bench }, path)
    }
}

#[test]
fn every_way_to_name_a_partition() {
    if !tools() {
        return;
    }
    for device in [
        "LABEL=my\\040data",
        "LABEL=\"my data\"",
        "LABEL='my data'",
        "UUID=6B8A1D4E-0f7c-4d51-9a3e-2f1c5b7d9e80",
        "PARTUUID=5D2F1C5B-7d9e-4d51-9a3e-0f7c6b8a1d02",
        "PARTLABEL=second",
        "/dev/vda2",
        "/dev/nvme0n1p2",
        "/dev/disk/by-label/my\\x20data",
        "/dev/disk/by-partlabel/second",
    ] {
        let (_keep, path) =
            Disk::with(&format!("{device} /data ext4 defaults 0 2\nUUID=1A2B-3C4D /efi vfat\n"));
        let guest = open(&path).unwrap();
        assert_eq!(guest.read_file(&GuestPath::new("/data/marker"), 10).unwrap(), b"second", "{device}");
        assert!(guest.lstat(&GuestPath::new("/efi/EFI/debian")).unwrap().is_some(), "{device}");
        let names: Vec<_> =
            guest.read_dir(&GuestPath::root()).unwrap().into_iter().map(|entry| entry.name).collect();
        assert!(names.contains(&"efi".to_owned()), "a mount point is made when it is missing: {names:?}");
        // All of a directory at once is the same as one by one.
        let at_once = guest.read_dir_stat(&GuestPath::root()).unwrap();
        let one =
            |name: String| (name.clone(), guest.lstat(&GuestPath::root().join(&name)).unwrap().unwrap());
        assert_eq!(at_once, names.into_iter().map(one).collect::<Vec<_>>(), "{device}");
    }
}

#[test]
fn what_cannot_be_mounted_is_told_or_refused() {
    if !tools() {
        return;
    }
    for (fstab, told) in [
        ("/dev/vdb /data ext4 nofail 0 2", Ok("another disk")),
        ("/dev/vdb /data ext4 defaults 0 2", Ok("another disk")),
        ("LABEL=none /data ext4", Ok("no such partition")),
        ("/dev/vdb /usr ext4 nofail", Ok("another disk")),
        ("/dev/vda3 /data xfs", Ok("XFS on partition 3")),
        ("/dev/vda2 /data ext4\n/dev/vda2 /srv ext4", Ok("mounted on /data already")),
        ("/dev/vda2 /data ext4\n/dev/vda4 /data vfat", Ok("mounted there already")),
        ("/dev/vda1 /data ext4", Ok("mounted on / already")),
        ("/dev/vda2 / ext4", Ok("another partition than the root")),
        ("only-a-device", Ok("/etc/fstab:1: a line needs")),
        ("LABEL=none /boot ext4", Err("LABEL=none on /boot: no such partition")),
        ("/dev/mapper/vg-usr /usr ext4", Err("/dev/mapper/vg-usr on /usr")),
        ("/dev/vda3 /home xfs", Err("XFS on partition 3")),
        ("# comment\n/dev/vda3 /var xfs", Err("/etc/fstab:2: /dev/vda3 on /var")),
    ] {
        let (_keep, path) = Disk::with(&format!("{fstab}\n"));
        match told {
            Ok(note) => {
                let guest = open(&path).unwrap_or_else(|error| panic!("{fstab}: {error}"));
                assert!(
                    guest.notes().iter().any(|found| found.contains(note)),
                    "{fstab}: {:?}",
                    guest.notes()
                );
            }
            Err(refused) => {
                let found = refusal(&path);
                assert!(found.contains(refused), "{fstab}: {found}");
            }
        }
    }
}

#[test]
fn a_mount_that_cannot_be_read_is_a_closed_door() {
    if !tools() {
        return;
    }
    let (keep, path) = Disk::with("/dev/vda3 /data xfs defaults 0 0\n");
    let guest = open(&path).unwrap();
    assert!(keep.bench.path("disk").exists());
    assert!(guest.lstat(&GuestPath::new("/data")).unwrap().is_some());
    let error = guest.lstat(&GuestPath::new("/data/file")).unwrap_err().to_string();
    assert!(error.contains("/data") && error.contains("XFS on partition 3"), "{error}");
}

#[test]
fn lines_that_mount_nothing_here() {
    if !tools() {
        return;
    }
    let (_keep, path) = Disk::with(
        "/dev/vda2 /data ext4 noauto 0 0\ntmpfs /tmp tmpfs\n/data /srv none bind\nnas:/x /x nfs\n\
         /swapfile none swap sw 0 0\n",
    );
    let guest = open(&path).unwrap();
    assert_eq!(guest.notes().len(), 1, "{:?}", guest.notes());
    assert!(guest.notes()[0].contains("/srv shows /data there (a bind mount)"), "{:?}", guest.notes());
    assert_eq!(guest.volumes().iter().filter(|volume| volume.mount.is_some()).count(), 1);
}

#[test]
fn a_mount_point_that_is_a_link_is_where_it_points() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let files = |fstab| {
        [
            ("/etc/os-release", "ID=debian\n"),
            ("/etc/fstab", fstab),
            ("/boot", "->/system/boot"),
            ("/system/boot/", ""),
            ("/loop", "->loop"),
        ]
    };
    let disk = |fstab| {
        let root = bench.ext4("root", 48, &[], &files(fstab));
        let boot = bench.ext4("boot", 16, &["-L", "BOOT"], &[("/marker", "boot")]);
        let part = |number, content| Part { number, kind: LINUX, name: "", content: Some(content) };
        bench.gpt("disk", &[part(1, root), part(2, boot)])
    };
    let guest = open(&disk("LABEL=BOOT /boot ext4 defaults 0 2\n")).unwrap();
    assert_eq!(guest.read_file(&GuestPath::new("/system/boot/marker"), 10).unwrap(), b"boot");
    assert_eq!(guest.read_link(&GuestPath::new("/boot")).unwrap(), "/system/boot", "the link stays one");
    let guest = open(&disk("LABEL=BOOT /loop/x ext4 defaults 0 2\n")).unwrap();
    assert!(guest.notes()[0].contains("too many levels"), "{:?}", guest.notes());
    let told = refusal(&disk("LABEL=NONE /boot ext4 defaults 0 2\n"));
    assert!(told.contains("on /boot: no such partition"), "{told}");
}

#[test]
fn a_name_of_several_partitions_is_refused_where_the_system_lies() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let disk = |fstab| {
        let part = |number, content| Part { number, kind: LINUX, name: "", content: Some(content) };
        let data = || bench.ext4("data", 16, &["-L", "data"], &[]);
        bench.gpt("disk", &[part(1, bench.root("root", &[], fstab)), part(2, data()), part(3, data())])
    };
    let guest = open(&disk("LABEL=data /data ext4 defaults 0 2\n")).unwrap();
    assert!(guest.notes()[0].contains("several partitions have that name"), "{:?}", guest.notes());
    assert!(refusal(&disk("LABEL=data /home ext4 defaults 0 2\n")).contains("several partitions"));
}
