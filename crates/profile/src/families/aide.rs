//! AIDE.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
