//! auditd and its rules.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
