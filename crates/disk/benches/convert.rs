//! Our conversion to raw against `qemu-img convert -m 16 -W`, side by side in one run.
//!
//! `cargo bench -p hardtack-disk --bench convert -- [--image FILE] [--directory DIR] [--runs N]
//! [CASE…]`. Without `--image` a disk is made up; the numbers are about the image of a
//! real root. Every conversion is a process of its own, the two programs take turns, all inputs
//! are in the page cache. What is printed: the median of the wall times with the least and the
//! greatest, processor time, peak memory, and the ratio of the medians. `qemu-img` does not wait
//! for the disk, so the line to compare with is the one that is not synced.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hardtack_disk::{AtomicFile, open_source, write_raw};

/// (name, options of `qemu-img convert` that make the source).
const CASES: &[(&str, &[&str])] = &[
    ("zlib", &["-c"]),
    ("zlib-2M", &["-c", "-o", "cluster_size=2M"]),
    ("zstd", &["-c", "-o", "compression_type=zstd"]),
    ("plain", &[]),
    ("extended", &["-o", "extended_l2=on"]),
];
/// Data of the two sparse disks in bytes, and in how many pieces it is spread over them.
const SPARSE_DATA: u64 = 1 << 30;
const SPARSE_PIECES: u64 = 2048;

struct Options {
    image: Option<PathBuf>,
    directory: PathBuf,
    runs: usize,
    cases: Vec<String>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut options =
        Options { image: None, directory: env!("CARGO_TARGET_TMPDIR").into(), runs: 5, cases: Vec::new() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap();
        match argument.as_str() {
            "--one" => {
                let (source, output, sync) = (value(), value(), value() == "sync");
                let threads = arguments.next().map_or_else(cores, |number| number.parse().unwrap());
                return one(&source, &output, sync, threads);
            }
            "--image" => options.image = Some(value().into()),
            "--directory" => options.directory = value().into(),
            "--runs" => options.runs = value().parse().unwrap(),
            "--bench" => {}
            _ => options.cases.push(argument),
        }
    }
    compare(&options);
}

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// One conversion of ours; prints its peak memory in KiB and how long it took in microseconds.
/// Without `sync` the output never gets a name: taking it away again is not part of the time.
fn one(source: &str, output: &str, sync: bool, threads: usize) {
    let start = Instant::now();
    let disk = open_source(Path::new(source)).unwrap();
    let mut out = AtomicFile::create(Path::new(output)).unwrap();
    out.set_durable(sync);
    write_raw(&*disk, &mut out, threads, &|_, _| {}).unwrap();
    let time = if sync {
        out.commit(true).unwrap();
        start.elapsed()
    } else {
        start.elapsed()
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("{} {}", peak.trim().trim_end_matches(" kB"), time.as_micros());
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Processor time of all children that have ended: fields 16 and 17 of `/proc/self/stat`, in
/// hundredths of a second.
fn children_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// The times of one way to convert one image.
struct Series {
    name: &'static str,
    wall: Vec<Duration>,
    processor: Vec<Duration>,
    memory: Option<u64>,
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

impl Series {
    fn new(name: &'static str) -> Self {
        Self { name, wall: Vec::new(), processor: Vec::new(), memory: None }
    }

    fn measure(&mut self, work: impl FnOnce() -> String) {
        let (start, before) = (Instant::now(), children_time());
        let said = work();
        let mut said = said.split_whitespace().map(|word| word.parse::<u64>().unwrap());
        self.memory = self.memory.max(said.next());
        self.wall.push(said.next().map_or_else(|| start.elapsed(), Duration::from_micros));
        self.processor.push(children_time() - before);
    }

    fn print(&self, case: &str, peer: &Self) {
        let least = self.wall.iter().min().unwrap();
        let greatest = self.wall.iter().max().unwrap();
        println!(
            "{case:12} {:24} {:5} ms ({}-{})  cpu {:5} ms  {:>7}  ratio {:.3}",
            self.name,
            median(&self.wall).as_millis(),
            least.as_millis(),
            greatest.as_millis(),
            median(&self.processor).as_millis(),
            self.memory.map_or_else(String::new, |kib| format!("{} MiB", kib >> 10)),
            median(&self.wall).as_secs_f64() / median(&peer.wall).as_secs_f64(),
        );
    }
}

/// Converts `source` in all ways, `runs` times in turn.
fn convert(case: &str, source: &Path, options: &Options) -> Duration {
    let own = std::env::current_exe().unwrap();
    let (ours, theirs) = (options.directory.join("ours.raw"), options.directory.join("theirs.raw"));
    // What is overwritten gives its memory to the writer at once: no program is to gain by that.
    let remove = || [&ours, &theirs].map(std::fs::remove_file);
    let mut all = ["hardtack", "hardtack, synced", "qemu-img -m 16 -W", "qemu-img"].map(Series::new);
    for _ in 0..options.runs {
        for (number, sync) in ["no", "sync"].into_iter().enumerate() {
            let _ = remove();
            all[number].measure(|| run(text(&own), &["--one", text(source), text(&ours), sync]));
        }
        let ways: [&[&str]; 2] = [&["convert", "-m", "16", "-W"], &["convert"]];
        for (number, way) in ways.into_iter().enumerate() {
            let mut arguments = way.to_vec();
            arguments.extend(["-O", "raw", text(source), text(&theirs)]);
            let _ = remove();
            all[2 + number].measure(|| run("qemu-img", &arguments));
        }
    }
    run(text(&own), &["--one", text(source), text(&ours), "sync"]);
    let same = run("qemu-img", &["compare", "-f", "raw", "-F", "raw", text(&ours), text(&theirs)]);
    assert!(same.contains("identical"), "{case}: {same}");
    let _ = remove();
    for series in &all {
        series.print(case, &all[2]);
    }
    median(&all[0].wall)
}

/// A disk that looks like programs to deflate: words of a small vocabulary, and zeros between.
fn made_up(path: &Path) {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut state = 1_u64;
    for block in 0..(1_u64 << 18) {
        let mut bytes = Vec::with_capacity(4096);
        while block % 3 != 0 && bytes.len() < 4096 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = state >> 33 & if state >> 62 == 0 { 0xffff_ffff } else { 0x1ff };
            bytes.extend_from_slice(&word.to_le_bytes()[..4]);
        }
        bytes.resize(4096, 0);
        out.write_all(&bytes).unwrap();
    }
    out.flush().unwrap();
}

/// A qcow2 of `size` bytes with the same data as any other of these, evenly spread.
fn sparse(path: &Path, size: u64, data: &Path) {
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(path), &size.to_string()]);
    let piece = SPARSE_DATA / SPARSE_PIECES;
    let commands: Vec<String> = (0..SPARSE_PIECES)
        .map(|number| {
            let at = (size / SPARSE_PIECES * number) & !0xffff;
            format!("write -q -s {} {at} {piece}", text(data))
        })
        .collect();
    for some in commands.chunks(256) {
        let mut arguments = vec!["-f", "qcow2", "-t", "unsafe"];
        arguments.extend(some.iter().flat_map(|command| ["-c", command.as_str()]));
        arguments.push(text(path));
        run("qemu-io", &arguments);
    }
}

fn compare(options: &Options) {
    let wanted = |case: &str| options.cases.is_empty() || options.cases.iter().any(|name| name == case);
    let directory = &options.directory;
    std::fs::create_dir_all(directory).unwrap();
    let raw = directory.join("bench.raw");
    match &options.image {
        Some(image) => drop(run("qemu-img", &["convert", "-O", "raw", text(image), text(&raw)])),
        None => made_up(&raw),
    }
    for (case, making) in CASES.iter().filter(|(case, _)| wanted(case)) {
        let source = directory.join("bench.qcow2");
        let mut arguments = vec!["convert", "-m", "16", "-W", "-f", "raw", "-O", "qcow2"];
        arguments.extend(*making);
        arguments.extend([text(&raw), text(&source)]);
        run("qemu-img", &arguments);
        convert(case, &source, options);
        std::fs::remove_file(&source).unwrap();
    }
    if wanted("raw") {
        convert("raw", &raw, options);
    }
    if wanted("sparse") {
        let source = directory.join("bench.qcow2");
        let data = directory.join("bench.data");
        let noise: Vec<u8> = (1..=SPARSE_DATA / SPARSE_PIECES / 8)
            .flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .collect();
        std::fs::write(&data, noise).unwrap();
        let times = [4_u64 << 30, 1 << 40].map(|size| {
            sparse(&source, size, &data);
            convert(&format!("{} GiB", size >> 30), &source, options)
        });
        println!("1 TiB against 4 GiB: {:.3}", times[1].as_secs_f64() / times[0].as_secs_f64());
        std::fs::remove_file(&source).unwrap();
        std::fs::remove_file(&data).unwrap();
    }
    std::fs::remove_file(&raw).unwrap();
}
