//! Partitions and mount options.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
