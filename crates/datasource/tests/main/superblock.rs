//! Labels as blkid tells them, of file systems that the usual tools made.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use hardtack_datasource::superblock::{Superblock, probe};

/// Runs a tool on a new image, or says that it is not there.
fn make(image: &Path, size: u64, program: &str, arguments: &[&str]) -> bool {
    File::create(image).unwrap().set_len(size).unwrap();
    let made = Command::new(program).args(arguments).arg(image).output();
    if made.as_ref().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is needed: {made:?}");
    eprintln!("SKIPPED: no {program}");
    false
}

fn blkid(image: &Path) -> Option<Superblock> {
    let output = Command::new("blkid").args(["-p", "-o", "export"]).arg(image).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    let field = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().replace('\\', "")
    };
    let file_system =
        ["vfat", "ext2", "ext3", "ext4", "iso9660"].into_iter().find(|kind| field("TYPE") == *kind)?;
    Some(Superblock {
        file_system,
        label: field("LABEL"),
        boot_label: field("LABEL_FATBOOT"),
        uuid: field("UUID"),
    })
}

#[test]
fn as_blkid_tells_them() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    let mut seen = 0;
    for (size, program, arguments) in [
        (2, "mkfs.vfat", &["-F", "12", "-n", "CIDATA"][..]),
        (16, "mkfs.vfat", &["-F", "16", "-n", "cidata"]),
        (64, "mkfs.vfat", &["-F", "32", "-n", "config-2", "-i", "9796932e"]),
        (64, "mkfs.vfat", &["-F", "32", "-S", "4096", "-s", "1", "-n", "A B"]),
        (2, "mkfs.vfat", &[]),
        (8, "mkfs.ext4", &["-q", "-L", "cloudimg-rootfs"]),
        (8, "mkfs.ext3", &["-q", "-L", "METADATA"]),
        (8, "mkfs.ext2", &["-q"]),
    ] {
        if !make(&image, size << 20, program, arguments) {
            continue;
        }
        let Some(wanted) = blkid(&image) else {
            eprintln!("SKIPPED: no blkid");
            continue;
        };
        let found = probe(&mut File::open(&image).unwrap()).unwrap();
        assert_eq!(found, Some(wanted), "{program} {arguments:?}");
        seen += 1;
    }
    eprintln!("{seen} file systems compared with blkid");
}

fn iso(label: &[u8], joliet: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0; 0x8000 + 4 * 0x800];
    let mut descriptor = |index: usize, kind: u8| {
        let at = 0x8000 + index * 0x800;
        bytes[at] = kind;
        bytes[at + 1..at + 7].copy_from_slice(b"CD001\x01");
        at
    };
    let (first, second, last) = (descriptor(0, 1), descriptor(1, 2), descriptor(2, 255));
    bytes[first + 40..first + 72].fill(b' ');
    bytes[first + 40..first + 40 + label.len()].copy_from_slice(label);
    bytes[first + 813..first + 830].copy_from_slice(b"2024021512304500\0");
    bytes[first + 830..first + 847].copy_from_slice(b"0000000000000000\0");
    match joliet {
        Some(name) => {
            bytes[second + 88..second + 91].copy_from_slice(b"%/E");
            let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
            bytes[second + 40..second + 40 + wide.len()].copy_from_slice(&wide);
        }
        None => bytes[second] = 255,
    }
    assert_eq!(bytes[last], 255);
    bytes
}

#[test]
fn iso_with_and_without_joliet() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for (label, joliet, wanted) in [
        (&b"cidata"[..], None, "cidata"),
        (b"CIDATA", Some("cidata"), "cidata"),
        (b"CONFIG-2", Some("config-2"), "config-2"),
        (b"OVF ENV", Some("ovf env"), "ovf env"),
        (b"", None, ""),
        (b"CIDATA", Some(""), ""),
        (b"A_LABEL_OF_MORE_THAN_SIXTEEN", Some("a_label_of_more_"), "a_label_of_more_THAN_SIXTEEN"),
        (b"SHORT", Some("other"), "other"),
    ] {
        let bytes = iso(label, joliet);
        let found = probe(&mut Cursor::new(&bytes)).unwrap().unwrap();
        assert_eq!((found.file_system, found.label.as_str()), ("iso9660", wanted));
        assert_eq!(found.uuid, "2024-02-15-12-30-45-00");
        std::fs::write(&image, &bytes).unwrap();
        match blkid(&image) {
            Some(wanted) => assert_eq!(found, wanted, "{label:?} {joliet:?}"),
            None => eprintln!("SKIPPED: no blkid, or it does not take this for ISO 9660"),
        }
    }
}

#[test]
fn what_is_none_of_them() {
    for bytes in [vec![], vec![0; 100], vec![0xff; 1 << 16], vec![0; 1 << 16]] {
        assert_eq!(probe(&mut Cursor::new(&bytes)).unwrap(), None);
    }
    // A partition table has FAT's last two bytes and nothing else of it.
    let mut table = vec![0; 1 << 16];
    table[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(probe(&mut Cursor::new(&table)).unwrap(), None);
}
