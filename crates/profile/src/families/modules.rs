//! Kernel modules that are not loaded: file systems and protocols nobody uses.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
