//! Users and groups, looked at.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
