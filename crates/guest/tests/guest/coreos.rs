//! CoreOS' nine partitions: the root and the OEM partition are edited together, `/usr` is only read.

use std::sync::Arc;

use hardtack_disk::BlockWrite;
use hardtack_guest::{Guest, GuestPath, Location, OsRelease, Set, Stage, Tree, apply, confirm};

use crate::disk::{
    BIOS, Bench, EPOCH, ESP, LINUX, Part, ROOT_X86_64, overlay, refusal, save, succeed, tools,
};

const COREOS_USR: &str = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";
const COREOS_ROOT: &str = "3884dd41-8582-4404-b9a8-e9b84f2df50e";
const COREOS_RESERVED: &str = "c95dc21a-df0e-4340-8d7b-26cbfa9a03e0";

/// As coreos/scripts' disk_layout.json has it, smaller. `root` is the root's partition type.
fn coreos(bench: &Bench, root: &str, root_files: &[(&str, &str)]) -> std::path::PathBuf {
    let usr = bench.ext4(
        "usr",
        32,
        &["-L", "USR-A", "-O", "^metadata_csum,^has_journal,^64bit"],
        &[
            (
                "/lib/os-release",
                "ID=coreos\nVERSION_ID=1911.3.0\nPRETTY_NAME=\"Container Linux by CoreOS\"\n",
            ),
            ("/share/oem/", ""),
            ("/bin/bash", "elf"),
        ],
    );
    // How CoreOS keeps everybody from mounting it for writing.
    let mut bytes = std::fs::read(&usr).unwrap();
    bytes[1024 + 103] = 0xff;
    std::fs::write(&usr, bytes).unwrap();
    let oem = bench.ext4("oem", 16, &["-L", "OEM"], &[("/grub.cfg", "set oem_id=\"qemu\"\n"), ("/old", "x")]);
    let state = bench.ext4("root", 32, &["-L", "ROOT"], root_files);
    let part = |number, kind, name, content| Part { number, kind, name, content };
    bench.gpt(
        "disk",
        &[
            part(1, ESP, "EFI-SYSTEM", Some(bench.esp("esp", 34, &["-F", "16", "-n", "EFI-SYSTEM"]))),
            part(2, BIOS, "BIOS-BOOT", None),
            part(3, COREOS_USR, "USR-A", Some(usr)),
            part(4, COREOS_USR, "USR-B", None),
            part(5, LINUX, "ROOT-C", None),
            part(6, LINUX, "OEM", Some(oem)),
            part(7, COREOS_RESERVED, "OEM-CONFIG", None),
            part(8, COREOS_RESERVED, "", None),
            part(9, root, "ROOT", Some(state)),
        ],
    )
}

#[test]
fn root_and_oem_are_edited_in_one_go_and_usr_stays() {
    if !tools() {
        return;
    }
    for (root, files) in [
        (COREOS_ROOT, &[][..]),
        (LINUX, &[]),
        (
            COREOS_ROOT,
            &[
                ("/etc/os-release", "->../usr/lib/os-release"),
                ("/etc/passwd", "root:x:0:0::/root:/bin/bash\n"),
            ],
        ),
    ] {
        let bench = Bench::new();
        let path = coreos(&bench, root, files);
        let disk: Arc<dyn BlockWrite> = overlay(&path);
        let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
        let mounts: Vec<_> = guest
            .volumes()
            .iter()
            .filter_map(|volume| {
                Some((volume.number, volume.mount.as_ref()?.as_str().to_owned(), volume.read_only.is_some()))
            })
            .collect();
        assert_eq!(
            mounts,
            [
                (1, "/boot".to_owned(), false),
                (3, "/usr".to_owned(), true),
                (6, "/usr/share/oem".to_owned(), false),
                (9, "/".to_owned(), false)
            ]
        );
        assert_eq!(OsRelease::read(&guest).unwrap().unwrap().id(), "coreos");
        let edits = {
            let mut stage = Stage::new(&guest);
            stage.write("/etc/ssh/sshd_config", "UsePAM yes\n", Set::mode(0o600)).unwrap();
            stage.write("/usr/share/oem/cloud-config.yml", "#cloud-config\n", Set::default()).unwrap();
            stage.remove("/usr/share/oem/old").unwrap();
            stage.write("/boot/coreos/grub.cfg", "set timeout=0\n", Set::default()).unwrap();
            stage.edits().unwrap()
        };
        apply(&edits, &mut guest).unwrap();
        guest.finish_all().unwrap();
        let finished: Arc<dyn hardtack_disk::BlockSource> = Arc::new(disk.clone());
        let confirmation = confirm(&edits, EPOCH, &finished, &|path| {
            let (volume, inside) = guest.locate(path);
            Location { range: volume.range.clone(), file_system: volume.describe(), inside }
        })
        .unwrap();
        assert_eq!((confirmation.confirmed, &confirmation.unread[..]), (edits.len(), &[][..]));
        let before = std::fs::read(&path).unwrap();
        for volume in guest.volumes() {
            let out = bench.path(&format!("{}.out", volume.number));
            save(&disk, volume.range.clone(), &out);
            let old = &before[volume.range.start as usize..volume.range.end as usize];
            let changed = std::fs::read(&out).unwrap() != old;
            assert_eq!(changed, [1, 6, 9].contains(&volume.number), "partition {}", volume.number);
            match volume.number {
                1 => drop(succeed("fsck.vfat", &["-n", out.to_str().unwrap()])),
                6 | 9 => drop(succeed("e2fsck", &["-fn", out.to_str().unwrap()])),
                _ => {}
            }
        }
        let told =
            succeed("debugfs", &["-R", "cat /cloud-config.yml", bench.path("6.out").to_str().unwrap()]);
        assert!(told.contains("#cloud-config"), "{told}");
    }
}

#[test]
fn an_edit_of_usr_is_refused_by_name() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let disk = overlay(&coreos(&bench, COREOS_ROOT, &[]));
    let mut guest = Guest::open(disk.clone(), EPOCH).unwrap();
    let edits = {
        let mut stage = Stage::new(&guest);
        stage.write("/etc/motd", "x", Set::default()).unwrap();
        stage.write("/usr/bin/new", "x", Set::default()).unwrap();
        stage.edits().unwrap()
    };
    let error = apply(&edits, &mut guest).unwrap_err().to_string();
    assert!(error.contains("partition 3") && error.contains("/usr/bin/new"), "{error}");
    assert_eq!(disk.changed_bytes(), 0);
    assert_eq!(guest.lstat(&GuestPath::new("/usr/bin/bash")).unwrap().map(|found| found.size), Some(3));
}

#[test]
fn a_usr_that_cannot_be_read_is_refused_by_name() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let root = bench.ext4("root", 16, &["-L", "ROOT"], &[]);
    let usr = bench.magic("btrfs", 0x10040, b"_BHRfS_M");
    let part = |number, kind, content| Part { number, kind, name: "", content };
    let disk = bench.gpt(
        "disk",
        &[part(3, COREOS_USR, Some(usr)), part(4, COREOS_USR, None), part(9, COREOS_ROOT, Some(root))],
    );
    let told = refusal(&disk);
    assert!(told.contains("/usr is btrfs on partition 3"), "{told}");
}

#[test]
fn systemd_mounts_by_type_what_fstab_does_not_name() {
    if !tools() {
        return;
    }
    const HOME: &str = "933ac7e1-2eb4-4f13-b844-0e14e2aef915";
    const XBOOTLDR: &str = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
    const GENERATOR: &str = "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator";
    let bench = Bench::new();
    for (files, fstab, wanted) in [
        (&[(GENERATOR, "elf"), ("/home/", "")][..], "", &["/", "/boot", "/home"][..]),
        (&[(GENERATOR, "elf"), ("/home/joe/", "")], "", &["/", "/boot"]),
        (&[(GENERATOR, "elf")], "LABEL=home /home ext4\nLABEL=boot /mnt ext4\n", &["/", "/mnt", "/home"]),
        (&[("/home/", "")], "", &["/"]),
    ] {
        let mut all = vec![("/etc/os-release", "ID=x\n"), ("/etc/fstab", fstab)];
        all.extend(files);
        let root = bench.ext4("root", 32, &[], &all);
        let home = bench.ext4("home", 16, &["-L", "home"], &[("/joe/", "")]);
        let boot = bench.ext4("boot", 16, &["-L", "boot"], &[("/loader/", "")]);
        let part = |number, kind, content| Part { number, kind, name: "", content: Some(content) };
        let disk =
            bench.gpt("disk", &[part(1, ROOT_X86_64, root), part(2, XBOOTLDR, boot), part(3, HOME, home)]);
        let guest = Guest::open(overlay(&disk), EPOCH).unwrap();
        let mounts: Vec<_> =
            guest.volumes().iter().filter_map(|volume| Some(volume.mount.as_ref()?.as_str())).collect();
        assert_eq!(mounts, wanted, "{files:?} {fstab:?} {:?}", guest.notes());
    }
}
