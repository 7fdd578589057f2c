//! AppArmor and SELinux.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
