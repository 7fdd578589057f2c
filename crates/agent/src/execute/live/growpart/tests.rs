#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::table::{Growth, grow};
use crate::host::Host;
use crate::testing::{Loop, has};

const MIB: u64 = 1 << 20;

fn disk(path: &Path, size: u64) -> fs::File {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.set_len(size).unwrap();
    file
}

fn run(program: &str, arguments: &[&str], path: &Path, stdin: Option<&str>) -> String {
    let mut command = Command::new(program);
    command.args(arguments).arg(path).env("LANG", "C");
    if let Some(stdin) = stdin {
        let script = path.with_extension("script");
        fs::write(&script, stdin).unwrap();
        command.stdin(fs::File::open(&script).unwrap());
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn grown(file: &fs::File, number: u32) -> Result<Growth, String> {
    let length = file.metadata().unwrap().len();
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    };
    grow(&read, length, 512, number)
}

fn apply(file: &fs::File, number: u32) -> bool {
    match grown(file, number).unwrap() {
        Growth::NoChange => false,
        Growth::Change { writes, .. } => {
            for (at, bytes) in writes {
                file.write_all_at(&bytes, at).unwrap();
            }
            true
        }
    }
}

/// The table without the file's name and what sfdisk says about the disk.
fn dump(path: &Path) -> String {
    run("sfdisk", &["-d"], path, None).replace(&path.display().to_string(), "DISK").replace("DISKp", "DISK")
}

/// The first bytes of a disk, which may be large.
fn head(path: &Path, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    fs::File::open(path).unwrap().read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Grown by growpart and by us, a disk comes to the same table.
fn as_growpart(make: &str, program: &str, size: u64, new_size: u64, number: u32) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let ours = directory.path().join("ours");
    let theirs = directory.path().join("theirs");
    let file = disk(&ours, size);
    match program {
        "sfdisk" => drop(run("sfdisk", &["-q"], &ours, Some(make))),
        _ => drop(run("sgdisk", &make.split(' ').collect::<Vec<_>>(), &ours, None)),
    }
    fs::copy(&ours, &theirs).unwrap();
    file.set_len(new_size).unwrap();
    disk(&theirs, new_size);
    let done = Command::new("growpart").arg(&theirs).arg(number.to_string()).output().unwrap();
    let changes = done.status.code() == Some(0);
    assert!(changes || done.status.code() == Some(1), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(apply(&file, number), changes, "{make}: {}", String::from_utf8_lossy(&done.stdout));
    if !changes {
        assert_eq!(head(&ours, MIB), head(&theirs, MIB));
        return false;
    }
    assert_eq!(dump(&ours), dump(&theirs), "{make}");
    if program == "sgdisk" {
        let said = run("sgdisk", &["-v"], &ours, None);
        assert!(said.contains("No problems found"), "{said}");
    }
    if program == "sfdisk" {
        assert_eq!(head(&ours, 512), head(&theirs, 512), "{make}");
    }
    assert!(!apply(&file, number), "a second time there is nothing to win");
    true
}

#[test]
fn tables_grow_as_growpart_grows_them() {
    if !["sgdisk", "sfdisk", "growpart"].into_iter().all(has) {
        return;
    }
    // Debian's cloud images: the root is number 1 and the last one on the disk.
    let debian = "-n 14:2048:8191 -t 14:ef02 -n 15:8192:40959 -t 15:ef00 -n 1:40960:0 -c 1:root -A 1:set:2";
    let cases = [
        (debian, "sgdisk", 64, 200, 1),
        ("-n 1:2048:+4M -n 2:0:0", "sgdisk", 32, 33, 2),
        // Into a hole before the next partition.
        ("-n 1:2048:+4M -n 2:40960:0", "sgdisk", 32, 32, 1),
        ("-n 1:2048:+4M -n 2:0:0", "sgdisk", 32, 64, 1),
        (",,83,*\n", "sfdisk", 32, 64, 1),
        (",8M,83\n,8M,82\n", "sfdisk", 32, 64, 2),
        ("2048,8M,83\n40960,8M,82\n", "sfdisk", 64, 64, 1),
        (",,83\n", "sfdisk", 32, 20_000, 1),
    ];
    let all = cases.len();
    let changed = cases.into_iter().filter(|(make, program, size, new_size, number)| {
        as_growpart(make, program, size * MIB, new_size * MIB, *number)
    });
    let changed = changed.count();
    assert!(changed > 4 && changed < all, "{changed} of {all} grew");
}

#[test]
fn what_is_not_understood_is_refused() {
    if !["sgdisk", "sfdisk"].into_iter().all(has) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let file = disk(&path, 32 * MIB);
    assert!(grown(&file, 1).unwrap_err().contains("no partition table"));
    run("sfdisk", &["-q"], &path, Some(",8M,83\n,,5\n,4M,83\n"));
    file.set_len(64 * MIB).unwrap();
    assert!(grown(&file, 2).unwrap_err().contains("extended"));
    assert!(grown(&file, 5).unwrap_err().contains("none of the MBR's four"));
    run("sgdisk", &["-Z"], &path, None);
    run("sgdisk", &["-n", "1:2048:+4M"], &path, None);
    file.set_len(96 * MIB).unwrap();
    assert!(grown(&file, 2).unwrap_err().contains("no partition 2"));
    assert!(grown(&file, 0).is_err() && grown(&file, u32::MAX).is_err());
    // Any damage to the table that counts is seen.
    let mut sound = vec![0; 34 * 512];
    file.read_exact_at(&mut sound, 0).unwrap();
    for at in [510, 512, 530, 560, 585, 600, 1024, 1024 + 33, 16_000] {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x41;
        file.write_all_at(&damaged, 0).unwrap();
        assert!(grown(&file, 1).is_err(), "byte {at}");
    }
}

#[test]
fn no_bytes_are_a_panic() {
    // Numbers at the edges, with sound checksums as far as a reader without them would look.
    for fill in [0x00, 0x7f, 0xee, 0xff] {
        for length in [0, 511, 512, 33 * 512, 66 * 512, 4 * MIB, u64::MAX] {
            let read = |_: u64, length: usize| {
                let mut bytes = vec![fill; length];
                if length == 512 {
                    bytes[510..].copy_from_slice(&[0x55, 0xaa]);
                }
                Some(bytes)
            };
            for number in [0, 1, 4, 5, u32::MAX] {
                for sector in [0, 512, 4096] {
                    let _ = grow(&read, length, sector, number);
                }
            }
        }
    }
}

#[test]
fn a_disk_that_became_larger_is_grown_and_the_kernel_knows() {
    if !["sgdisk", "partx", "losetup"].into_iter().all(has) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    let file = disk(&path, 32 * MIB);
    run("sgdisk", &["-n", "1:2048:0", "-c", "1:root"], &path, None);
    let Some(device) = Loop::new(&path) else { return };
    let host = Host::new("/");
    let disk = device.path.as_str();
    run("partx", &["--update"], Path::new(disk), None);
    let partition = format!("{disk}p1");
    let before = super::block::bytes(&host, &partition).unwrap();
    assert_eq!(super::block::part_info(&host, &partition), Ok((disk.to_owned(), 1)));
    file.set_len(64 * MIB).unwrap();
    run("losetup", &["-c"], Path::new(disk), None);
    let Ok(Growth::Change { writes, count, .. }) = super::plan(&host, disk, 1) else {
        panic!("there are 32 MiB to win")
    };
    super::write(&host, disk, &writes).unwrap();
    super::tell_kernel(&host, &crate::machine::Tree::new("/"), disk, 1, count).unwrap();
    let after = super::block::bytes(&host, &partition).unwrap();
    assert_eq!(after, before + 32 * MIB);
    assert_eq!(super::plan(&host, disk, 1), Ok(Growth::NoChange));
    let said = run("sgdisk", &["-v"], Path::new(disk), None);
    assert!(said.contains("No problems found"), "{said}");
}
