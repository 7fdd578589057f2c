//! The keys of each module, a file per family of modules.

use super::shape::Keys;

mod system;

/// All top-level keys, in the tables of their modules.
pub(super) static TABLES: &[Keys] = &[system::KEYS];
