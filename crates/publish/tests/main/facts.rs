//! What disks say of how they boot: tables made by sgdisk and sfdisk, ESPs by mkfs.vfat and mtools.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hardtack_cloud::ec2::BootMode;
use hardtack_disk::{BlockSource, RawSource};
use hardtack_publish::facts::{DiskFacts, look};

const MIB: u64 = 1 << 20;

fn have(programs: &[&str]) -> bool {
    for program in programs {
        if !["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(program).exists())
        {
            eprintln!("SKIPPED: {program} is not installed");
            assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
            return false;
        }
    }
    true
}

fn run(program: &str, arguments: &[&str]) {
    let output =
        Command::new(program).args(arguments).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A FAT file system with these programs in `EFI/BOOT`.
fn esp(directory: &Path, programs: &[&str]) -> Vec<u8> {
    let path: PathBuf = directory.join("esp");
    let text = path.to_str().unwrap();
    File::create(&path).unwrap().set_len(8 * MIB).unwrap();
    run("mkfs.vfat", &[text]);
    run("mmd", &["-i", text, "::/EFI", "::/EFI/boot"]);
    let program = directory.join("program");
    std::fs::write(&program, "MZ").unwrap();
    for name in programs {
        run("mcopy", &["-i", text, program.to_str().unwrap(), &format!("::/EFI/boot/{name}")]);
    }
    std::fs::read(&path).unwrap()
}

fn facts(path: &Path) -> DiskFacts {
    let disk: Arc<dyn BlockSource> = Arc::new(RawSource::open(path).unwrap());
    look(&disk).unwrap()
}

#[test]
fn what_starts_on_a_gpt() {
    if !have(&["sgdisk", "mkfs.vfat", "mmd", "mcopy"]) {
        return;
    }
    use BootMode::{Bios, Uefi, UefiPreferred};
    let directory = tempfile::tempdir().unwrap();
    let grub = b"\xeb\x63GRUB \0Geom\0Hard Disk\0";
    let (bios, efi) = ("--typecode=14:ef02", "--typecode=15:ef00");
    let root = |kind: &str| format!("--typecode=1:{kind}");
    for (types, programs, code, mode, architecture, because) in [
        (
            vec![bios, efi],
            &["bootx64.efi"][..],
            &grub[..],
            Some(UefiPreferred),
            Some("x86_64"),
            "an ESP and a BIOS boot",
        ),
        (
            vec![efi],
            &["BOOTX64.EFI", "grubx64.efi"],
            b"",
            Some(Uefi),
            Some("x86_64"),
            "an ESP and no boot code",
        ),
        (vec![bios], &[], grub, Some(Bios), Some("x86_64"), "no ESP and a BIOS boot partition"),
        (vec![bios, efi], &["fbx64.efi"], grub, Some(Bios), Some("x86_64"), "an ESP without EFI/BOOT"),
        (vec![efi], &[], b"", Some(Uefi), None, "an ESP without EFI/BOOT"),
        (vec![efi], &["bootaa64.efi"], grub, Some(Uefi), Some("arm64"), "an ESP"),
        (
            vec![bios, efi],
            &["bootia32.efi", "bootx64.efi"],
            b"",
            Some(UefiPreferred),
            Some("x86_64"),
            "an ESP and",
        ),
        (vec![], &[], grub, Some(Bios), Some("x86_64"), "GRUB's boot code"),
        (vec![], &[], b"", None, None, "no ESP and no boot code"),
        (vec!["arm"], &[], b"", None, Some("arm64"), "no boot code"),
    ] {
        let path = directory.path().join("disk");
        let _ = std::fs::remove_file(&path);
        File::create(&path).unwrap().set_len(64 * MIB).unwrap();
        let kind = root(if types.contains(&"arm") { "8305" } else { "8304" });
        let kind = if architecture.is_none() { root("8300") } else { kind };
        let mut arguments = vec!["--new=14:2048:4095", "--new=15:4096:20479", "--new=1:20480:0", &kind];
        arguments.extend(types.iter().filter(|kind| **kind != "arm"));
        arguments.push(path.to_str().unwrap());
        run("sgdisk", &arguments);
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(code, 0).unwrap();
        if types.contains(&efi) {
            file.write_all_at(&esp(directory.path(), programs), 2 * MIB).unwrap();
        }
        let found = facts(&path);
        assert_eq!((found.boot_mode, found.architecture.as_deref()), (mode, architecture), "{found:?}");
        assert!(found.because.starts_with("GPT with ") && found.because.contains(because), "{found:?}");
        assert_eq!(found.root, architecture.map(|_| 1), "{found:?}");
    }
}

#[test]
fn what_starts_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let mut disk = vec![0_u8; 4 << 20];
    std::fs::write(&path, &disk).unwrap();
    assert_eq!((facts(&path).boot_mode, facts(&path).root), (None, None));
    // An MBR with one active Linux partition: without boot code nothing starts.
    disk[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&path, &disk).unwrap();
    assert_eq!(facts(&path).boot_mode, None);
    disk[..2].copy_from_slice(&[0xfa, 0x33]);
    std::fs::write(&path, &disk).unwrap();
    let found = facts(&path);
    assert_eq!((found.boot_mode, &*found.because), (Some(BootMode::Bios), "MBR with no ESP and boot code"));
    // An ESP that cannot be read may start something.
    disk[450] = 0xef;
    std::fs::write(&path, &disk).unwrap();
    let found = facts(&path);
    assert_eq!(found.boot_mode, Some(BootMode::UefiPreferred), "{found:?}");
    assert!(found.because.contains("cannot be read"), "{found:?}");
}
