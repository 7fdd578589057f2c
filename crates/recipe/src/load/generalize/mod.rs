//! `generalize`, and the steps that carry the name of one of its operations.

use hardtack_yaml::{Node, Span};

use super::keys::StepKeys;
use super::reader::Reader;
use crate::model::generalize::GeneralizeStep;

/// What each of these steps takes; the reader takes the keys from here.
pub(super) fn keys() -> Vec<StepKeys> {
    Vec::new()
}

/// Reads `generalize`, or the operation `name` alone.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, node: &Node, at: Span) -> Option<GeneralizeStep> {
    let _ = node;
    reader.error(at, format!("step `{name}` is not built yet"));
    None
}
