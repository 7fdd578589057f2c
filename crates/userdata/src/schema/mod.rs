//! Cloud-config against what cloud-init knows: every key, type and value of every module.
//!
//! * `shape`: the words that the keys are described with.
//! * `modules`: the keys themselves, a file per family of modules.
//! * `forms`: forms of texts.
//! * `engine`: holds a configuration against them.
//! * `fit`, `faults`, `path`: what a value is worth, and where it is, for the engine.
//! * `message`, `keys`, `words`: what is said then.
//! * [`differences`]: where that is not what cloud-init tells.
//!
//! The verdict is that of cloud-init 26.2 (`cloudinit/config/schema.py`,
//! `validate_cloudconfig_schema`); the model is our own.

pub mod differences;
mod engine;
mod faults;
mod fit;
mod forms;
mod keys;
mod message;
mod modules;
mod path;
mod shape;
mod words;

use crate::finding::Finding;
use crate::operator;
use crate::value::{Key, Map};

/// Checks a configuration: errors where cloud-init's schema refuses it, warnings for what is
/// deprecated. A finding's path is cloud-init's, with an unknown key as its last word.
pub fn check(config: &Map, findings: &mut Vec<Finding>) {
    engine::check(modules::TABLES, config, findings);
}

/// Checks what merging takes out of a part before its configuration counts: `merge_how` and `merge_type`.
pub fn check_merging(part: &Map, findings: &mut Vec<Finding>) {
    let keys = ["merge_how", "merge_type"].map(Key::text);
    let taken = part.iter().filter(|(key, _)| keys.contains(key));
    check(&taken.map(|(key, value)| (key.clone(), value.clone())).collect(), findings);
}

/// Whether cloud-init knows the top-level key, or it is our own.
#[must_use]
pub fn is_known_key(name: &str) -> bool {
    name == operator::KEY || modules::TABLES.iter().any(|table| table.iter().any(|(known, _)| *known == name))
}
