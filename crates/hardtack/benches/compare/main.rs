//! Hardtack and its peers side by side on a real root, in one run.
//!
//! `cargo bench -p hardtack --bench compare -- [--image FILE] [--directory DIR] [--runs N]
//! [--write-readme] [CASE…]`. The image is `$HARDTACK_CACHE/images/debian12.qcow2` unless named; a
//! CASE is a part of a case's name. Every measurement is a process of its own, the contenders take
//! turns, all sources are in the page cache, and every output is removed and synced away before the
//! next contender starts. With `--write-readme` the tables in README.md and docs/performance.md
//! are replaced by this run's.
//!
//! Hardtack syncs its output before that gets its name. `qemu-img convert` does not, so it is timed
//! twice in the same run: until it ends, and until its output is synced. debugfs is timed until its
//! file is synced.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod cases;
mod inputs;
mod machine;
mod measure;
mod table;

use std::path::PathBuf;

use cases::Case;
use inputs::Inputs;
use measure::Outcome;

/// What was asked for.
struct Options {
    image: PathBuf,
    directory: PathBuf,
    runs: usize,
    write_readme: bool,
    cases: Vec<String>,
}

fn main() {
    let options = options(std::env::args().skip(1));
    if !options.image.is_file() {
        assert!(std::env::var_os("CI").is_none(), "{}: no such image", options.image.display());
        eprintln!("SKIPPED: {}: no such image (`cargo xtask images` makes it)", options.image.display());
        return;
    }
    let peers = ["qemu-img", "debugfs", "sfdisk", "time"];
    if let Some(missing) = peers.iter().find(|name| !inputs::installed(name)) {
        assert!(std::env::var_os("CI").is_none(), "{missing} is not installed");
        eprintln!("SKIPPED: {missing} is not installed");
        return;
    }
    let inputs = Inputs::make(&options.image, &options.directory);
    let wanted = |case: &Case| {
        options.cases.is_empty() || options.cases.iter().any(|word| case.name.contains(word.as_str()))
    };
    let mut results = Vec::new();
    for case in cases::all(&inputs).into_iter().filter(wanted) {
        let outcomes: Vec<Outcome> = measure::interleaved(&case, options.runs);
        print!("{}", table::plain(&case, &outcomes));
        results.push((case, outcomes));
    }
    let machine = machine::describe(&options.directory, &options.image, options.runs);
    println!("\n{machine}\n\n{}", table::short(&results));
    if options.write_readme {
        table::replace("README.md", &format!("{}\n{machine}\n", table::short(&results)));
        table::replace("docs/performance.md", &format!("{machine}\n\n{}", table::long(&results)));
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let mut options = Options {
        image: cache.join("images/debian12.qcow2"),
        directory: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compare"),
        runs: 5,
        write_readme: false,
        cases: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--image" => options.image = value().into(),
            "--directory" => options.directory = value().into(),
            "--runs" => options.runs = value().parse().unwrap(),
            "--write-readme" => options.write_readme = true,
            // What cargo adds.
            "--bench" => {}
            _ => options.cases.push(argument),
        }
    }
    options
}
