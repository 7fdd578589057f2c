//! The guest's program, small: `cargo xtask agent`.
//!
//! musl in place of glibc saves 0.6 MiB, tables for walking the stack that nobody walks (a panic aborts) 0.35,
//! the outliner 0.1, relative relocations 0.1. Without rustup, or where it cannot fetch musl's standard
//! library, the program is linked with glibc: 3.3 MiB then. Measured with `ls -l` on x86-64; what its parts take
//! stands in `docs/performance.md`. Every build is measured: one that has outgrown its limit fails.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::shell::{cargo, run, top};

const PROFILE: [&str; 6] = ["--profile", "agent", "--package", "hardtack-agent", "--bin", "hardtack-agent"];

/// What the program may take. It is copied into every image, and read by every first boot.
const MOST: u64 = 3 << 20;
/// The same where it is linked with glibc, which people may have to do and nobody ships. Without lld nothing is folded
/// or left out.
const MOST_WITH_GLIBC: u64 = (9 << 20) / 2;

/// Builds it; where it is.
pub(crate) fn build() -> Result<PathBuf, String> {
    build_with(|_| ())
}

/// The same by a cargo that was told more.
pub(crate) fn build_with(tell: impl FnOnce(&mut Command)) -> Result<PathBuf, String> {
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let program = |target: &str| top().join(format!("target/{target}/agent/hardtack-agent"));
    let glibc = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let script = format!("-T{}", top().join("crates/agent/small.ld").display());
    let arguments = ["-zpack-relative-relocs", "--icf=all", "--no-eh-frame-hdr", &script];
    let (target, other, linked) = if has_target(&musl) {
        let mut options = vec!["linker=rust-lld".to_owned()];
        options.extend(arguments.iter().map(|argument| format!("link-arg={argument}")));
        (musl, glibc, options)
    } else {
        eprintln!(
            "rustup has no {musl}: the guest's program is linked with glibc, and 0.6 MiB larger (its limit, too)"
        );
        // There rustc links with its own lld, through the C compiler; elsewhere with what does not know all of this.
        let has_lld = std::env::consts::ARCH == "x86_64";
        let options = arguments.iter().filter(|_| has_lld);
        (
            glibc,
            musl,
            options.map(|argument| format!("link-arg=-Wl,{}", argument.replace("-z", "-z,"))).collect(),
        )
    };
    let mut build = cargo(&["rustc", "--target", &target]);
    build.args(PROFILE).arg("--").args(["-C", "llvm-args=-enable-machine-outliner=always"]);
    for option in linked {
        build.args(["-C", &option]);
    }
    tell(&mut build);
    run(build)?;
    // hardtack takes what it finds, and must not find an old one.
    match std::fs::remove_file(program(&other)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    let built = program(&target);
    let size = std::fs::metadata(&built).map_err(|error| format!("{}: {error}", built.display()))?.len();
    check_size(size, &target)?;
    Ok(built)
}

/// Whether the program has stayed as small as it must be.
fn check_size(size: u64, target: &str) -> Result<(), String> {
    let most = if target.ends_with("-musl") { MOST } else { MOST_WITH_GLIBC };
    if size <= most {
        return Ok(());
    }
    Err(format!(
        "the guest's program for {target} has {size} bytes, and may have {most}: docs/performance.md says how to \
         find what has grown"
    ))
}

/// Whether programs can be built for `target`; rustup is asked to fetch what is missing.
pub(crate) fn has_target(target: &str) -> bool {
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]).stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_has_outgrown_its_limit_is_refused() {
        let (musl, glibc) = ("x86_64-unknown-linux-musl", "aarch64-unknown-linux-gnu");
        assert_eq!(check_size(3 << 20, musl), Ok(()));
        assert_eq!(check_size(3_700_000, glibc), Ok(()));
        for (size, target) in [((3 << 20) + 1, musl), (3_400_000, musl), (4_800_000, glibc)] {
            let error = check_size(size, target).expect_err("it is too large");
            assert!(error.contains(&size.to_string()) && error.contains(target), "{error}");
        }
    }
}
