//! login.defs, useradd, shadow, umask and time-outs.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
