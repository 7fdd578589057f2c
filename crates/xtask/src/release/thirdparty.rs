//! The texts of the licences of what is linked into the programs, as those licences ask for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{bill, failed};
use crate::shell::{cargo, said};

/// How files begin that hold licences and notices.
const NAMES: [&str; 5] = ["license", "licence", "copying", "copyright", "notice"];
/// A licence is shorter; a file of such a name that is larger is something else.
const LARGEST: u64 = 256 << 10;
/// Debian's own words on musl, which the package of its compiler brings.
const MUSL: &str = "/usr/share/doc/musl/copyright";

/// All texts, each once, with the names of those that it is the licence of.
pub(super) fn texts(tree: &str) -> Result<String, String> {
    let folders = folders()?;
    let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for (name, version) in bill::crates(tree) {
        let who = format!("{name} {version}");
        // Ours have no folder of this kind, and the archive's LICENSE.
        let Some(folder) = folders.get(&format!("{name}-{version}")) else { continue };
        let found = licenses(folder)?;
        if found.is_empty() {
            without.push(who.clone());
        }
        for text in found {
            of.entry(text).or_default().push(who.clone());
        }
    }
    let rust = bill::sysroot()?.join("share/doc/rust/licenses");
    let beside = [
        ("Rust's standard library", rust.join("MIT.txt")),
        ("Rust's standard library", rust.join("Apache-2.0.txt")),
        ("musl", PathBuf::from(MUSL)),
    ];
    for (who, path) in beside {
        match read(&path)? {
            Some(text) => of.entry(text).or_default().push(who.to_owned()),
            None => without.push(who.to_owned()),
        }
    }
    without.dedup();
    let mut sections: Vec<(Vec<String>, String)> = of.into_iter().map(|(text, who)| (who, text)).collect();
    sections.sort();
    let mut all = String::from(
        "What is linked into hardtack and hardtack-agent, with its licences. The bills of materials\n\
         (.spdx.json, .cdx.json) say which version has which licence.\n",
    );
    if !without.is_empty() {
        all.push_str("\nWithout a text of their own, under the licences that the bills name:\n");
        without.iter().for_each(|who| all.push_str(&format!("  {who}\n")));
    }
    for (who, text) in sections {
        all.push_str(&format!("\n{}\n{}:\n\n{}\n", "=".repeat(78), who.join(", "), text.trim_end()));
    }
    Ok(all)
}

/// Where the sources of crates are, by `NAME-VERSION`.
fn folders() -> Result<BTreeMap<String, PathBuf>, String> {
    let metadata = said(&mut cargo(&["metadata", "--locked", "--format-version", "1"]))?;
    let paths = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let folders = paths.filter_map(|path| {
        let folder = Path::new(path).parent()?;
        Some((folder.file_name()?.to_str()?.to_owned(), folder.to_owned()))
    });
    Ok(folders.collect())
}

/// The texts in a folder and, of C libraries, one folder below.
fn licenses(folder: &Path) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut below = Vec::new();
    for path in sorted(folder)? {
        if path.is_dir() { below.push(path) } else { texts.extend(license(&path)?) }
    }
    for folder in below {
        for path in sorted(&folder)? {
            texts.extend(license(&path)?);
        }
    }
    Ok(texts)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// The text of a file whose name says that it is a licence.
fn license(path: &Path) -> Result<Option<String>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let source = [".rs", ".html", ".c", ".h"].iter().any(|suffix| name.ends_with(suffix));
    if source || path.is_dir() || !NAMES.iter().any(|beginning| name.starts_with(beginning)) {
        return Ok(None);
    }
    read(path)
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::metadata(path) {
        Ok(found) if found.len() <= LARGEST => {}
        _ => return Ok(None),
    }
    let bytes = fs::read(path).map_err(|error| failed(path, &error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n")))
}
