//! The `agent` step's settings.

use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::Reader;
use crate::model::{AgentMode, AgentStep};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[Key::may(
    "mode",
    Shape::Words(&["companion", "replace"]),
    "`companion` works beside cloud-init, `replace` takes its place. The default is `companion`.",
)];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, _at: Span) -> Option<AgentStep> {
    let fields = reader.keyed(node, "step `agent`", KEYS)?;
    let mut step = AgentStep::default();
    if let Some(value) = fields.get("mode") {
        let words = [("companion", AgentMode::Companion), ("replace", AgentMode::Replace)];
        step.mode = reader.word(value, "mode", &words)?;
    }
    Some(step)
}
