//! Modes and owners.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
