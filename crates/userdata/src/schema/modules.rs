//! The keys of each module, a file per family of modules.

use super::shape::Keys;

mod commands;
mod files;
mod hosts;
mod management;
mod packages;
mod ssh;
mod system;
mod users;
mod vendors;

/// All top-level keys, in the tables of their modules.
pub(super) static TABLES: &[Keys] = &[
    commands::KEYS,
    files::KEYS,
    hosts::KEYS,
    management::KEYS,
    packages::KEYS,
    ssh::KEYS,
    system::KEYS,
    users::KEYS,
    vendors::KEYS,
];
