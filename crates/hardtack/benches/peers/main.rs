//! `hardtack customize` and `hardtack sysprep` beside virt-customize and virt-sysprep.
//!
//! ```sh
//! cargo bench -p hardtack --bench peers
//! cargo bench -p hardtack --bench peers -- --runs 5 --image FILE.qcow2 sysprep
//! cargo bench -p hardtack --bench peers -- --program /usr/bin/hardtack
//! ```
//!
//! Each run is a process on a copy of the same image, in turn; making the copy is not measured. A first round fills the page
//! cache and does not count. libguestfs runs with its direct backend and under emulation, since that is what a build
//! machine without KVM has; `--kvm` leaves that choice to libguestfs.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../compare/machine.rs"]
mod machine;
#[path = "../compare/measure.rs"]
mod measure;

/// What `measure` measures.
mod cases {
    use std::path::PathBuf;

    /// A command that is measured.
    pub(crate) struct Contender {
        pub(crate) name: &'static str,
        pub(crate) command: Vec<String>,
        /// The file that it changes; removed before and after.
        pub(crate) output: PathBuf,
        /// The output is a copy of this before the command starts, which is not measured.
        pub(crate) on_copy_of: Option<PathBuf>,
        pub(crate) standard_input: Option<PathBuf>,
    }

    /// Contenders for the same work.
    pub(crate) struct Case {
        pub(crate) contenders: Vec<Contender>,
    }
}

use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{Case, Contender};
use measure::Outcome;

/// What many do: a name, a zone, a key, files in, files out.
const CUSTOMIZE: &[&str] = &[
    "--hostname",
    "web-1.example.net",
    "--timezone",
    "Europe/Berlin",
    "--write",
    "/etc/motd:hello",
    "--mkdir",
    "/srv/app",
    "--append-line",
    "/etc/hosts:10.0.0.1 db",
    "--edit",
    "/etc/default/useradd:s/^SHELL=.*/SHELL=\\/bin\\/bash/",
    "--delete",
    "/usr/share/doc/*",
    "--root-password",
    "disabled",
];

struct Options {
    /// Which `hardtack`; without the option the one that cargo built.
    program: String,
    image: PathBuf,
    directory: PathBuf,
    runs: usize,
    kvm: bool,
    words: Vec<String>,
}

fn main() {
    let options = options(std::env::args().skip(1));
    if !options.image.is_file() {
        eprintln!("SKIPPED: {}: no such image (`cargo xtask images` makes it)", options.image.display());
        return;
    }
    for program in ["virt-customize", "virt-sysprep", "time"] {
        if Command::new(program).arg("--version").output().is_err() {
            eprintln!("SKIPPED: {program} is not installed");
            return;
        }
    }
    std::fs::create_dir_all(&options.directory).unwrap();
    println!(
        "| work | contender | wall | range | synced | processor | peak memory |\n|---|---|--:|--:|--:|--:|--:|"
    );
    for (verb, arguments) in [("customize", CUSTOMIZE), ("sysprep", &[][..])] {
        if !options.words.is_empty() && !options.words.iter().any(|word| verb.contains(word.as_str())) {
            continue;
        }
        let outcomes = measure::interleaved(&case(verb, arguments, &options), options.runs);
        for outcome in &outcomes {
            println!("{}", row(verb, outcome));
        }
        let ratio = outcomes[0].ratio(|own| own.wall, &outcomes[1], |theirs| theirs.wall);
        println!("| {verb} | ratio | {ratio:.3} | | | | |");
    }
    println!("\n{}", machine::describe(&options.directory, &options.image, options.runs));
}

fn case(verb: &str, arguments: &[&str], options: &Options) -> Case {
    let output = options.directory.join("disk.qcow2");
    let file = output.to_str().unwrap().to_owned();
    let contender = |name: &'static str, before: Vec<String>| {
        let rest =
            ["-a".to_owned(), file.clone()].into_iter().chain(arguments.iter().map(|one| (*one).to_owned()));
        Contender {
            name,
            command: before.into_iter().chain(rest).collect(),
            output: output.clone(),
            on_copy_of: Some(options.image.clone()),
            standard_input: None,
        }
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (ours, theirs, program) = match verb {
        "customize" => ("hardtack customize", "virt-customize", "virt-customize"),
        _ => ("hardtack sysprep", "virt-sysprep", "virt-sysprep"),
    };
    let mut peer = words(&["env", "LIBGUESTFS_BACKEND=direct"]);
    if !options.kvm {
        peer.push("LIBGUESTFS_BACKEND_SETTINGS=force_tcg".to_owned());
    }
    peer.push(program.to_owned());
    Case { contenders: vec![contender(ours, words(&[&options.program, verb])), contender(theirs, peer)] }
}

fn row(verb: &str, outcome: &Outcome) -> String {
    let wall = |sample: &measure::Sample| sample.wall.as_secs_f64();
    let all = || outcome.samples.iter().map(wall);
    format!(
        "| {verb} | {} | {:.2} s | {:.2}–{:.2} | {:.2} s | {:.2} s | {} MiB |",
        outcome.name,
        outcome.median(wall),
        all().fold(f64::INFINITY, f64::min),
        all().fold(0.0, f64::max),
        outcome.median(|sample| sample.synced.as_secs_f64()),
        outcome.median(|sample| sample.processor.as_secs_f64()),
        outcome.samples.iter().map(|sample| sample.memory).max().unwrap_or_default().div_ceil(1 << 10),
    )
}

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let mut options = Options {
        program: env!("CARGO_BIN_EXE_hardtack").to_owned(),
        image: cache.join("images/debian12.qcow2"),
        directory: Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers"),
        runs: 3,
        kvm: false,
        words: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--program" => options.program = value(),
            "--image" => options.image = value().into(),
            "--directory" => options.directory = value().into(),
            "--runs" => options.runs = value().parse().unwrap(),
            "--kvm" => options.kvm = true,
            // What cargo adds.
            "--bench" => {}
            _ => options.words.push(argument),
        }
    }
    options
}
