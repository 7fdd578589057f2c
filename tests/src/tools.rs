//! Running programs: ours as an ordinary user, others as they are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The user that builds: nobody special. Tests that run as root drop to it.
const ORDINARY: u32 = 65534;

/// The project's top folder.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The released `hardtack`; `HARDTACK` names another one.
pub fn hardtack() -> PathBuf {
    std::env::var_os("HARDTACK").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from);
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        target.join(triple).join("release/hardtack")
    })
}

/// The guest's program as `cargo xtask agent` builds it; `HARDTACK_AGENT` names another one.
pub fn agent() -> PathBuf {
    std::env::var_os("HARDTACK_AGENT").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top().join("target"), PathBuf::from);
        ["musl", "gnu"]
            .map(|libc| format!("{}-unknown-linux-{libc}/agent/hardtack-agent", std::env::consts::ARCH))
            .map(|path| target.join(path))
            .into_iter()
            .find(|path| path.exists())
            .expect("no agent (`cargo xtask agent` builds it)")
    })
}

/// A command of ours, run as an ordinary user, with none of the privileges of the caller.
pub fn as_ordinary_user(program: impl AsRef<OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={ORDINARY}"),
        &format!("--regid={ORDINARY}"),
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--",
    ]);
    command.arg(program);
    command
}

/// Makes `directory` one that the ordinary user can write.
pub fn hand_over(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        let owner = rustix::fs::Uid::from_raw(ORDINARY);
        let group = rustix::fs::Gid::from_raw(ORDINARY);
        rustix::fs::chown(directory, Some(owner), Some(group)).unwrap();
    }
}

/// Runs a command that must succeed and returns its standard output.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
