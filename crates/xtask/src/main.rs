//! What the README's two commands do: `cargo xtask demo` and `cargo xtask test`.

#![forbid(unsafe_code)]
// This program talks to people; that is its whole job.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod architecture;
mod fuzz;
mod guest;
mod install;
mod release;
mod shell;

use std::process::ExitCode;
use std::time::Instant;

use shell::{cargo, program, run, top};

const USAGE: &str = "\
cargo xtask demo [ARGUMENTS]   build both programs and harden the sample image
cargo xtask agent              build the guest's program, small, where hardtack finds it
cargo xtask test               all tests, with what they need: packages, images, boots (70 minutes)
cargo xtask test --quick       formatting, lints and the tests that boot nothing (40 minutes)
cargo xtask full               the long suite on top of the tests (hours)
cargo xtask fuzz [TARGET] [--seconds N]   run the fuzz targets, 60 s each unless told otherwise
cargo xtask book [DIR]         build the handbook, into target/book unless told otherwise
cargo xtask images             make the real images that the end-to-end tests boot
cargo xtask release [--output DIR]   static programs, archive, .deb, bills of materials, in dist/
cargo xtask install            install what the tests need (Debian, as root)";

/// The tests that need no virtual machine.
const WITHOUT_MACHINES: &[&str] = &["--workspace", "--exclude", "hardtack-tests"];

/// The images and roots that only the full suite needs.
const FOR_FULL: &[&str] = &["debian13-crypt", "empty", "readers"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["demo", ref rest @ ..] => demo(rest),
        ["book", ref to @ ..] => book(to),
        ["agent"] => guest::build().map(|path| println!("{}", path.display())),
        ["test"] => test(),
        ["test", "--quick"] => quick(),
        ["full"] => full(),
        ["fuzz", ref rest @ ..] => fuzz::fuzz(rest),
        ["images"] => images(FOR_FULL),
        ["release", ref rest @ ..] => release::release(rest),
        ["install"] => install::packages(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Both programs, then the main job on the sample.
fn demo(arguments: &[&str]) -> Result<(), String> {
    run(cargo(&["build", "--release", "--package", "hardtack"]))?;
    guest::build()?;
    let mut demo = program("hardtack");
    demo.arg("demo").args(arguments);
    run(demo)
}

/// The handbook as HTML. What builds it is no part of this program: mdBook's libraries take a minute to compile.
fn book(to: &[&str]) -> Result<(), String> {
    let build = ["run", "--quiet", "--package", "hardtack-tests", "--example", "book", "--"];
    run(cargo(&[&build, to].concat()))
}

/// Everything that CI runs. The images are made while the programs compile: tests of single steps use their roots, too.
fn test() -> Result<(), String> {
    install::packages()?;
    let cache = shell::cache();
    std::thread::scope(|scope| {
        let images = scope.spawn(|| images(&[]));
        let compiled = compile();
        images.join().map_err(|_| "making the images panicked")??;
        compiled
    })?;
    run_tests()?;
    // Two machines at a time: one waits for its clock most of the time.
    let mut tests = cargo(&["test", "--package", "hardtack-tests", "--", "--test-threads=2"]);
    tests.env("CI", "true").env("HARDTACK_CACHE", cache);
    step("end to end", tests)
}

/// Formatting, lints, and every test that needs no virtual machine.
fn quick() -> Result<(), String> {
    install::packages()?;
    compile()?;
    run_tests()
}

/// Formatting and lints, both programs, and the tests that need no virtual machine.
fn compile() -> Result<(), String> {
    step("formatting", cargo(&["fmt", "--all", "--check"]))?;
    step("lints", cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    // Tests need it fast, not at its fastest: optimizing across crates takes as long as the rest of it.
    let mut program = cargo(&["build", "--release", "--package", "hardtack"]);
    program.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]);
    step("program for the host", program)?;
    step_of("program for the guest", || guest::build().map(|_| ()))?;
    step("tests compiled", cargo(&[&["test", "--no-run", "--quiet"], WITHOUT_MACHINES].concat()))
}

/// Runs what [`compile`] has compiled.
fn run_tests() -> Result<(), String> {
    let mut tests = cargo(&[&["test"], WITHOUT_MACHINES].concat());
    tests.env("CI", "true").env("HARDTACK_CACHE", shell::cache());
    step("tests", tests)?;
    step_of("old finds of the fuzzers", fuzz::replay)
}

/// Everything, and the tests that are marked as long.
fn full() -> Result<(), String> {
    install::packages_for_full()?;
    test()?;
    images(FOR_FULL)?;
    let mut tests = cargo(&["test", "--workspace", "--release", "--", "--ignored", "--test-threads=2"]);
    tests.env("CI", "true").env("HARDTACK_CACHE", shell::cache());
    step("full suite", tests)?;
    step_of("fuzz targets, long", || fuzz::fuzz(&["--seconds", "3600"]))
}

/// Makes the images that are not there yet, with `more` of them.
fn images(more: &[&str]) -> Result<(), String> {
    let mut make = shell::as_root("bash");
    make.arg(top().join("tests/images/make.sh")).arg(shell::cache());
    make.args(["debian12", "debian13", "debian12-crypt", "mbr", "bootpart", "dnsmasq"]).args(more);
    step("images", make)
}

fn step(name: &str, command: std::process::Command) -> Result<(), String> {
    step_of(name, || run(command))
}

fn step_of(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("==> {name}");
    let started = Instant::now();
    work()?;
    println!("==> {name}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
