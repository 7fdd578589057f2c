//! The steps that carry virt-customize's names.

use hardtack_yaml::{Node, Span};

use super::keys::StepKeys;
use super::reader::Reader;
use crate::model::operation::Operation;

/// What each of these steps takes; the reader takes the keys from here.
pub(super) fn keys() -> Vec<StepKeys> {
    Vec::new()
}

/// Reads the operation `name`.
pub(super) fn read(reader: &mut Reader<'_>, name: &str, node: &Node, at: Span) -> Option<Operation> {
    let _ = node;
    reader.error(at, format!("step `{name}` is not built yet"));
    None
}
