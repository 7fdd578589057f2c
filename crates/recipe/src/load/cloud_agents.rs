//! The `cloud-agents` step's settings.

use hardtack_inspect::ways::agents::CLOUD_AGENTS;
use hardtack_yaml::{Node, Span};

use super::keys::{Key, Shape};
use super::reader::Reader;
use crate::model::CloudAgentsStep;

/// Those that the step knows, in the order of the table that finds them.
const NAMES: &[&str] = &{
    let mut names = [""; CLOUD_AGENTS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = CLOUD_AGENTS[index].id;
        index += 1;
    }
    names
};
/// The same and what stands for all of them.
const NAMES_AND_ALL: &[&str] = &{
    let mut names = ["all"; NAMES.len() + 1];
    let mut index = 0;
    while index < NAMES.len() {
        names[index] = NAMES[index];
        index += 1;
    }
    names
};

/// The keys of the step.
pub(super) const KEYS: &[Key] = &[
    Key::may(
        "remove",
        Shape::Several(&Shape::Words(NAMES_AND_ALL)),
        "These do nothing any more; `all` is every one that `keep` does not name.",
    ),
    Key::may("keep", Shape::Several(&Shape::Words(NAMES)), "These stay, and nobody is warned of them."),
];

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Option<CloudAgentsStep> {
    let fields = reader.keyed(node, "step `cloud-agents`", KEYS)?;
    let mut step = CloudAgentsStep::default();
    let known: Vec<(&str, &'static str)> = NAMES.iter().map(|name| (*name, *name)).collect();
    if let Some(value) = fields.get("keep") {
        for item in reader.items(value, "keep") {
            step.keep.extend(reader.word(item, "keep", &known));
        }
    }
    if let Some(value) = fields.get("remove") {
        let known: Vec<(&str, &'static str)> = NAMES_AND_ALL.iter().map(|name| (*name, *name)).collect();
        for item in reader.items(value, "remove") {
            match reader.word(item, "remove", &known) {
                Some("all") => {
                    step.remove.extend(NAMES.iter().filter(|name| !step.keep.contains(name)));
                }
                Some(name) if step.keep.contains(&name) => {
                    reader.error(item.span, format!("`{name}` is to be kept and to be removed"));
                }
                Some(name) => step.remove.push(name),
                None => {}
            }
        }
    }
    step.remove.sort_unstable();
    step.remove.dedup();
    if step.remove.is_empty() && step.keep.is_empty() && fields.get("remove").is_none() {
        reader.error_hint(
            at,
            "step `cloud-agents` says nothing",
            "say `remove: all`, or name those to remove and to keep",
        );
    }
    Some(step)
}
