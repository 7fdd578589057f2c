//! Packages and where they come from.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
