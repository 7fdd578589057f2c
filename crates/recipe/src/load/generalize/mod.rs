//! `generalize`, and the steps that carry the name of one of its operations.

use hardtack_yaml::{Node, Span};

use super::reader::Reader;
use crate::model::generalize::GeneralizeStep;

/// Reads `generalize`, or the operation `name` alone.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, node: &Node, at: Span) -> Option<GeneralizeStep> {
    let _ = node;
    reader.error(at, format!("step `{name}` is not built yet"));
    None
}
