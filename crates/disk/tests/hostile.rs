//! Mutated images: an error or bytes, but no panic, no endless walk and no memory by claims.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Random, file, have, pattern, run, text};
use hardtack_disk::{Backing, BlockSource, Qcow2Source};

const MUTANTS: u64 = 4000;
/// One read of everything takes milliseconds; a loop would take forever.
const LIMIT: Duration = Duration::from_secs(20);

/// Structures worth hitting: header, extensions, L1, the first L2.
fn mutate(image: &mut Vec<u8>, tables: &[usize], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let base = match random.below(3) {
            0 => 0,
            1 => 104,
            _ => tables[random.below(tables.len() as u64) as usize],
        };
        let length = image.len() as u64;
        let at = (base as u64 + random.below(96)).min(length - 8) as usize;
        match random.below(6) {
            0 => image[at] ^= 1 << random.below(8),
            1 => image[at] = random.next() as u8,
            2 => image[at..at + 8].copy_from_slice(&random.next().to_be_bytes()),
            3 => image[at..at + 4].copy_from_slice(&[0xff; 4]),
            4 => image[at..at + 8].copy_from_slice(&(random.below(length) & !511).to_be_bytes()),
            _ => {
                let keep = random.below(length).max(16) as usize;
                image.truncate(keep);
            }
        }
        if image.len() < 4096 {
            return;
        }
    }
}

/// Reads what there is, at most 32 MiB at once, since a size may be a lie.
fn read_whole(disk: &dyn BlockSource) {
    let mut buffer = vec![0; 1 << 20];
    let mut budget = 32;
    for range in disk.data_ranges(0..disk.len()).unwrap_or_default() {
        let mut at = range.start;
        while at < range.end && budget > 0 {
            let length = (range.end - at).min(buffer.len() as u64);
            let _ = disk.read_at(at, &mut buffer[..length as usize]);
            at += length;
            budget -= 1;
        }
    }
    let tail = disk.len().min(4096);
    let _ = disk.read_at(disk.len() - tail, &mut buffer[..tail as usize]);
    let head = disk.len().min(1 << 20);
    let _ = disk.read_at(0, &mut buffer[..head as usize]);
}

#[test]
fn mutants_neither_panic_nor_hang() {
    mutants(MUTANTS);
}

#[test]
#[ignore = "the full suite: 100,000 mutants"]
fn many_mutants_neither_panic_nor_hang() {
    mutants(100_000);
}

fn mutants(count: u64) {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let raw = file(directory.path(), "raw", &pattern(1 << 20, 5));
    let mut seeds: Vec<Vec<u8>> = [
        "cluster_size=512",
        "cluster_size=4k,compression_type=zstd",
        "cluster_size=64k",
        "compat=0.10,cluster_size=4k",
        "cluster_size=16k,extended_l2=on",
    ]
    .iter()
    .enumerate()
    .map(|(index, options)| {
        let path = directory.path().join("seed");
        let mut arguments = vec!["convert", "-q", "-f", "raw", "-O", "qcow2", "-o", options];
        if index % 2 == 1 || index == 0 {
            arguments.push("-c");
        }
        arguments.extend([text(&raw), text(&path)]);
        run("qemu-img", &arguments);
        std::fs::read(&path).unwrap()
    })
    .collect();
    // One more seed with a backing file, and an image above the mutants.
    let backed = |name: &str, below: &str, format: &str| {
        let path = directory.path().join(name);
        run("qemu-img", &["create", "-q", "-u", "-f", "qcow2", "-F", format, "-b", below, text(&path), "1M"]);
        run("qemu-io", &["-f", "qcow2", "-c", "write -q -P 5 96k 64k", text(&path)]);
        path
    };
    seeds.push(std::fs::read(backed("backed", "raw", "raw")).unwrap());
    file(directory.path(), "mutant", &seeds[2]);
    let top = backed("top", "mutant", "qcow2");
    let within = Backing::Within(directory.path().to_owned());
    let mut opened = 0;
    for number in 0..count {
        let mut random = Random(number * 2 + 1);
        random.next();
        let mut image = seeds[(number % seeds.len() as u64) as usize].clone();
        let word = |at: usize| u64::from_be_bytes(image[at..at + 8].try_into().unwrap()) as usize;
        let l1 = word(40);
        let l2 = word(l1) & 0x00ff_ffff_ffff_fe00;
        mutate(&mut image, &[l1, l2, l2 + 256], &mut random);
        let path = file(directory.path(), "mutant", &image);
        let start = Instant::now();
        // The sound image that has a backing file reads through the mutant of another one.
        let path = if number % 4 == 3 { &top } else { &path };
        if let Ok(disk) = Qcow2Source::open_with(path, &within) {
            opened += 1;
            read_whole(&disk);
        }
        assert!(start.elapsed() < LIMIT, "mutant {number} takes {:?}", start.elapsed());
    }
    assert!(opened > count / 10, "only {opened} mutants were read at all: the test misses the tables");
}
