//! Services and clients that must not be there.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
