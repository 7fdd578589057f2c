//! PAM: faillock, pwquality, pwhistory, unix.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
