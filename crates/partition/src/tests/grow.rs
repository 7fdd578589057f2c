use std::ops::Range;

use hardtack_disk::{BlockSource, BlockWrite, Overlay};

use super::hostile::Random;
use super::*;
use crate::{Error, Growth, Kind, Repair, grow_partition, read_table};

/// A disk in a file, enlarged in memory and grown there; the file becomes the result.
fn grow(path: &Path, to: u64, number: u32, repair: Repair) -> Result<(Growth, Vec<u8>, Vec<u8>), Error> {
    let mut before = std::fs::read(path).unwrap();
    let old_length = before.len() as u64;
    before.resize(to as usize, 0);
    let disk = Overlay::new(before.clone());
    let result = grow_partition(&disk, old_length, number, repair);
    if result.is_err() {
        assert_eq!(disk.changed_bytes(), 0, "a refusal comes before the first change");
    }
    let growth = result?;
    let mut after = vec![0; to as usize];
    disk.read_at(0, &mut after).unwrap();
    std::fs::write(path, &after).unwrap();
    Ok((growth, before, after))
}

/// The byte ranges where the two differ.
fn differences(one: &[u8], other: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // Whole chunks first: byte by byte takes its time.
    let chunks = (0..one.len().div_ceil(4096)).map(|chunk| chunk * 4096..one.len().min(chunk * 4096 + 4096));
    let unlike = chunks.filter(|chunk| one[chunk.clone()] != other[chunk.clone()]).flatten();
    for at in unlike.filter(|at| one[*at] != other[*at]) {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}

/// Partition `number`'s last sector, as sgdisk reads it.
fn sgdisk_end(path: &Path, number: u32) -> u64 {
    let told = run("sgdisk", &["-i", &number.to_string(), text(path)], "");
    let line = told.lines().find(|line| line.starts_with("Last sector:")).unwrap();
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

fn verify(path: &Path) {
    let told = run("sgdisk", &["-v", text(path)], "");
    assert!(told.contains("No problems found"), "{told}");
    assert!(!told.contains("Warning") && !told.contains("Problem"), "{told}");
}

/// Puts something recognisable where no table is.
fn fill(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.len() - 40 * 4096;
    for (at, byte) in bytes[..end].iter_mut().enumerate().skip(1 << 20) {
        *byte = (at % 251) as u8;
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn debians_root_grows_and_nothing_else_changes() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 32 * MIB);
    let arguments = [
        "-n",
        "14:2048:8191",
        "-t",
        "14:ef02",
        "-n",
        "15:8192:16383",
        "-t",
        "15:ef00",
        "-n",
        "1:16384:0",
        "-c",
        "1:root ☃",
        "-A",
        "1:set:2",
        "-A",
        "1:set:63",
        "-u",
        "1:3eb5f2d1-0001-4f4f-8f8f-0123456789ab",
    ];
    run("sgdisk", &[&arguments[..], &[text(&path)]].concat(), "");
    fill(&path);
    let (growth, before, after) = grow(&path, 48 * MIB, 1, Repair::Refuse).unwrap();
    let sectors = 48 * MIB / 512;
    assert_eq!(growth.new, 16384 * 512..(sectors - 33) * 512);
    assert_eq!(growth.old, 16384 * 512..32 * MIB - 33 * 512 - (32 * MIB - 33 * 512) % 512);
    assert_eq!(
        growth.describe(),
        format!("partition 1 ends at byte {} instead of {} (+{})", growth.new.end, growth.old.end, 16 * MIB)
    );
    verify(&path);
    assert_eq!(sgdisk_end(&path, 1), sectors - 34);
    // Header: its sum, alternate, last usable, the entries' sum. Entry 1 is in slot 0.
    let allowed: &[Range<usize>] = &[
        446 + 5..446 + 8,
        446 + 12..446 + 16,
        512 + 16..512 + 20,
        512 + 32..512 + 40,
        512 + 48..512 + 56,
        512 + 88..512 + 92,
        1024 + 40..1024 + 48,
        32 * MIB as usize - 33 * 512..32 * MIB as usize,
        48 * MIB as usize - 33 * 512..48 * MIB as usize,
    ];
    for range in differences(&before, &after) {
        assert!(
            allowed.iter().any(|allowed| allowed.start <= range.start && range.end <= allowed.end),
            "{range:?}"
        );
    }
    assert!(
        after[32 * MIB as usize - 33 * 512..32 * MIB as usize].iter().all(|byte| *byte == 0),
        "the old backup is gone"
    );
    // A second time: nothing to do, nothing changed.
    let (growth, before, after) = grow(&path, 48 * MIB, 1, Repair::Refuse).unwrap();
    assert_eq!((growth.gained(), differences(&before, &after)), (0, vec![]));
    // What is in the way is named, as is a partition that is not there.
    for (number, told) in [(14, "partition 15"), (2, "no such partition (it has 1, 14, 15)")] {
        let error = grow(&path, 64 * MIB, number, Repair::Refuse).unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains(told), "{error}");
    }
}

#[test]
fn random_tables_change_only_where_they_must() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for seed in 0..12_u64 {
        let mut random = Random(seed * 2 + 7);
        random.below(3);
        let path = blank(directory.path(), 16 * MIB);
        // Numbers in any order, gaps between partitions, any name.
        let mut arguments: Vec<String> = Vec::new();
        let mut at = 2048 + random.below(100);
        let (mut numbers, mut last) = (Vec::new(), 0);
        for _ in 0..1 + random.below(6) {
            let number = [1, 2, 3, 14, 15, 16, 127, 128][random.below(8) as usize];
            if numbers.contains(&number) {
                continue;
            }
            let size = 64 + random.below(3000);
            arguments.extend(["-n".to_owned(), format!("{number}:{at}:{}", at + size - 1)]);
            arguments.extend(["-c".to_owned(), format!("{number}:part {seed} {number}")]);
            at += size + random.below(500);
            numbers.push(number);
            last = number;
        }
        let mut all: Vec<&str> = vec!["-a", "1"];
        all.extend(arguments.iter().map(String::as_str));
        all.push(text(&path));
        run("sgdisk", &all, "");
        let hybrid = random.below(3) == 0;
        if hybrid {
            run("sgdisk", &["-h", &numbers[0].to_string(), text(&path)], "");
        }
        let table = read_table(&std::fs::read(&path).unwrap()).unwrap();
        let to = 16 * MIB + random.below(4000) * 512;
        let (growth, before, after) =
            grow(&path, to, last, Repair::Refuse).unwrap_or_else(|error| panic!("{seed}: {error}"));
        verify(&path);
        assert_eq!(growth.new.end, (to / 512 - 33) * 512, "{seed}");
        let slot = 1024 + (last as usize - 1) * 128;
        let (old_end, new_end) = (16 * MIB as usize, to as usize);
        for range in differences(&before, &after) {
            let inside = |start: usize, end: usize| start <= range.start && range.end <= end;
            assert!(
                inside(446, 462)
                    || (hybrid && last == numbers[0] && inside(462, 478))
                    || inside(512, 604)
                    || inside(slot + 40, slot + 48)
                    || inside(old_end - 33 * 512, old_end)
                    || inside(new_end - 33 * 512, new_end),
                "{seed}: {range:?} hybrid {hybrid}"
            );
        }
        let now = read_table(&after).unwrap();
        for (old, new) in table.partitions.iter().zip(&now.partitions) {
            let mut old = old.clone();
            if old.number == last {
                old.range.end = growth.new.end;
            }
            assert_eq!(&old, new, "{seed}");
        }
    }
}

#[test]
fn as_growpart_does_it() {
    if !have(&["sgdisk", "sfdisk", "growpart"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for label in ["gpt", "dos"] {
        let path = blank(directory.path(), 16 * MIB);
        let (extra, kind) = if label == "gpt" { (14, "L") } else { (2, "83") };
        let script = format!(
            "label: {label}\n{extra}: start=2048, size=2048, type={kind}\n1: start=4096, type={kind}\n"
        );
        run("sfdisk", &[text(&path)], &script);
        let peer = directory.path().join("peer");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&peer, &bytes).unwrap();
        std::fs::OpenOptions::new().write(true).open(&peer).unwrap().set_len(40 * MIB).unwrap();
        run("growpart", &[text(&peer), "1"], "");
        let (growth, _, after) = grow(&path, 40 * MIB, 1, Repair::Refuse).unwrap();
        let theirs = read_table(&std::fs::read(&peer).unwrap()).unwrap();
        let ours = read_table(&after).unwrap();
        assert_eq!(ours.partitions[0].range, growth.new);
        let (ours, theirs) = (ours.partitions[0].range.end, theirs.partitions[0].range.end);
        // growpart leaves 33 sectors for a GPT to come behind an MBR; they are used here.
        let spare = if label == "gpt" { 0 } else { 33 * 512 };
        assert!(theirs <= ours && ours - theirs <= spare + MIB, "{label}: {ours} {theirs}");
        run("sfdisk", &["--verify", text(&path)], "");
    }
}

#[test]
fn sectors_of_4096_bytes_grow() {
    if !have(&["fdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 32 * MIB);
    run("fdisk", &["-b", "4096", text(&path)], "g\nn\n5\n256\n1279\nn\n1\n2048\n6143\nw\n");
    let error = grow(&path, 48 * MIB + 512, 1, Repair::Refuse).unwrap_err().to_string();
    assert!(error.contains("whole sectors of 4096 bytes"), "{error}");
    let (growth, _, after) = grow(&path, 48 * MIB, 1, Repair::Refuse).unwrap();
    // 16 KiB of entries are four sectors of 4 KiB.
    assert_eq!(growth.new, 8 * MIB..48 * MIB - 5 * 4096);
    assert_eq!(read_table(&after).unwrap().warnings, [] as [&str; 0]);
    let told = run("fdisk", &["-b", "4096", "-l", text(&path)], "");
    assert!(told.contains(" 2048 ") && told.contains(" 12282 "), "{told}");
    let mut truncated = after.clone();
    truncated[4096..4104].fill(0);
    let from_backup = read_table(&truncated).unwrap();
    assert_eq!(from_backup.partitions, read_table(&after).unwrap().partitions, "both halves say the same");
}

#[test]
fn tables_of_other_lengths_grow() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for (entries, number) in [("4", 3), ("256", 200), ("1000", 1000)] {
        let path = blank(directory.path(), 16 * MIB);
        let new = format!("{number}:4096:0");
        run("sgdisk", &["-S", entries, "-n", &new, text(&path)], "");
        let (growth, _, after) = grow(&path, 24 * MIB, number, Repair::Refuse).unwrap();
        // Fewer than 128 are a warning, whoever wrote them.
        let told = run("sgdisk", &["-v", text(&path)], "");
        assert!(told.contains("No problems found"), "{entries}: {told}");
        assert_eq!(sgdisk_end(&path, number), growth.new.end / 512 - 1, "{entries}");
        let mut headless = after;
        headless[512..520].fill(0);
        let from_backup = read_table(&headless).unwrap();
        assert_eq!(from_backup.partitions[0].range, growth.new, "{entries}: both halves say the same");
    }
}

#[test]
fn a_damaged_half_is_refused_or_repaired() {
    if !have(&["sgdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let end = 16 * MIB as usize;
    for (what, at) in [
        ("primary signature", 512),
        ("primary header", 512 + 60),
        ("primary entries", 1024 + 50),
        ("backup header", end - 512 + 60),
        ("backup entries", end - 33 * 512 + 50),
    ] {
        let path = blank(directory.path(), 16 * MIB);
        run("sgdisk", &["-n", "15:2048:4095", "-n", "1:4096:0", text(&path)], "");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        let half = what.split(' ').next().unwrap();
        let error = grow(&path, 32 * MIB, 1, Repair::Refuse).unwrap_err().to_string();
        assert!(error.contains(&format!("{half} half is damaged")), "{what}: {error}");
        let (growth, _, _) = grow(&path, 32 * MIB, 1, Repair::FromSoundHalf).unwrap();
        assert!(
            growth.notes.iter().any(|note| note.contains(&format!("{half} "))),
            "{what}: {:?}",
            growth.notes
        );
        verify(&path);
        assert_eq!(sgdisk_end(&path, 1), 32 * MIB / 512 - 34, "{what}");
        assert_eq!(sgdisk_end(&path, 15), 4095, "{what}");
    }
    let path = blank(directory.path(), 16 * MIB);
    run("sgdisk", &["-n", "1:2048:0", text(&path)], "");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512 + 60] ^= 1;
    bytes[end - 512 + 60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = grow(&path, 32 * MIB, 1, Repair::FromSoundHalf).unwrap_err().to_string();
    assert!(error.contains("backup:"), "{error}");
}

const LOGICAL: &str = "label: dos\nlabel-id: 0x3eb5f2d1\nunit: sectors\n1: start=2048, size=4096, type=83, bootable\n\
    3: start=8192, size=24576, type=f\n5: start=10240, size=2048, type=83\n6: start=16384, size=4096, type=82\n\
    7: start=24576, size=8192, type=83\n";

#[test]
fn mbr_primary_and_logical_partitions_grow() {
    if !have(&["sfdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for (what, script, number, start, places) in [
        ("one primary", "label: dos\n2: start=2048, size=8192, type=83\n", 2, 2048, 1),
        (
            "the last by place",
            "label: dos\n1: start=20480, size=4096, type=83\n2: start=2048, size=8192, type=83\n",
            1,
            20480,
            1,
        ),
        ("a logical one", LOGICAL, 7, 24576, 3),
    ] {
        let path = blank(directory.path(), 20 * MIB);
        run("sfdisk", &[text(&path)], script);
        let (growth, before, after) = grow(&path, 64 * MIB, number, Repair::Refuse).unwrap();
        assert_eq!(growth.new, start * 512..64 * MIB, "{what}");
        let changed: std::collections::BTreeSet<_> =
            differences(&before, &after).iter().map(|range| range.start / 512).collect();
        assert_eq!(changed.len(), places, "{what}: {changed:?}");
        assert!(differences(&before, &after).iter().all(|range| range.start % 512 >= 446), "{what}");
        let told = run("sfdisk", &["--verify", text(&path)], "");
        assert!(told.contains("No errors"), "{what}: {told}");
        // sfdisk writes the very same bytes when it makes the table with that size.
        let script: String = run("sfdisk", &["--dump", text(&path)], "");
        let peer = directory.path().join("peer");
        std::fs::File::create(&peer).unwrap().set_len(64 * MIB).unwrap();
        run("sfdisk", &[text(&peer)], &script);
        let theirs = std::fs::read(&peer).unwrap();
        for sector in changed {
            assert_eq!(
                after[sector * 512 + 446..][..66],
                theirs[sector * 512 + 446..][..66],
                "{what}: sector {sector}"
            );
        }
    }
    let path = blank(directory.path(), 20 * MIB);
    run("sfdisk", &[text(&path)], LOGICAL);
    for (number, told) in
        [(1, "partition 5 lies behind it"), (6, "partition 7 lies behind it"), (3, "no such partition")]
    {
        let error = grow(&path, 64 * MIB, number, Repair::Refuse).unwrap_err().to_string();
        assert!(error.contains(told), "{number}: {error}");
    }
    run(
        "sfdisk",
        &[text(&path)],
        "label: dos\n1: start=2048, size=2048, type=83\n2: start=8192, size=8192, type=5\n",
    );
    let error = grow(&path, 64 * MIB, 1, Repair::Refuse).unwrap_err().to_string();
    assert!(
        error.contains("begins behind it, at sector 8192"),
        "an empty extended partition is in the way: {error}"
    );
}

/// A disk of any size that holds nothing but its first sectors.
struct Huge(Overlay<Vec<u8>>, u64);

impl BlockSource for Huge {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        if offset + buf.len() as u64 <= self.0.len() {
            return self.0.read_at(offset, buf);
        }
        buf.fill(0);
        Ok(())
    }
}

impl BlockWrite for Huge {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), hardtack_disk::Error> {
        self.0.write_at(offset, bytes)
    }
}

#[test]
fn an_mbr_reaches_two_tib_and_no_further() {
    let mut sector = vec![0; 1 << 20];
    sector[446 + 4] = 0x83;
    sector[446 + 8..446 + 12].copy_from_slice(&2048_u32.to_le_bytes());
    sector[446 + 12..446 + 16].copy_from_slice(&4096_u32.to_le_bytes());
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (length, fits) in [(2 << 40, true), ((2 << 40) + 512, false)] {
        let disk = Huge(Overlay::new(sector.clone()), length);
        match grow_partition(&disk, 8 << 20, 1, Repair::Refuse) {
            Ok(growth) => assert!(fits && growth.new.end == length, "{growth:?}"),
            Err(error) => assert!(!fits && error.to_string().contains("2 TiB"), "{error}"),
        }
    }
}

#[test]
fn a_disk_without_a_table_just_has_become_larger() {
    let disk = Overlay::new(vec![0; 2 << 20]);
    let growth = grow_partition(&disk, 1 << 20, 0, Repair::Refuse).unwrap();
    assert_eq!((growth.old, growth.new, disk.changed_bytes()), (0..1 << 20, 0..2 << 20, 0));
    assert_eq!(read_table(&disk).unwrap().kind, Kind::Bare);
}

#[test]
fn mutants_never_panic_and_refusals_change_nothing() {
    if !have(&["sgdisk", "sfdisk"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = blank(directory.path(), 4 * MIB);
    run("sgdisk", &["-n", "1:2048:4000", "-n", "14:4001:5000", text(&path)], "");
    let gpt = std::fs::read(&path).unwrap();
    let path = blank(directory.path(), 4 * MIB);
    run(
        "sfdisk",
        &[text(&path)],
        "label: dos\n1: start=64, size=64\n2: start=256, size=4000, type=5\n5: start=300, size=20\n6: start=400, size=20\n",
    );
    let mbr = std::fs::read(&path).unwrap();
    let mut grown = 0;
    for number in 0..1500_u64 {
        let mut random = Random(number * 2 + 1);
        random.below(2);
        let (seed, places, target) = match number % 3 {
            0 => (&gpt, [446, 512, 1024 + 13 * 128], 14),
            1 => (&gpt, [446, gpt.len() as u64 - 512, gpt.len() as u64 - 33 * 512], 14),
            _ => (&mbr, [446, 256 * 512 + 446, 380 * 512 + 446], 6),
        };
        let mut disk = seed.clone();
        for _ in 0..1 + random.below(3) {
            let at = (places[random.below(3) as usize] + random.below(64)) as usize;
            disk[at] = random.below(256) as u8;
        }
        disk.resize(6 << 20, 0);
        let disk = Overlay::new(disk);
        let repair = if random.below(2) == 0 { Repair::Refuse } else { Repair::FromSoundHalf };
        match grow_partition(&disk, 4 * MIB, target, repair) {
            Ok(growth) => {
                grown += 1;
                let table = read_table(&disk).unwrap();
                let now = table.partitions.iter().find(|each| each.number == target).unwrap();
                assert_eq!(now.range, growth.new, "mutant {number}");
            }
            Err(_) => assert_eq!(disk.changed_bytes(), 0, "mutant {number}"),
        }
    }
    assert!(grown > 100, "only {grown} mutants grew: the test misses it");
}
