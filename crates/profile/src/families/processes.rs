//! Core dumps, prelink, compilers.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
