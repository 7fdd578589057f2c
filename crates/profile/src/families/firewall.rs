//! The firewall, and the timer that reopens it.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
