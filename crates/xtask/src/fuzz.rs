//! `cargo xtask fuzz`: builds the fuzz targets of `tests/fuzz` and runs them, two at a time.
//!
//! They are libFuzzer programs. `cargo fuzz` would do the same with a nightly compiler; the coverage
//! counters that libFuzzer needs are an LLVM pass that the stable one has too. There is no address
//! sanitizer: the crates forbid unsafe code.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::shell::{run, top};

/// All targets, the slow ones first: they share two cores.
const TARGETS: &[&str] = &[
    "journal",
    "ext4",
    "qcow2",
    "container",
    "fat",
    "partition",
    "userdata",
    "mime",
    "yaml",
    "http",
    "dns",
    "metadata",
    "network",
    "seeds",
    "identify",
    "superblock",
    "console",
    "seal",
    "promise",
    "manifest",
    "bundle",
    "frames",
    "imds",
    "windows",
    "template",
];

/// The coverage counters, and no static libc: libFuzzer is C++.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ctarget-feature=-crt-static";

/// Seconds that each target runs unless the command says otherwise.
const SECONDS: u32 = 60;
/// Targets at a time.
const AT_A_TIME: usize = 2;

/// `cargo xtask fuzz [TARGET] [--seconds N]`.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<(), String> {
    let (targets, seconds) = parse(arguments)?;
    let programs = build()?;
    for pair in targets.chunks(AT_A_TIME) {
        // All are started before one is waited for.
        let running = pair
            .iter()
            .map(|target| Ok((*target, start(&programs, target, seconds)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let ends: Vec<Result<(), String>> =
            running.into_iter().map(|(target, child)| finish(target, child)).collect();
        ends.into_iter().collect::<Result<(), String>>()?;
    }
    Ok(())
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Vec<&'a str>, u32), String> {
    let (mut targets, mut seconds) = (Vec::new(), SECONDS);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match *word {
            "--seconds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                seconds = number.ok_or("--seconds wants a whole number of seconds")?;
            }
            target if TARGETS.contains(&target) => targets.push(target),
            other => {
                return Err(format!("{other:?} is no fuzz target; there are: {}", TARGETS.join(", ")));
            }
        }
    }
    if targets.is_empty() {
        targets = TARGETS.to_vec();
    }
    Ok((targets, seconds))
}

/// What the fuzzers found before, and their seeds, without a fuzzer.
pub(crate) fn replay() -> Result<(), String> {
    let mut tests = cargo(&["test", "--quiet"]);
    tests.env("CARGO_TARGET_DIR", top().join("target"));
    run(tests)
}

/// cargo, in the fuzz targets' own workspace.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = crate::shell::cargo(arguments);
    command.arg("--manifest-path").arg(folder().join("Cargo.toml"));
    command
}

fn folder() -> PathBuf {
    top().join("tests/fuzz")
}

/// Where the programs, what they learned and what they found are kept.
fn output() -> PathBuf {
    top().join("target/fuzz")
}

/// Builds the targets and returns the folder that they are in.
fn build() -> Result<PathBuf, String> {
    // An explicit build target keeps the flags away from build scripts.
    let version = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc -vV tells no host")?;
    let mut build =
        cargo(&["build", "--quiet", "--release", "--bins", "--features", "targets", "--target", host]);
    build.env("CARGO_TARGET_DIR", output()).env("RUSTFLAGS", FLAGS);
    run(build)?;
    Ok(output().join(host).join("release"))
}

/// Starts a target. What it learns stays for the next run; inputs that it cannot stand are kept too.
fn start(programs: &Path, target: &str, seconds: u32) -> Result<Child, String> {
    let fail = |error: std::io::Error| format!("{target}: {error}");
    let (learned, finds) = (output().join("corpus").join(target), output().join("finds"));
    std::fs::create_dir_all(&learned).map_err(fail)?;
    std::fs::create_dir_all(&finds).map_err(fail)?;
    let mut command = Command::new(programs.join(target));
    command.arg(learned);
    let given = ["corpus", "regressions"].map(|kind| folder().join(kind).join(target));
    command.args(given.iter().filter(|path| path.is_dir()));
    command.args([
        "-rss_limit_mb=256",
        "-malloc_limit_mb=256",
        "-timeout=10",
        "-max_len=8192",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/{target}-", finds.display()));
    println!("==> fuzz {target}: {seconds} s");
    let log = File::create(log(target)).map_err(fail)?;
    command.stdin(Stdio::null()).stderr(log).spawn().map_err(fail)
}

/// Where a target's many words go.
fn log(target: &str) -> PathBuf {
    output().join(format!("{target}.log"))
}

/// Waits for a target. Its words are shown only when it found something.
fn finish(target: &str, mut child: Child) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{target}: {error}");
    let status = child.wait().map_err(fail)?;
    let said = std::fs::read(log(target)).map_err(fail)?;
    let said: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
    let number =
        |name: &str| said.iter().rev().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
    let executions = number("stat::number_of_executed_units:");
    let memory = number("stat::peak_rss_mb:");
    println!("==> fuzz {target}: {executions} executions, {memory} MiB");
    if status.success() {
        return Ok(());
    }
    let last = said.len().saturating_sub(60);
    Err(format!(
        "{}\nfuzz {target}: {status}. The input is in {}; once it is answered, keep it in {}",
        said[last..].join("\n"),
        output().join("finds").display(),
        folder().join("regressions").join(target).display()
    ))
}
