//! What nobody reads on a disk: as `dumpe2fs` lists it, and proven by filling it with noise.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use hardtack_disk::ranges::merge;
use hardtack_disk::{BlockSource, RawSource};
use hardtack_guest::{FreeMap, efi_programs, free_map};

use crate::disk::{BIOS, Bench, ESP, LINUX, MIB, Part, have, run, succeed, tools};

fn map(path: &Path) -> FreeMap {
    free_map(Arc::new(RawSource::open(path).unwrap())).unwrap()
}

/// What `dumpe2fs` lists as free in the file system that fills `image`, in bytes.
fn listed(image: &Path) -> Vec<Range<u64>> {
    let text = succeed("dumpe2fs", &[image.to_str().unwrap()]);
    let size: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("Block size:"))
        .map(|size| size.trim().parse().unwrap())
        .unwrap();
    let lists = text.lines().filter_map(|line| line.strip_prefix("  Free blocks: "));
    let ranges = lists.flat_map(|list| list.split(", ")).filter(|range| !range.is_empty()).map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        first * size..(last + 1) * size
    });
    merge(ranges.collect())
}

/// Files of many sizes, so that free blocks lie between used ones.
fn files() -> Vec<(String, String)> {
    (0..60_usize)
        .map(|number| (format!("/dir{}/file{number}", number % 7), "x".repeat(number * 997)))
        .collect()
}

#[test]
fn free_blocks_are_those_that_dumpe2fs_lists() {
    if !tools() || !have(&["dumpe2fs"]) {
        return;
    }
    let bench = Bench::new();
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    for (name, mib, args) in [
        ("plain", 200, &["-b", "4096"][..]),
        ("small", 64, &["-b", "1024"]),
        ("spread", 300, &["-b", "1024", "-O", "^flex_bg"]),
        ("meta", 300, &["-b", "1024", "-O", "meta_bg,^resize_inode"]),
        ("old", 300, &["-b", "2048", "-O", "uninit_bg,^metadata_csum"]),
        (
            "ext3",
            100,
            &[
                "-b",
                "1024",
                "-O",
                "^extent,^flex_bg,^64bit,^metadata_csum,^huge_file,^dir_nlink,^extra_isize",
            ],
        ),
        ("bare", 100, &["-b", "4096", "-O", "^has_journal,^64bit"]),
        ("super2", 300, &["-b", "1024", "-O", "sparse_super2"]),
    ] {
        let image = bench.ext4(name, mib, args, &files);
        // A file that goes leaves a hole.
        succeed("debugfs", &["-w", "-R", "rm /dir3/file31", image.to_str().unwrap()]);
        let found = map(&image);
        assert_eq!(found.ranges, listed(&image), "{name}");
        assert_eq!(found.notes, [""; 0], "{name}");
        assert!(found.ranges.len() > 1, "{name}: {:?}", found.ranges);
    }
}

#[test]
fn what_is_not_understood_is_in_use() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    for (name, args, edit, why) in [
        ("clusters", &["-O", "bigalloc"][..], None, "bigalloc"),
        ("quota", &["-O", "quota"], None, "quota"),
        ("journal", &[], Some("feature needs_recovery"), "recovery"),
        ("errors", &[], Some("ssv state 3"), "error"),
        (
            "counted",
            &["-O", "^metadata_csum,^uninit_bg"],
            Some("set_bg 0 free_blocks_count 7"),
            "said to be free",
        ),
    ] {
        let image = bench.ext4(name, 64, args, &[("/a", "b")]);
        if let Some(edit) = edit {
            succeed("debugfs", &["-w", "-R", edit, image.to_str().unwrap()]);
        }
        let found = map(&image);
        assert_eq!(found.ranges, [], "{name}");
        assert!(found.notes.len() == 1 && found.notes[0].contains(why), "{name}: {:?}", found.notes);
    }
    for (name, at, magic) in
        [("xfs", 0, &b"XFSB"[..]), ("lvm", 512, b"LABELONE"), ("luks", 0, b"LUKS\xba\xbe")]
    {
        assert_eq!(map(&bench.magic(name, at, magic)).ranges, [], "{name}");
    }
    let empty = bench.magic("empty", 0, &[]);
    assert_eq!(map(&empty).ranges, []);
}

/// A disk with everything: BIOS boot partition, ESP, root, gaps, and an XFS that nobody looks into.
fn whole(bench: &Bench) -> std::path::PathBuf {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let part = |number, kind, name, content| Part { number, kind, name, content };
    let disk = bench.gpt(
        "disk",
        &[
            part(14, BIOS, "bios", Some(bench.magic("core", 0, b"GRUB"))),
            part(15, ESP, "esp", Some(bench.esp("esp", 40, &["-F", "32"]))),
            part(2, LINUX, "xfs", Some(bench.magic("xfs", 0, b"XFSB"))),
            part(1, LINUX, "root", Some(bench.ext4("root", 100, &["-b", "4096"], &files))),
        ],
    );
    // Partition 2 goes, and its place is a gap; the disk's end is one, too.
    let file = File::options().write(true).open(&disk).unwrap();
    file.set_len(disk.metadata().unwrap().len() + 20 * MIB).unwrap();
    succeed("sgdisk", &["-e", "-d", "2", disk.to_str().unwrap()]);
    disk
}

#[test]
fn noise_in_all_that_is_free_is_noticed_by_nobody() {
    if !tools() || !have(&["fsck.vfat", "mtype"]) {
        return;
    }
    let bench = Bench::new();
    let disk = whole(&bench);
    let text = disk.to_str().unwrap();
    let root = 1 + 4 + 40 + 4;
    let esp = 1 + 4;
    let found = map(&disk);
    let length = disk.metadata().unwrap().len();
    let covers = |range: Range<u64>| {
        found.ranges.iter().any(|free| free.start <= range.start && range.end <= free.end)
    };
    assert!(covers((root - 4) * MIB..root * MIB), "the gap: {:?}", found.ranges);
    assert!(covers((root + 100) * MIB..length - 33 * 512), "the end: {:?}", found.ranges);
    assert!(covers(34 * 512..MIB), "no boot code, nothing before the first partition: {:?}", found.ranges);
    let touches =
        |range: Range<u64>| found.ranges.iter().any(|free| free.start < range.end && range.start < free.end);
    assert!(!touches(0..34 * 512) && !touches(length - 33 * 512..length) && !touches(MIB..esp * MIB));
    let free: u64 = found.ranges.iter().map(|range| range.end - range.start).sum();
    assert!(free > 100 * MIB, "{free}");
    let before: Vec<String> = ["dir1/file1", "dir3/file59", "dir2/file58"]
        .iter()
        .map(|path| cat(&bench, &disk, root, path))
        .collect();

    let file = File::options().read(true).write(true).open(&disk).unwrap();
    let mut noise = vec![0_u8; 1 << 16];
    let mut seed = 5_u64;
    for range in &found.ranges {
        let mut at = range.start;
        while at < range.end {
            for byte in &mut noise {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (seed >> 56) as u8;
            }
            let count = (range.end - at).min(noise.len() as u64);
            file.write_all_at(&noise[..count as usize], at).unwrap();
            at += count;
        }
    }
    assert!(succeed("sgdisk", &["-v", text]).contains("No problems found"));
    let cut = bench.path("root.part");
    copy(&file, root * MIB..(root + 100) * MIB, &cut);
    let checked = run("e2fsck", &["-fn", cut.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let after: Vec<String> = ["dir1/file1", "dir3/file59", "dir2/file58"]
        .iter()
        .map(|path| cat(&bench, &disk, root, path))
        .collect();
    assert_eq!(before, after);
    assert!(before[2].len() > 50_000, "{}", before[2].len());
    let esp_cut = bench.path("esp.part");
    copy(&file, esp * MIB..(esp + 40) * MIB, &esp_cut);
    succeed("fsck.vfat", &["-n", esp_cut.to_str().unwrap()]);
    let grub = succeed("mtype", &["-i", esp_cut.to_str().unwrap(), "::/EFI/debian/grub.cfg"]);
    assert_eq!(grub, "search.fs_uuid root\n".repeat(3000));
    assert_eq!(map(&disk), found, "and the map itself is read from nothing free");
}

fn copy(file: &File, range: Range<u64>, to: &Path) {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start).unwrap();
    std::fs::write(to, bytes).unwrap();
}

fn cat(bench: &Bench, disk: &Path, mib: u64, path: &str) -> String {
    let cut = bench.path("cat.part");
    copy(&File::open(disk).unwrap(), mib * MIB..(mib + 100) * MIB, &cut);
    succeed("debugfs", &["-R", &format!("cat /{path}"), cut.to_str().unwrap()])
}

#[test]
fn gaps_that_somebody_may_read_are_in_use() {
    if !tools() || !have(&["sfdisk"]) {
        return;
    }
    let bench = Bench::new();
    // GRUB's core.img lies behind an MBR.
    let disk = bench.mbr("mbr", &bench.ext4("fs", 40, &[], &[("/a", "b")]));
    File::options().write(true).open(&disk).unwrap().set_len(60 * MIB).unwrap();
    let found = map(&disk);
    assert!(found.ranges.iter().all(|range| range.start >= MIB), "{:?}", found.ranges);
    assert_eq!(found.ranges.last().map(|range| range.end), Some(60 * MIB));

    // So it does behind a GPT with boot code.
    let disk = whole(&bench);
    let file = File::options().write(true).open(&disk).unwrap();
    file.write_all_at(b"\xeb\x63", 0).unwrap();
    assert!(map(&disk).ranges.iter().all(|range| range.start >= MIB));
    // A backup that is damaged leaves doubts about all gaps.
    file.write_all_at(b"X", file.metadata().unwrap().len() - 512).unwrap();
    let root = (1 + 4 + 40 + 4) * MIB;
    let found = map(&disk);
    assert!(found.ranges.iter().all(|range| range.start >= 5 * MIB && range.end <= root + 100 * MIB));
    assert!(!found.ranges.is_empty());

    // On a disk that was enlarged the table stays where it is, and nothing lies behind it.
    let disk = whole(&bench);
    let (length, before) = (disk.metadata().unwrap().len(), map(&disk).ranges);
    File::options().write(true).open(&disk).unwrap().set_len(length + 9 * MIB).unwrap();
    let behind = std::iter::once(length..length + 8 * MIB);
    assert_eq!(map(&disk).ranges, merge(before.into_iter().chain(behind).collect()));

    // Logical partitions have their tables in between.
    let disk = bench.path("extended");
    File::create(&disk).unwrap().set_len(64 * MIB).unwrap();
    let script = bench.path("script");
    let text = "label: dos\nunit: sectors\n1: start=2048, size=4096, type=83\n2: start=8192, size=40960, type=5\n\
         5: start=10240, size=2048, type=83\n6: start=20480, size=4096, type=83\n";
    std::fs::write(&script, text).unwrap();
    succeed("sh", &["-c", &format!("sfdisk -q {} < {}", disk.display(), script.display())]);
    assert_eq!(map(&disk).ranges, [6144 * 512..8192 * 512, 49152 * 512..64 * MIB]);
    // An ISO image with a table beside it is one image.
    File::options().write(true).open(&disk).unwrap().write_all_at(b"CD001", 32769).unwrap();
    assert_eq!(map(&disk).ranges, []);
    // So is a disk whose partitions are verified as a whole.
    let disk = whole(&bench);
    File::options().write(true).open(&disk).unwrap().write_all_at(b"verity\0\0", MIB).unwrap();
    let found = map(&disk);
    assert!(found.ranges.is_empty() && found.notes[0].contains("dm-verity"), "{:?}", found.notes);
}

#[test]
fn copies_of_a_fat_that_differ_leave_nothing_free() {
    if !tools() {
        return;
    }
    let bench = Bench::new();
    let image = bench.esp("esp", 40, &["-F", "32"]);
    let free = map(&image).ranges;
    assert!(!free.is_empty());
    let disk: Arc<dyn BlockSource> = Arc::new(RawSource::open(&image).unwrap());
    assert_eq!(efi_programs(disk.clone(), 0..disk.len()).unwrap(), [""; 0]);
    succeed("mmd", &["-i", image.to_str().unwrap(), "::/EFI/boot"]);
    let grub = bench.path("grub.cfg");
    succeed("mcopy", &["-i", image.to_str().unwrap(), grub.to_str().unwrap(), "::/EFI/boot/bootx64.efi"]);
    let disk: Arc<dyn BlockSource> = Arc::new(RawSource::open(&image).unwrap());
    assert_eq!(efi_programs(disk.clone(), 0..disk.len()).unwrap(), ["BOOTX64.EFI"]);
    assert!(efi_programs(disk, 0..MIB).is_err());
    // 32 reserved sectors, then the first table; its last entries are those of free clusters.
    File::options().write(true).open(&image).unwrap().write_all_at(&[1], 32 * 512 + 40_000).unwrap();
    assert_eq!(map(&image).ranges, []);
}
