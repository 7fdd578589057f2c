//! The keys of each module, a file per family of modules.

use super::shape::Keys;

mod ansible;
mod base;
mod commands;
mod files;
mod hosts;
mod machine;
mod management;
mod packages;
mod sources;
mod ssh;
mod system;
mod users;
mod vendors;

/// All top-level keys, in the tables of their modules.
pub(super) static TABLES: &[Keys] = &[
    ansible::KEYS,
    base::KEYS,
    commands::KEYS,
    files::KEYS,
    hosts::KEYS,
    machine::KEYS,
    management::KEYS,
    packages::KEYS,
    sources::KEYS,
    ssh::KEYS,
    system::KEYS,
    users::KEYS,
    vendors::KEYS,
];
