//! What people read before and after they log in.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
