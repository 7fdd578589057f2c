//! The project's own rules, held by tests: which crate may use which, and how large a file may be.
#![cfg(test)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::top;

/// The table of ARCHITECTURE.md.
const MAY_USE: &[(&str, &[&str])] = &[
    ("disk", &[]),
    ("bundle", &["disk"]),
    ("partition", &["disk"]),
    ("ext4", &["disk"]),
    ("yaml", &[]),
    ("login", &[]),
    ("credentials", &["login"]),
    ("guest", &["disk", "partition", "ext4", "login"]),
    ("userdata", &["yaml"]),
    ("modules", &["userdata"]),
    ("inspect", &["disk", "partition", "ext4", "guest", "login", "report"]),
    ("report", &[]),
    ("repository", &["disk", "guest"]),
    ("sbom", &["guest"]),
    ("profile", &["guest", "inspect", "login", "report", "yaml"]),
    (
        "recipe",
        &["disk", "yaml", "guest", "credentials", "login", "inspect", "profile", "report", "repository"],
    ),
    ("matrix", &["recipe", "report", "yaml"]),
    ("http", &[]),
    ("nvme", &[]),
    ("netconfig", &["yaml", "userdata"]),
    ("datasource", &["http", "userdata", "modules"]),
    ("agent", &["login", "credentials", "userdata", "modules", "http", "datasource", "netconfig", "nvme"]),
    ("cloud", &[]),
    ("local", &["disk", "cloud"]),
    ("publish", &["disk", "partition", "bundle", "cloud", "guest", "local"]),
    ("launch", &["disk", "cloud", "local", "publish", "yaml", "userdata", "credentials"]),
    ("audit", &["cloud"]),
    ("cache", &["disk", "cloud"]),
    (
        "hardtack",
        &[
            "disk",
            "bundle",
            "cache",
            "cloud",
            "local",
            "publish",
            "launch",
            "audit",
            "inspect",
            "report",
            "repository",
            "sbom",
            "partition",
            "ext4",
            "yaml",
            "login",
            "credentials",
            "guest",
            "profile",
            "recipe",
            "userdata",
            "matrix",
            "modules",
        ],
    ),
    ("xtask", &[]),
];

/// The modules that may use unsafe code, one small one in a crate, each of whose blocks says why it is sound.
const WITH_UNSAFE: &[&str] = &["nvme/src/ask.rs"];

/// A file of this many lines has more than one idea in it.
const LONGEST: usize = 800;

#[test]
fn crates_use_only_those_that_the_architecture_allows() {
    for entry in fs::read_dir(top().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let allowed = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("crates/{name} is not in ARCHITECTURE.md's table"));
        let used = dependencies(&path.join("Cargo.toml"));
        let beyond: Vec<&String> = used.iter().filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(beyond.is_empty(), "hardtack-{name} must not use {beyond:?}");
    }
}

/// The crates of ours that a manifest names outside `[dev-dependencies]`.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut section = String::new();
    for line in fs::read_to_string(manifest).unwrap().lines() {
        if line.starts_with('[') {
            section = line.to_owned();
        } else if section == "[dependencies]"
            && let Some(rest) = line.strip_prefix("hardtack-")
        {
            used.insert(rest.split(['.', ' ', '=']).next().unwrap().to_owned());
        }
    }
    used
}

#[test]
fn no_file_grows_beyond_one_idea() {
    let mut pending = vec![top().join("crates"), top().join("tests")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= LONGEST, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn every_crate_without_unsafe_code_forbids_it() {
    for entry in fs::read_dir(top().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        let root =
            ["lib.rs", "main.rs"].iter().map(|name| source.join(name)).find(|path: &PathBuf| path.exists());
        let text = fs::read_to_string(root.unwrap()).unwrap();
        match WITH_UNSAFE.iter().find(|path| source.ends_with(Path::new(path).parent().unwrap())) {
            None => assert!(text.contains("#![forbid(unsafe_code)]"), "{}", source.display()),
            Some(path) => {
                assert!(text.contains("#![deny(unsafe_code)]"), "{}", source.display());
                let module = fs::read_to_string(top().join("crates").join(path)).unwrap();
                let blocks = module.matches("unsafe {").count();
                assert_eq!(module.matches("// SAFETY:").count(), blocks, "{path}");
            }
        }
    }
}
