#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use super::layout::{Layout, for_sfdisk, for_sgdisk, types_of_json, types_of_sfdisk, types_of_sgdisk};
use super::{Disks, found};
use crate::host::Host;
use crate::testing::{Loop, has};

#[test]
fn layouts_become_what_programs_read() {
    let mbr = |layout: &str| Layout::read(layout).unwrap().for_mbr(1_000_000).unwrap();
    assert_eq!(mbr("true"), ",,83");
    assert_eq!(mbr("[33, [66, 82]]"), ",330000,83\n,,82");
    assert_eq!(mbr(r#"["12.5", [50, "8e"], 10]"#), ",125000,83\n,500000,8e\n,,83");
    for bad in ["[1,2,3,4,5]", r#"["x", 1]"#, "[[1,2,3], 4]", "[[], 1]", "[-5, 1]"] {
        assert!(Layout::read(bad).unwrap().for_mbr(1000).is_err(), "{bad}");
    }
    let gpt = Layout::read(r#"[25, [50, 82], [0, "8E00"], [5, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"]]"#);
    let parts = gpt.unwrap().for_gpt(1000).unwrap();
    let calls: Vec<String> = for_sgdisk(&parts).iter().map(|call| call.join(" ")).collect();
    assert_eq!(
        calls,
        [
            "-n 1:0:+250",
            "-n 2:0:+500",
            "-t 2:8200",
            "-n 3:0:+0",
            "-t 3:8E00",
            "-n 4:0:0",
            "-t 4:0FC63DAF-8483-4772-8E79-3D69D8477DE4"
        ]
    );
    assert!(for_sfdisk(&parts).starts_with(
        ",+250,0FC63DAF-8483-4772-8E79-3D69D8477DE4\n,+500,0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\n"
    ));
    assert_eq!(Layout::read("REMOVE"), Some(Layout::Remove));
    for none in ["false", "", "[]", "null", "0"] {
        assert_eq!(Layout::read(none), Some(Layout::None), "{none}");
    }
    assert_eq!(Layout::read("everything"), None);
    assert_eq!(Layout::read("{}"), None);
}

#[test]
fn layouts_are_recognised() {
    let same = |layout: &str, found: &[&str]| {
        let found: Vec<String> = found.iter().map(|kind| (*kind).to_owned()).collect();
        Layout::read(layout).unwrap().matches(&found)
    };
    assert!(same("true", &["83"]).unwrap() && !same("true", &[]).unwrap());
    assert!(same("[50, 50]", &["8300", "8200"]).unwrap() && !same("[50, 50]", &["8300"]).unwrap());
    assert!(same("[[50, 82], 50]", &["8200", "8300"]).unwrap());
    assert!(!same("[[50, 82], 50]", &["8300", "8300"]).unwrap());
    assert!(same("[[50, 82]]", &["0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"]).unwrap());
    assert!(same(r#"[[50, "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"]]"#, &["8200"]).unwrap());
    assert!(same("[[50, 82]]", &["20480"]).is_err());
    assert!(same("[[50, 9999]]", &["0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"]).is_err());
}

#[test]
fn what_programs_say_is_read() {
    let listing = "Disk /dev/vdb: 64 MiB\n\nDevice     Boot Start    End Sectors Size Id Type\n/dev/vdb1  *     2048  20480   18432   9M 83 Linux\n/dev/vdb2       20481 131071  110591  54M  5 Extended\n/dev/vdb5       22529 131071  108543  53M  c W95 FAT32 (LBA)\n";
    assert_eq!(types_of_sfdisk(listing, "/dev/vdb"), ["83", "108543"]);
    let print = "Disk /dev/vdb: 131072 sectors\nNumber  Start (sector)    End (sector)  Size       Code  Name\n   1            2048           22527   10.0 MiB    8300  \n   2           22528          131038   53.0 MiB    EF00  boot disk\n";
    assert_eq!(types_of_sgdisk(print), ["8300", "EF00"]);
    assert_eq!(types_of_sgdisk("Creating new GPT entries in memory.\n"), [""; 0]);
    assert_eq!(types_of_json(r#"{"partitiontable": {"partitions": [{"type": "X"}]}}"#), ["X"]);
    assert!(types_of_json("").is_empty());
    let seen = found("/dev/vdb: LABEL=\"a \\\"b\\\" c\" UUID=\"x-y\" BLOCK_SIZE=\"4096\" TYPE=\"ext4\"\n");
    assert_eq!((seen.label.as_deref(), seen.kind.as_deref()), (Some("a \"b\" c"), Some("ext4")));
    assert_eq!(found(""), super::Found::default());
    assert_eq!(found("/dev/a: TYPE=\"x\"\n/dev/b: TYPE=\"y\"\n").kind, None);
    assert_eq!(found("/dev/a: PTTYPE=\"dos\"\n").kind, None);
}

/// First sector, number of sectors and type of each partition, as sfdisk sees them.
fn partitions(device: &str) -> Vec<(u64, u64, String)> {
    let output = std::process::Command::new("sfdisk").args(["-J", device]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let list = value.pointer("/partitiontable/partitions").and_then(serde_json::Value::as_array);
    list.into_iter()
        .flatten()
        .map(|partition| {
            let number = |name: &str| partition[name].as_u64().unwrap();
            (number("start"), number("size"), partition["type"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn a_disk_is_partitioned_once() {
    if !["sfdisk", "sgdisk", "partprobe", "blkid", "mkfs.ext4", "wipefs"].into_iter().all(has) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let Some(device) = Loop::new(&path) else { return };
    let device = device.path.as_str();
    let host = Host::new("/");
    let installed = |name: &str| {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|path| Path::new(path).join(name).exists())
    };
    for sgdisk in [true, false] {
        let has = |name: &str| installed(name) && (sgdisk || name != "sgdisk");
        let disks = Disks { host: &host, has: &has, loops: true };
        let part =
            |table: &str, layout: &str, overwrite: bool| disks.partition(device, table, layout, overwrite);
        // What cloud-init makes of the same layouts.
        assert_eq!(part("mbr", "[33, [66, 82]]", false).unwrap(), "it is partitioned");
        let made = partitions(device);
        let kinds: Vec<&str> = made.iter().map(|(_, _, kind)| kind.as_str()).collect();
        assert_eq!((kinds.as_slice(), made[0].1), (&["83", "82"][..], 43_253));
        assert_eq!(part("mbr", "[33, [66, 82]]", true).unwrap(), "it has these partitions already");
        assert!(part("mbr", "[50, 25, 25]", false).unwrap().contains("without overwrite"));
        assert_eq!(partitions(device), made);
        assert_eq!(part("gpt", r#"[25, [50, 82], 25]"#, true).unwrap(), "it is partitioned");
        let made = partitions(device);
        assert_eq!(made.iter().map(|(_, size, _)| *size).collect::<Vec<_>>()[..2], [32768, 65536]);
        assert_eq!(made[1].2, "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F");
        let first = format!("{device}p1");
        let status = std::process::Command::new("mkfs.ext4").args(["-q", "-F", "-L", "a b", &first]).status();
        assert!(status.unwrap().success());
        let seen = disks.file_system(&first).unwrap();
        assert_eq!((seen.label.as_deref(), seen.kind.as_deref()), (Some("a b"), Some("ext4")));
        assert_eq!(disks.tree(device).unwrap().len(), 4);
        assert_eq!(part("gpt", "remove", false).unwrap(), "the partition table is removed");
        assert!(partitions(device).is_empty() && disks.tree(device).unwrap().len() == 1);
        // A disk that holds a file system itself is somebody's.
        let status = std::process::Command::new("mkfs.ext4").args(["-q", "-F", device]).status();
        assert!(status.unwrap().success());
        assert!(part("mbr", "true", false).unwrap().contains("it holds ext4"));
        assert_eq!(part("mbr", "remove", false).unwrap(), "the partition table is removed");
    }
    // A loop device is no disk, and a file is none, either.
    let disks = Disks { host: &host, has: &installed, loops: false };
    assert!(disks.partition(device, "mbr", "true", true).is_err());
    assert!(disks.partition(&path.display().to_string(), "mbr", "true", true).is_err());
}
