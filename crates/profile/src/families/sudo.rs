//! sudo and su.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
