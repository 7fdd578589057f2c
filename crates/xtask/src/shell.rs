//! Running other programs from the project's top folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's top folder.
pub(crate) fn top() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).unwrap_or(Path::new(".")).to_owned()
}

/// cargo, in the top folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(top());
    command
}

/// A program of ours as `cargo build --release` made it: this one lies beside it.
pub(crate) fn program(name: &str) -> Command {
    let own = std::env::current_exe().unwrap_or_default();
    Command::new(own.with_file_name(name))
}

/// A command run as root: as it is for root, through sudo for others.
pub(crate) fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

/// True for root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Where what is expensive to make is kept between runs. Not a home directory: the tests drop to
/// a user who must be able to read it.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from)
}

/// Runs a command that must succeed.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// What a command that must succeed says on standard output.
pub(crate) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}: {}", output.status, why.trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}
