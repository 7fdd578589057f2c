//! An edited qcow2 image written as qcow2, against `qemu-img convert -c -m 16 -W` of its source.
//!
//! `cargo bench -p hardtack-disk --bench rewrite -- [--image FILE] [--directory DIR] [--runs N]`.
//! Without `--image` (any qcow2) a disk is made up. The programs take turns in one run, all inputs
//! are in the page cache, every output goes to a new file. What is printed: the median of the wall
//! times with the least and the greatest, the median of the processor times, and the ratios of the
//! medians (of processor times: what a busy machine changes least).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hardtack_disk::{
    AtomicFile, BlockSource, BlockWrite, ImageFormat, Overlay, OverlayBase, Qcow2Options, Qcow2Source,
    RewriteOptions, write_overlay, write_qcow2_from,
};

/// (name, number of edits, bytes of each).
const EDITS: &[(&str, u64, usize)] =
    &[("no edit", 0, 0), ("600 edits of 4 KiB", 600, 4096), ("one edit of 24 MiB", 1, 24 << 20)];

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A disk that looks like programs to deflate: words of a small vocabulary, and zeros between.
fn made_up() -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(512 << 20);
    for block in 0..(1_usize << 17) {
        while block % 3 != 0 && bytes.len() < (block + 1) * 4096 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = state >> 33 & if state >> 62 == 0 { 0xffff_ffff } else { 0x1ff };
            bytes.extend_from_slice(&word.to_le_bytes()[..4]);
        }
        bytes.resize((block + 1) * 4096, 0);
    }
    bytes
}

/// Edits in the data of the disk, evenly spread: text that deflate shrinks to a half.
fn edit(disk: &Overlay<&Qcow2Source>, count: u64, length: usize) {
    let data = disk.below().data_ranges(0..disk.len()).unwrap();
    let total: u64 = data.iter().map(|range| range.end - range.start).sum();
    let content: Vec<u8> =
        (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as u8 + b'a').collect();
    for number in 0..count {
        let mut at = total / count * number;
        for range in &data {
            let there = range.end - range.start;
            if at < there {
                let at = (range.start + at) / 4096 * 4096;
                let length = (disk.len() - at).min(length as u64) as usize;
                disk.write_at(at, &content[..length]).unwrap();
                break;
            }
            at -= there;
        }
    }
}

/// Wall and processor times of one way to write an image.
#[derive(Default)]
struct Series {
    wall: Vec<Duration>,
    processor: Vec<Duration>,
}

impl Series {
    fn measure(&mut self, path: &Path, work: impl FnOnce()) {
        let _ = std::fs::remove_file(path);
        let (start, before) = (Instant::now(), processor_time());
        work();
        self.wall.push(start.elapsed());
        self.processor.push(processor_time() - before);
    }
}

/// Processor time of this process and of its children that have ended: fields 14 to 17 of
/// `/proc/self/stat`, in hundredths of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    Duration::from_millis(fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum::<u64>() * 10)
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn main() {
    let mut directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (mut image, mut runs) = (None, 3_usize);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--image" => image = arguments.next(),
            "--directory" => directory = arguments.next().unwrap().into(),
            "--runs" => runs = arguments.next().unwrap().parse().unwrap(),
            _ => {}
        }
    }
    std::fs::create_dir_all(&directory).unwrap();
    let raw = directory.join("rewrite.raw");
    let (source, ours, theirs) = (
        directory.join("rewrite.qcow2"),
        directory.join("rewrite-ours.qcow2"),
        directory.join("rewrite-theirs.qcow2"),
    );
    match &image {
        Some(image) => drop(std::fs::copy(image, &source).unwrap()),
        None => {
            std::fs::write(&raw, made_up()).unwrap();
            run(
                "qemu-img",
                &["convert", "-c", "-m", "16", "-W", "-f", "raw", "-O", "qcow2", text(&raw), text(&source)],
            );
            std::fs::remove_file(&raw).unwrap();
        }
    }
    let opened = Qcow2Source::open(&source).unwrap();
    let base = OverlayBase { name: b"rewrite.qcow2".to_vec(), format: ImageFormat::Qcow2 };
    let threads = std::thread::available_parallelism().unwrap().get();
    // Ways to write: a whole image, the same synchronised, scrubbed, an overlay file.
    let names = ["image", "image, synced", "image, scrubbed", "overlay file"];
    let mut peer = Series::default();
    let mut all: Vec<[Series; 4]> = EDITS.iter().map(|_| Default::default()).collect();
    for _ in 0..runs {
        peer.measure(&theirs, || {
            run(
                "qemu-img",
                &["convert", "-c", "-m", "16", "-W", "-O", "qcow2", text(&source), text(&theirs)],
            );
        });
        for ((_, count, length), times) in EDITS.iter().zip(&mut all) {
            let disk = Overlay::new(&opened);
            edit(&disk, *count, *length);
            let changed = disk.changed_ranges(0..u64::MAX);
            for (way, times) in times.iter_mut().enumerate() {
                times.measure(&ours, || {
                    let mut out = AtomicFile::create(&ours).unwrap();
                    if way == 3 {
                        let options = Qcow2Options { threads, ..Qcow2Options::default() };
                        write_overlay(&opened, &base, &disk, &changed, &mut out, &options, &|_, _| {})
                            .unwrap();
                    } else {
                        let options =
                            RewriteOptions { threads, scrub: way == 2, ..RewriteOptions::default() };
                        write_qcow2_from(&opened, &disk, &changed, &mut out, &options, &|_, _| {}).unwrap();
                    }
                    if way == 1 {
                        out.commit(true).unwrap();
                    }
                });
            }
        }
    }
    let seconds = |times: &[Duration]| median(times).as_secs_f64();
    println!(
        "qemu-img convert -c -m 16 -W: {} ms, cpu {} ms",
        median(&peer.wall).as_millis(),
        median(&peer.processor).as_millis()
    );
    for ((case, ..), times) in EDITS.iter().zip(&all) {
        for (name, series) in names.iter().zip(times) {
            println!(
                "{case:20} {name:16} {:5} ms ({}-{})  cpu {:5} ms  ratio {:.4}, cpu {:.4}",
                median(&series.wall).as_millis(),
                series.wall.iter().min().unwrap().as_millis(),
                series.wall.iter().max().unwrap().as_millis(),
                median(&series.processor).as_millis(),
                seconds(&series.wall) / seconds(&peer.wall),
                seconds(&series.processor) / seconds(&peer.processor),
            );
        }
    }
    for path in [&source, &ours, &theirs] {
        let _ = std::fs::remove_file(path);
    }
}
