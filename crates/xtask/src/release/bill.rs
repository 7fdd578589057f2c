//! What is linked into the programs, and the bills of materials that say so.
//!
//! `cargo tree` names the crates of each program for its target, with the features that it is built with; crates that
//! only run while building are left out. What is linked besides crates is added: Rust's standard library and musl.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::programs::Programs;
use super::{Release, VERSION};
use crate::shell::{cargo, said};

/// The trees of both programs, one after the other.
pub(super) fn tree(target: &str) -> Result<String, String> {
    let mut trees = String::new();
    let beside = beside(target)?;
    for package in ["hardtack", "hardtack-agent"] {
        let mut tree = cargo(&["tree", "--locked", "--package", package, "--target", target]);
        tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "{p}|{l}|{r}"]);
        trees.push_str(&said(&mut tree)?);
        trees.push_str(&beside);
    }
    Ok(trees)
}

/// Lines of what is no crate.
fn beside(target: &str) -> Result<String, String> {
    let rust = said(Command::new("rustc").arg("-vV"))?;
    let version = rust.lines().find_map(|line| line.strip_prefix("release: "));
    let version = version.ok_or("`rustc -vV` names no release")?;
    let library = libraries(target)?.join("libc.a");
    let object = said_bytes(Command::new("ar").arg("p").arg(&library).arg("version.lo"))?;
    let musl = version_in(&object).ok_or_else(|| format!("{}: no version found", library.display()))?;
    Ok(format!(
        "1rust-std v{version}|MIT OR Apache-2.0|https://github.com/rust-lang/rust|generic\n\
         1musl v{musl}|MIT|https://musl.libc.org|generic\n"
    ))
}

/// Where rustc keeps the C library that it links.
fn libraries(target: &str) -> Result<PathBuf, String> {
    Ok(sysroot()?.join("lib/rustlib").join(target).join("lib/self-contained"))
}

/// Where rustc is installed.
pub(super) fn sysroot() -> Result<PathBuf, String> {
    Ok(PathBuf::from(said(Command::new("rustc").args(["--print", "sysroot"]))?.trim()))
}

/// `1.2.5`: the one string between zero bytes that is nothing but three numbers.
fn version_in(object: &[u8]) -> Option<&str> {
    let strings = object.split(|byte| *byte == 0).filter_map(|bytes| std::str::from_utf8(bytes).ok());
    strings.into_iter().find(|text| {
        let parts: Vec<&str> = text.split('.').collect();
        let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(number)
    })
}

fn said_bytes(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{command:?}: {}", output.status)) }
}

/// Both documents; their names.
pub(super) fn write(release: &Release, programs: &Programs, tree: &str) -> Result<Vec<String>, String> {
    let name = release.name();
    let files = vec![format!("{name}.spdx.json"), format!("{name}.cdx.json")];
    let mut bill = Command::new(&programs.bill);
    bill.args([&name, VERSION, &release.epoch.to_string()]);
    bill.args(files.iter().map(|file| release.output.join(file)));
    bill.args([&programs.hardtack, &programs.agent]);
    feed(bill, tree, &programs.bill)?;
    Ok(files)
}

/// Runs a command that must succeed, with this on its standard input.
fn feed(mut command: Command, input: &str, path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", path.display())) }
}

/// Names and versions of all crates of the trees, each once.
pub(super) fn crates(tree: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = tree
        .lines()
        .filter(|line| !line.ends_with("|generic"))
        .filter_map(|line| {
            let rest = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let mut words = rest.split([' ', '|']);
            Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_c_library_is_found_in_its_object() {
        assert_eq!(version_in(b"\x7fELF\0GCC 9.4.0\0\x01\x001.2.5\0version.c\0"), Some("1.2.5"));
        assert_eq!(version_in(b"\x7fELF\0 1.2.5\0..\0"), None);
    }

    #[test]
    fn crates_of_trees_are_listed_once() {
        let tree = "0tool v1.0.0 (/x)|MIT|\n1one v0.1.0|MIT| (*)\n1musl v1.2.5|MIT||generic\n0other v1.0.0|MIT|\n1one v0.1.0|MIT|\n";
        let names: Vec<String> =
            crates(tree).into_iter().map(|(name, version)| name + version.as_str()).collect();
        assert_eq!(names, ["one0.1.0", "other1.0.0", "tool1.0.0"]);
    }
}
