//! Time, cron and at.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
