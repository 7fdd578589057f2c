//! The guest's program, small: `cargo xtask agent`.
//!
//! musl in place of glibc saves 0.6 MiB, tables for walking the stack that nobody walks (a panic aborts) 0.35,
//! the outliner 0.1, relative relocations 0.1. Without rustup, or where it cannot fetch musl's standard
//! library, the program is linked with glibc: 3.3 MiB then. Measured with `ls -l` on x86-64.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::shell::{cargo, run, top};

const PROFILE: [&str; 6] = ["--profile", "agent", "--package", "hardtack-agent", "--bin", "hardtack-agent"];

/// Builds it; where it is.
pub(crate) fn build() -> Result<PathBuf, String> {
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let program = |target: &str| top().join(format!("target/{target}/agent/hardtack-agent"));
    let glibc = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let (target, other, linked) = if has_target(&musl) {
        let script = top().join("crates/agent/small.ld");
        let linker = ["linker=rust-lld", "link-arg=-zpack-relative-relocs", "link-arg=--icf=all"];
        let mut options: Vec<String> = linker.iter().map(|option| (*option).to_owned()).collect();
        options.push("link-arg=--no-eh-frame-hdr".to_owned());
        options.push(format!("link-arg=-T{}", script.display()));
        (musl, glibc, options)
    } else {
        eprintln!("rustup has no {musl}: the guest's program is linked with glibc, and 0.6 MiB larger");
        (glibc, musl, Vec::new())
    };
    let mut build = cargo(&["rustc", "--quiet", "--target", &target]);
    build.args(PROFILE).arg("--").args(["-C", "llvm-args=-enable-machine-outliner=always"]);
    for option in linked {
        build.args(["-C", &option]);
    }
    run(build)?;
    // hardtack takes what it finds, and must not find an old one.
    match std::fs::remove_file(program(&other)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(program(&target)),
    }
}

/// Whether programs can be built for `target`; rustup is asked to fetch what is missing.
fn has_target(target: &str) -> bool {
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]).stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|status| status.success())
}
