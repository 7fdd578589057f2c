//! Tables made by sgdisk and sfdisk, file systems made by their own mkfs.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod content;
mod grow;
mod hostile;
mod tables;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;

/// False, said aloud, when one of the programs is missing; an error where CI promises them all.
fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

/// Runs a program that must succeed and answers its standard output.
fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A sparse file of `size` bytes.
fn blank(directory: &Path, size: u64) -> PathBuf {
    let path = directory.join("disk");
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
