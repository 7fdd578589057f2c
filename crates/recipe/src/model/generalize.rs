//! What makes an image nobody's: the operations of virt-sysprep, and what clouds need besides.

use std::collections::BTreeSet;

/// `generalize`, and the steps that carry the name of one of its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneralizeStep {
    /// The operations, by their names.
    pub operations: BTreeSet<&'static str>,
}

/// The operations, each a step of its own name too.
pub const NAMES: &[&str] = &["machine-id"];
