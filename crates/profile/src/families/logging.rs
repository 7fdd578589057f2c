//! journald, rsyslog, logrotate.

use crate::Rule;

pub(super) const RULES: &[Rule] = &[];
