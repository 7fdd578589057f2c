//! Bundling beside the pipeline `tar -S | pigz | openssl enc | split`, in one run.
//!
//! `cargo bench -p hardtack-bundle --bench pipeline -- --image RAW [--directory DIR] [--runs N]`. The image is
//! raw. Every measurement is a process of its own, the contenders take turns after one round that fills the
//! page cache and does not count, and every output is removed before the next one starts. The pipeline hashes
//! the archive on the way, which a manifest needs; it hashes no parts and waits for no disk, so ours does not
//! wait either.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use hardtack_bundle::{BundleOptions, Gzip, Session, write_parts};
use hardtack_disk::RawSource;

/// One run: seconds, seconds of processor time, KiB, bytes written.
type Sample = (f64, f64, u64, u64);

const PEER: &str = "tar -C \"$(dirname \"$0\")\" -cS --owner 0 --group 0 \"$(basename \"$0\")\" | \
    tee >(sha1sum > \"$1/digest\") | pigz -6 | \
    openssl enc -e -aes-128-cbc -K 000102030405060708090a0b0c0d0e0f -iv 000102030405060708090a0b0c0d0e0f | \
    split -b 10485760 -d - \"$1/part.\"";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [one, way, image, directory] = &arguments[..]
        && one == "--one"
    {
        return ours(way, Path::new(image), Path::new(directory));
    }
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let Some(image) = value("--image").map(PathBuf::from) else {
        eprintln!("SKIPPED: --image names a raw image");
        return;
    };
    let directory = value("--directory")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bundle"), PathBuf::from);
    let runs: usize = value("--runs").map_or(3, |runs| runs.parse().unwrap());
    for program in ["pigz", "openssl", "time"] {
        if Command::new(program).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
            eprintln!("SKIPPED: {program} is not installed");
            return;
        }
    }
    let own = std::env::current_exe().unwrap().display().to_string();
    let (file, out) = (image.display().to_string(), directory.display().to_string());
    let ours = |way: &str| [&own, "--one", way, &file, &out].map(str::to_owned).to_vec();
    let contenders = [
        ("tar -S, pigz, openssl, split", ["bash", "-c", PEER, &file, &out].map(str::to_owned).to_vec()),
        ("ours", ours("members")),
        ("ours, --level 1", ours("fast")),
        ("ours, --gzip single", ours("single")),
        ("ours, --dense", ours("dense")),
    ];
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contenders.len()];
    for round in 0..=runs {
        for ((_, command), samples) in contenders.iter().zip(&mut samples) {
            let sample = measure(command, &directory);
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let median = |samples: &[Sample], of: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("| way | wall | processor | to the pipeline's | peak | written |\n|---|--:|--:|--:|--:|--:|");
    let peer = median(&samples[0], |sample| sample.1);
    for ((name, _), samples) in contenders.iter().zip(&samples) {
        let (wall, processor) = (median(samples, |sample| sample.0), median(samples, |sample| sample.1));
        let (peak, bytes) =
            (median(samples, |sample| sample.2 as f64), median(samples, |sample| sample.3 as f64));
        println!(
            "| {name} | {wall:.2} s | {processor:.2} s | {:.2} | {:.0} MiB | {:.1} MB |",
            processor / peer,
            peak / 1024.0,
            bytes / 1e6
        );
    }
}

/// Bundles in this process.
fn ours(way: &str, image: &Path, directory: &Path) {
    let disk = RawSource::open(image).unwrap();
    let options = BundleOptions {
        gzip: if way == "single" { Gzip::Single } else { Gzip::Members },
        level: if way == "fast" { 1 } else { 6 },
        dense: way == "dense",
        durable: false,
        ..BundleOptions::new("image", directory)
    };
    let session = Session::new(&[7; 32]);
    write_parts(&disk, &session, &options, &|_, _, _| {}).unwrap().keep();
}

fn measure(command: &[String], directory: &Path) -> Sample {
    let _ = std::fs::remove_dir_all(directory);
    std::fs::create_dir_all(directory).unwrap();
    let report = directory.with_extension("time");
    let begun = Instant::now();
    let ended =
        Command::new("time").args(["-f", "%U %S %M", "-o"]).arg(&report).args(command).output().unwrap();
    let wall = begun.elapsed().as_secs_f64();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    let said = std::fs::read_to_string(&report).unwrap();
    let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [user, system, memory] = numbers[..] else { panic!("{said}") };
    let written = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    (wall, user + system, memory as u64, written.sum())
}
