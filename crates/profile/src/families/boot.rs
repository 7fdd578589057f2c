//! The boot loader and the kernel command line.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
