//! The layout of Ubuntu's cloud images: root 1, BIOS 14, ESP 15, /boot 16.

use std::sync::Arc;

use hardtack_disk::{BlockSource, BlockWrite};
use hardtack_guest::{FileType, Guest, GuestPath, Location, OsRelease, Set, Stage, Tree, apply, confirm};
use hardtack_partition::FsKind;

use crate::disk::{BIOS, Bench, EPOCH, ESP, LINUX, Part, overlay, save, succeed, tools};

const FSTAB: &str = "LABEL=cloudimg-rootfs / ext4 defaults 0 1\nLABEL=BOOT /boot ext4 defaults 0 2\n\
                     LABEL=UEFI /boot/efi vfat umask=0077 0 1\n";

fn ubuntu(bench: &Bench) -> std::path::PathBuf {
    let root = bench.root("root", &["-L", "cloudimg-rootfs"], FSTAB);
    let boot = bench.ext4(
        "boot",
        24,
        &["-L", "BOOT"],
        &[("/vmlinuz-6.8", "kernel"), ("/efi/", ""), ("/grub/grub.cfg", "menuentry\n")],
    );
    let esp = bench.esp("esp", 34, &["-F", "16", "-n", "UEFI", "-i", "1a2b3c4d"]);
    bench.gpt(
        "disk",
        &[
            Part { number: 14, kind: BIOS, name: "", content: None },
            Part { number: 15, kind: ESP, name: "", content: Some(esp) },
            Part { number: 16, kind: LINUX, name: "", content: Some(boot) },
            Part { number: 1, kind: LINUX, name: "", content: Some(root) },
        ],
    )
}

#[test]
fn a_guest_is_seen_and_changed_through_its_own_mounts() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let path = ubuntu(&bench);
    let before = std::fs::read(&path).unwrap();
    let disk: Arc<dyn BlockWrite> = overlay(&path);
    let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
    let seen: Vec<_> = guest
        .volumes()
        .iter()
        .map(|volume| {
            (volume.number, volume.kind, volume.mount.as_ref().map(|mount| mount.as_str().to_owned()))
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, FsKind::Ext4, Some("/".to_owned())),
            (14, FsKind::Unknown, None),
            (15, FsKind::Fat, Some("/boot/efi".to_owned())),
            (16, FsKind::Ext4, Some("/boot".to_owned())),
        ]
    );
    assert_eq!(guest.notes(), &[] as &[String]);
    assert_eq!(guest.root_uuid(), guest.volumes()[0].uuid.as_deref());
    assert_eq!(OsRelease::read(&guest).unwrap().unwrap().id(), "debian");

    let at = GuestPath::new;
    assert_eq!(guest.read_file(&at("/boot/vmlinuz-6.8"), 100).unwrap(), b"kernel");
    assert_eq!(guest.lstat(&at("/boot/hidden")).unwrap(), None, "what a mount hides is not there");
    assert_eq!(guest.lstat(&at("/boot/efi")).unwrap().unwrap().kind, FileType::Directory);
    let loader = guest.read_file(&at("/boot/efi/efi/DEBIAN/grub.cfg"), 1 << 20).unwrap();
    assert_eq!(loader, "search.fs_uuid root\n".repeat(3000).as_bytes(), "FAT names have no case");
    let names: Vec<_> =
        guest.read_dir(&at("/boot/efi/EFI")).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["A long name with blanks.txt", "debian"]);
    let metadata = guest.lstat(&at("/boot/efi/EFI/debian/grub.cfg")).unwrap().unwrap();
    assert_eq!(
        (metadata.kind, metadata.mode, metadata.uid),
        (FileType::Regular, 0o700, 0),
        "as umask=0077 shows it"
    );
    assert!(metadata.mtime > 1_600_000_000, "{}", metadata.mtime);
    let (volume, inside) = guest.locate(&at("/boot/grub/grub.cfg"));
    assert_eq!((volume.describe().as_str(), inside.as_str()), ("ext4 on partition 16", "/grub/grub.cfg"));

    let edits = {
        let mut stage = Stage::new(&guest);
        stage.write("/etc/motd", "hardened\n", Set::default()).unwrap();
        stage.write("/boot/grub/custom.cfg", "set timeout=0\n", Set::mode(0o600)).unwrap();
        stage.write("/srv/new/file", vec![7; 300_000], Set::all(0o640, 1000, 100_000)).unwrap();
        stage.symlink("/etc/localtime", "/usr/share/zoneinfo/UTC").unwrap();
        stage.remove("/boot/vmlinuz-6.8").unwrap();
        stage.edits().unwrap()
    };
    apply(&edits, &mut guest).unwrap();
    guest.finish_all().unwrap();
    assert_eq!(guest.read_file(&at("/etc/motd"), 100).unwrap(), b"hardened\n");
    assert_eq!(guest.lstat(&at("/boot/vmlinuz-6.8")).unwrap(), None);

    for (index, name) in [(0, "root.out"), (3, "boot.out")] {
        let out = bench.path(name);
        save(&disk, guest.volumes()[index].range.clone(), &out);
        succeed("e2fsck", &["-fn", out.to_str().unwrap()]);
    }
    let told = succeed("debugfs", &["-R", "stat /grub/custom.cfg", bench.path("boot.out").to_str().unwrap()]);
    assert!(told.contains("Mode:  0600"), "{told}");
    let told = succeed("debugfs", &["-R", "stat /srv/new/file", bench.path("root.out").to_str().unwrap()]);
    assert!(told.contains("Mode:  0640") && told.contains("User:  1000   Group: 100000"), "{told}");
    assert!(told.contains("Size: 300000"), "{told}");
    let told = succeed("debugfs", &["-R", "cat /boot/hidden", bench.path("root.out").to_str().unwrap()]);
    assert!(told.contains("below the mount"), "what the mount hides is untouched: {told}");
    assert!(std::fs::read(&path).unwrap() == before, "the source is only read");
}

#[test]
fn edits_on_fat_are_made_and_confirmed() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let path = ubuntu(&bench);
    let disk: Arc<dyn BlockWrite> = overlay(&path);
    let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
    let stage = |guest: &Guest| {
        let mut stage = Stage::new(guest);
        stage.write("/etc/motd", "hardened\n", Set::default()).unwrap();
        stage.write("/boot/efi/loader/entries/new.conf", "title x\n", Set::default()).unwrap();
        stage.write("/boot/efi/EFI/debian/grub.cfg", "short\n", Set::default()).unwrap();
        stage.remove("/boot/efi/EFI/A long name with blanks.txt").unwrap();
        stage.edits().unwrap()
    };
    let edits = stage(&guest);
    apply(&edits, &mut guest).unwrap();
    guest.finish_all().unwrap();
    assert!(stage(&guest).is_empty(), "an applied plan is empty when it is computed again");
    let finished: Arc<dyn BlockSource> = Arc::new(disk.clone());
    let locate = |path: &GuestPath| {
        let (volume, inside) = guest.locate(path);
        Location { range: volume.range.clone(), file_system: volume.describe(), inside }
    };
    let confirmation = confirm(&edits, EPOCH, &finished, &locate).unwrap();
    assert_eq!((confirmation.confirmed, &confirmation.unread[..]), (edits.len(), &[][..]));
    let out = bench.path("esp.out");
    save(&disk, guest.volumes()[2].range.clone(), &out);
    succeed("fsck.vfat", &["-n", out.to_str().unwrap()]);
    let told = succeed("mtype", &["-i", out.to_str().unwrap(), "::loader/entries/new.conf"]);
    assert_eq!(told, "title x\n");
    let bytes = std::fs::read(&out).unwrap();
    assert!(!bytes.windows(14).any(|part| part == b"search.fs_uuid"), "what was replaced is gone");
    // Another build's edits are not confirmed by this disk.
    let other = {
        let mut stage = Stage::new(&guest);
        stage.write("/boot/efi/EFI/debian/grub.cfg", "other\n", Set::default()).unwrap();
        stage.edits().unwrap()
    };
    let error = confirm(&other, EPOCH, &finished, &locate).unwrap_err().to_string();
    assert!(error.contains("/boot/efi/EFI/debian/grub.cfg") && error.contains("other content"), "{error}");
}

/// Enough edits for several threads, in directories that are looked through once, with smaller ones
/// between; and each kind of contradiction among them.
#[test]
fn many_edits_are_confirmed_and_one_that_is_missing_is_found() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let mut guest = Guest::open(overlay(&ubuntu(&bench)), EPOCH).unwrap();
    let disk: Arc<dyn BlockSource> = Arc::new(overlay(&ubuntu(&bench)));
    let many = |guest: &Guest| {
        let mut stage = Stage::new(guest);
        for number in 0..150 {
            let content = format!("{number}\n").repeat(number * 40);
            stage.write(&format!("/srv/many/{number:03}"), content, Set::default()).unwrap();
            if number % 50 == 7 {
                stage.write(&format!("/srv/many/{number:03}.d/one"), "x", Set::default()).unwrap();
                stage.symlink(&format!("/srv/many/{number:03}.link"), "elsewhere").unwrap();
            }
        }
        stage.edits().unwrap()
    };
    let edits = many(&guest);
    let locate = |guest: &Guest, path: &GuestPath| {
        let (volume, inside) = guest.locate(path);
        Location { range: volume.range.clone(), file_system: volume.describe(), inside }
    };
    let error = confirm(&edits, EPOCH, &disk, &|path| locate(&guest, path)).unwrap_err().to_string();
    assert!(error.contains("/srv is not as planned: missing"), "{error}");

    let disk = overlay(&ubuntu(&bench));
    guest = Guest::open(disk.clone(), EPOCH).unwrap();
    apply(&edits, &mut guest).unwrap();
    guest.finish_all().unwrap();
    let finished: Arc<dyn BlockSource> = Arc::new(disk);
    let check =
        |edits: &[hardtack_guest::Edit]| confirm(edits, EPOCH, &finished, &|path| locate(&guest, path));
    let confirmation = check(&edits).unwrap();
    assert_eq!((confirmation.confirmed, &confirmation.unread[..]), (edits.len(), &[][..]));

    let other = |change: &dyn Fn(&mut Stage)| {
        let mut stage = Stage::new(&guest);
        change(&mut stage);
        let mut all = edits.clone();
        let changed = stage.edits().unwrap();
        all.retain(|edit| changed.iter().all(|other| other.path != edit.path));
        all.extend(changed);
        check(&all).unwrap_err().to_string()
    };
    // The same size, and a difference far from the begin.
    let mut content = "149\n".repeat(149 * 40);
    content.replace_range(20_000..20_001, "x");
    let error = other(&|stage| stage.write("/srv/many/149", content.clone(), Set::default()).unwrap());
    assert!(error.contains("/srv/many/149 is not as planned: other content"), "{error}");
    let error = other(&|stage| stage.write("/srv/many/148", "short", Set::default()).unwrap());
    assert!(error.contains("/srv/many/148") && error.contains("bytes instead of 5"), "{error}");
    let error = other(&|stage| stage.set_mode("/srv/many/100", 0o600).unwrap());
    assert!(error.contains("/srv/many/100") && error.contains("mode 0644 instead of 0600"), "{error}");
    let error = other(&|stage| stage.remove("/srv/many/007").unwrap());
    assert!(error.contains("/srv/many/007 is not as planned: still a file"), "{error}");
    let error = other(&|stage| stage.symlink("/srv/many/007.link", "here").unwrap());
    assert!(error.contains("points to elsewhere instead of here"), "{error}");
    let error = other(&|stage| stage.append_bytes("/srv/many/101", b"more".to_vec()).unwrap());
    assert!(error.contains("/srv/many/101") && error.contains("bytes instead of"), "{error}");
}

#[test]
fn what_fat_cannot_keep_is_refused() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let mut guest = Guest::open(overlay(&ubuntu(&bench)), EPOCH).unwrap();
    let edits = {
        let mut stage = Stage::new(&guest);
        stage.symlink("/boot/efi/link", "EFI").unwrap();
        stage.edits().unwrap()
    };
    let error = apply(&edits, &mut guest).unwrap_err().to_string();
    assert!(error.contains("FAT on partition 15: /boot/efi/link: FAT has no symbolic links"), "{error}");
}

#[test]
fn nothing_crosses_from_one_file_system_to_another() {
    use hardtack_guest::FileSystem;
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let mut guest = Guest::open(overlay(&ubuntu(&bench)), EPOCH).unwrap();
    let at = GuestPath::new;
    let error = guest.rename(&at("/etc/motd"), &at("/boot/motd")).unwrap_err().to_string();
    assert!(
        error.contains("different file systems (ext4 on partition 1 and ext4 on partition 16)"),
        "{error}"
    );
    assert!(guest.hard_link(&at("/etc/motd"), &at("/boot/motd")).is_err());
    assert!(guest.remove(&at("/boot")).is_err(), "a mount point stays");
    guest.rename(&at("/boot/vmlinuz-6.8"), &at("/boot/vmlinuz")).unwrap();
    assert_eq!(guest.read_file(&at("/boot/vmlinuz"), 100).unwrap(), b"kernel");
    let error = guest.set_content(&at("/boot/none"), b"x").unwrap_err().to_string();
    assert!(error.starts_with("/boot/none: no such file"), "errors name the guest's path: {error}");
}
