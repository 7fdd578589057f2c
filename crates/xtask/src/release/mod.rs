//! `cargo xtask release`: what people fetch, in one folder.
//!
//! Static programs, an archive, a Debian package, bills of materials and checksums. Two runs over the same commit give
//! the same bytes: nothing of this machine's paths, names and clock goes in. The time is `SOURCE_DATE_EPOCH`, else the
//! commit's.

mod archive;
mod bill;
mod changelog;
mod deb;
mod elf;
mod files;
mod programs;
mod thirdparty;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{run, said, top};

/// What is released of the workspace: everything has its version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One release on its way.
pub(super) struct Release {
    /// Where it goes.
    output: PathBuf,
    /// Where it is put together.
    work: PathBuf,
    /// Seconds since 1970 of everything in it.
    epoch: u64,
}

impl Release {
    /// `hardtack-0.1.0-x86_64-linux`: the archive's only folder, and how files of the release begin.
    fn name(&self) -> String {
        format!("hardtack-{VERSION}-{}-linux", std::env::consts::ARCH)
    }

    /// An empty folder to put something together in.
    fn scratch(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        }
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        Ok(folder)
    }
}

/// Makes everything.
pub(crate) fn release(arguments: &[&str]) -> Result<(), String> {
    let output = match arguments {
        [] => top().join("dist"),
        ["--output", folder] => PathBuf::from(folder),
        _ => return Err("cargo xtask release [--output DIR]".to_owned()),
    };
    fs::create_dir_all(&output).map_err(|error| failed(&output, &error))?;
    let output = output.canonicalize().map_err(|error| failed(&output, &error))?;
    let release = Release { output, work: top().join("target/release-files"), epoch: epoch()? };
    let programs = programs::build(&release)?;
    let tree = bill::tree(&programs.target)?;
    let root = files::lay_out(&release, &programs, &tree)?;
    let mut made = programs.files();
    made.push(archive::pack(&release, &root)?);
    made.push(deb::make(&release, &root)?);
    made.extend(bill::write(&release, &programs, &tree)?);
    made.push(sums(&release, &made)?);
    for file in made {
        let path = release.output.join(&file);
        let size = fs::metadata(&path).map_err(|error| failed(&path, &error))?.len();
        println!("{size:>10} {file}");
    }
    println!("in {}", release.output.display());
    Ok(())
}

/// `SHA256SUMS` of all files, as sha256sum writes and checks it.
fn sums(release: &Release, files: &[String]) -> Result<String, String> {
    const NAME: &str = "SHA256SUMS";
    let mut files: Vec<&String> = files.iter().collect();
    files.sort();
    let mut sum = Command::new("sha256sum");
    let text = said(sum.current_dir(&release.output).arg("--").args(files))?;
    let path = release.output.join(NAME);
    fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    Ok(NAME.to_owned())
}

/// `SOURCE_DATE_EPOCH`, else the time of the commit.
fn epoch() -> Result<u64, String> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given,
        Err(_) => said(Command::new("git").current_dir(top()).args(["log", "-1", "--format=%ct"]))
            .map_err(|error| format!("no commit says the time; set SOURCE_DATE_EPOCH: {error}"))?,
    };
    let text = text.trim();
    text.parse().map_err(|_| format!("SOURCE_DATE_EPOCH={text}: seconds since 1970 are wanted"))
}

/// An error of a file.
fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Writes a file, with the folders above it.
fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    fs::write(path, content).map_err(|error| failed(path, &error))
}

/// Copies a file, with the folders above it.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    write(to, fs::read(from).map_err(|error| failed(from, &error))?)
}

/// Makes a file of a package smaller, the same each time: no name and no time in it.
fn gzip(path: &Path) -> Result<(), String> {
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "-n", "-f", "--"]).arg(path);
    run(gzip)
}

/// All files below `folder`, sorted, by their paths from there.
fn all_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut pending = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        for entry in fs::read_dir(&path).map_err(|error| failed(&path, &error))? {
            let path = entry.map_err(|error| failed(&path, &error))?.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.push(path.strip_prefix(folder).map_err(|error| error.to_string())?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}
