//! The static programs: both with musl, for any Linux of this architecture.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Release, copy, elf, failed};
use crate::guest;
use crate::shell::{cargo, run, top};

/// What the C parts of dependencies (zstd, xz, libdeflate, ring) are compiled with.
const COMPILER: &str = "musl-gcc";

/// Where they are.
pub(super) struct Programs {
    /// What rustc calls the system that they are for.
    pub(super) target: String,
    pub(super) hardtack: PathBuf,
    pub(super) agent: PathBuf,
    /// What writes the bills; it is not released.
    pub(super) bill: PathBuf,
}

impl Programs {
    /// Their names in the output.
    pub(super) fn files(&self) -> Vec<String> {
        vec!["hardtack".to_owned(), "hardtack-agent".to_owned()]
    }
}

/// Builds both, proves that they are static, and puts them into the output.
pub(super) fn build(release: &Release) -> Result<Programs, String> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    check_tools(&target)?;
    let options = Options::new(&target)?;
    let mut build = cargo(&["build", "--quiet", "--release", "--target", &target]);
    build.args(["--package", "hardtack", "--package", "hardtack-sbom"]);
    build.args(["--bin", "hardtack", "--bin", "bill-of-crates"]);
    options.give(&mut build);
    run(build)?;
    let agent = guest::build_with(|command| options.give(command))?;
    let built = top().join("target").join(&target).join("release");
    let programs = Programs {
        hardtack: release.output.join("hardtack"),
        agent: release.output.join("hardtack-agent"),
        bill: built.join("bill-of-crates"),
        target,
    };
    for (from, to) in [(&built.join("hardtack"), &programs.hardtack), (&agent, &programs.agent)] {
        let bytes = fs::read(from).map_err(|error| failed(from, &error))?;
        elf::check_static(&bytes).map_err(|why| format!("{}: {why}", from.display()))?;
        copy(from, to)?;
        executable(to)?;
    }
    Ok(programs)
}

/// Sets the mode of a program.
pub(super) fn executable(path: &std::path::Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|error| failed(path, &error))
}

/// A dynamic program in a release would run here and nowhere else: without musl there is none.
fn check_tools(target: &str) -> Result<(), String> {
    if !guest::has_target(target) {
        return Err(format!(
            "no static programs without the standard library for {target}, which rustup could not fetch \
             (`rustup target add {target}`): nothing is released"
        ));
    }
    let mut ask = Command::new(COMPILER);
    ask.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if !ask.status().is_ok_and(|status| status.success()) {
        return Err(format!(
            "no static programs without {COMPILER}, which compiles what is C in the dependencies (Debian's \
             package is musl-tools): nothing is released"
        ));
    }
    Ok(())
}

/// What keeps the paths of this machine out of the programs.
struct Options {
    rust: (String, String),
    c: (String, String),
}

impl Options {
    fn new(target: &str) -> Result<Self, String> {
        let home = match std::env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => PathBuf::from(std::env::var_os("HOME").ok_or("neither HOME nor CARGO_HOME is set")?)
                .join(".cargo"),
        };
        let pairs = [(home.join("registry/src"), "/crates"), (top(), "/hardtack")];
        let mut rust = Vec::new();
        let mut c = Vec::new();
        for (path, name) in pairs {
            rust.push(format!("--remap-path-prefix={}={name}", path.display()));
            c.push(format!("-ffile-prefix-map={}={name}", path.display()));
        }
        let key = target.replace('-', "_");
        Ok(Self {
            // Paths may have blanks: this is the form that takes them.
            rust: ("CARGO_ENCODED_RUSTFLAGS".to_owned(), rust.join("\u{1f}")),
            c: (format!("CFLAGS_{key}"), c.join(" ")),
        })
    }

    fn give(&self, command: &mut Command) {
        for (name, value) in [&self.rust, &self.c] {
            command.env(name, value);
        }
    }
}
