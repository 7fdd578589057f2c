//! What sshd is told.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
