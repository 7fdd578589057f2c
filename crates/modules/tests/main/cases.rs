//! Cases from files: one JSON object a line.

use std::path::{Path, PathBuf};

use hardtack_modules::{Distro, Facts, Machine, Module, Outcome, Request};
use hardtack_userdata::Map;
use hardtack_userdata::load::load_config;
use serde_json::Value as Json;

fn read(path: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{name}.jsonl"))
}

/// The cases of `tests/data/NAME.jsonl`.
pub(crate) fn own(name: &str) -> Vec<Json> {
    read(&data(name))
}

/// The same, and those of the collection beside the repository, where there is one.
pub(crate) fn golden(name: &str) -> Vec<Json> {
    let mut cases = own(name);
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden").join(format!("{name}.jsonl"));
    if shared.exists() {
        for case in read(&shared) {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    } else {
        eprintln!("SKIPPED: {} is not there, only the copy was run", shared.display());
    }
    cases
}

/// Configuration of a text; empty for one that is no mapping.
pub(crate) fn config(yaml: &str) -> Map {
    load_config(yaml, 0).unwrap_or_else(|error| panic!("{yaml}: {error:?}")).unwrap_or_default()
}

/// What `module` says about `yaml` on `machine`.
pub(crate) fn run(module: &Module, yaml: &str, machine: &dyn Machine, facts: &Facts) -> Outcome {
    let config = config(yaml);
    let distro = Distro::read(machine);
    (module.run)(&Request { config: &config, parts: &[], machine, distro: &distro, facts })
}

/// Checks all cases and says at the end which ones fail.
pub(crate) fn all(cases: &[Json], check: impl Fn(&Json) -> Result<(), String>) {
    assert!(!cases.is_empty(), "there are no cases");
    let failed: Vec<String> =
        cases.iter().filter_map(|case| check(case).err().map(|error| format!("{case}\n  {error}"))).collect();
    assert!(failed.is_empty(), "{} of {} cases differ:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// An error where two values differ.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(ours: &T, theirs: &T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("  ours: {ours:?}\n  real: {theirs:?}")) }
}
