//! SIGKILL at random moments: the output is whole or absent, nothing with a name is left, the source
//! is as it was.
//!
//! The builds are of a real root, so that most moments fall into reading and writing; their
//! outputs are reproducible, so "whole" means equal to the one of an undisturbed build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::tools::{hand_over, run};

use crate::workshop::Workshop;

/// A command of which the output's name is the last argument.
struct Work {
    what: &'static str,
    arguments: Vec<String>,
    output: &'static str,
    /// The output exists before, with this content.
    replaced: Option<&'static str>,
}

fn works(zlib: &Path, raw: &Path, packed: &Path) -> Vec<Work> {
    let work = |what, words: &[&str], output: &'static str, replaced| {
        let arguments = words.iter().map(|word| (*word).to_owned()).collect();
        Work { what, arguments, output, replaced }
    };
    let [zlib, raw, packed] = [zlib, raw, packed].map(|path| path.to_str().unwrap());
    let build = ["build", "debian-3fa.yaml", "--source"];
    let building = |source, more: &[&'static str]| {
        let mut words = build.to_vec();
        words.push(source);
        words.extend(more);
        words.push("--output");
        words
    };
    vec![
        work("build qcow2 to raw", &building(zlib, &[]), "out.raw", None),
        work("build qcow2 to qcow2", &building(zlib, &[]), "out.qcow2", None),
        work("build raw to qcow2", &building(raw, &["--compression", "zstd"]), "out.qcow2", None),
        work("build over an old output", &building(zlib, &["--force"]), "out.qcow2", Some("an old output")),
        work("convert qcow2 to raw", &["convert", zlib], "out.raw", None),
        work("convert qcow2 to qcow2", &["convert", zlib], "out.qcow2", None),
        work("convert a packed image", &["convert", packed], "out.qcow2", None),
    ]
}

/// Where moments come from; the seed is printed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    /// A number from 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

/// Kills every kind of work at `moments` random moments, evenly spread over the kinds.
fn kill(moments: usize, seed: u64) {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, "bookworm");
    let outputs = workshop.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    hand_over(&outputs);
    let zlib = images.disk("debian12");
    let (raw, packed) = (workshop.path().join("source.raw"), workshop.path().join("source.qcow2.zst"));
    run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(&zlib).arg(&raw));
    run(Command::new("zstd").args(["-q", "-1"]).arg(&zlib).arg("-o").arg(&packed));
    let sources = [&zlib, &raw, &packed];
    let digests = sources.map(|source| sha256(source));
    let before = names(workshop.path());

    let works = works(&zlib, &raw, &packed);
    let mut random = Random(seed);
    let (mut killed, mut finished) = (0, 0);
    for (index, work) in works.iter().enumerate() {
        let (share, rest) = (moments / works.len(), moments % works.len());
        let output = outputs.join(work.output);
        let start = || {
            let mut command = workshop.command();
            command.args(&work.arguments).arg(&output).env("CI", "true");
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let prepare = || match work.replaced {
            Some(old) => std::fs::write(&output, old).unwrap(),
            None => {
                let _ = std::fs::remove_file(&output);
            }
        };
        prepare();
        let begun = Instant::now();
        assert!(start().wait().unwrap().success(), "{}", work.what);
        let whole = begun.elapsed();
        let expected = workshop.path().join("expected");
        std::fs::rename(&output, &expected).unwrap();
        let digest = sha256(&expected);
        std::fs::remove_file(&expected).unwrap();
        for record in names(&outputs) {
            std::fs::remove_file(record).unwrap();
        }
        for _ in 0..share + usize::from(index < rest) {
            prepare();
            let moment = whole.mul_f64(random.next() * 1.05);
            let mut child = start();
            std::thread::sleep(moment.max(Duration::from_micros(200)));
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            let told = format!("{}, seed {seed:#x}, killed after {moment:?} of {whole:?}", work.what);
            match ended.success() {
                true => finished += 1,
                false => killed += 1,
            }
            let (records, left): (Vec<PathBuf>, Vec<PathBuf>) = names(&outputs)
                .into_iter()
                .partition(|path| path.to_string_lossy().ends_with(".provenance.json"));
            // The record comes behind its output; conversions have none.
            for record in &records {
                assert!(output.exists(), "{told}: a record of nothing");
                serde_json::from_slice::<serde_json::Value>(&std::fs::read(record).unwrap()).unwrap();
                std::fs::remove_file(record).unwrap();
            }
            match (left.as_slice(), work.replaced) {
                ([], None) => assert!(!ended.success(), "{told}: it ended well, and nothing is there"),
                ([one], Some(old)) if *one == output && one.metadata().unwrap().len() == old.len() as u64 => {
                    assert_eq!(std::fs::read_to_string(one).unwrap(), old, "{told}");
                    assert!(!ended.success(), "{told}: it ended well, and the old output is there");
                }
                ([one], _) if *one == output => assert_eq!(sha256(one), digest, "{told}: not whole"),
                (left, _) => panic!("{told}: left behind: {left:?}"),
            }
            assert_eq!(names(workshop.path()), before, "{told}");
        }
        let _ = std::fs::remove_file(&output);
    }
    // What a killed run did to a source no later one would have undone.
    assert_eq!(sources.map(|source| sha256(source)), digests, "a source was changed");
    eprintln!("killed {killed} times before the end, {finished} ended first");
    assert!(killed >= moments / 3, "only {killed} of {moments} were killed before their end");
}

#[test]
fn killed_at_20_random_moments() {
    kill(20, 0x5eed_0001);
}

#[test]
#[ignore = "ten minutes"]
fn killed_at_200_random_moments_of_each() {
    kill(1400, 0x5eed_0200);
}
