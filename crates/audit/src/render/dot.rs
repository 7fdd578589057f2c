//! Graphviz' dot. Source of the quoting: Graphviz' "DOT Language": in a quoted string only `\"` is an escape of the
//! language; labels know `\n`, `\l`, `\r` and `\N` on top, so that a backslash is doubled.

use super::edges::edges;
use crate::groups::{Group, Source};
use crate::text::tame;

/// Members that are named in a group's node.
const MEMBERS: usize = 20;

/// Security groups as a directed graph: one edge for each source and group, with the ports as its label. A group that
/// is another's source is one node.
pub fn dot(groups: &[Group]) -> String {
    let mut out = String::from(
        "digraph \"security groups\" {\n\
         \x20 rankdir=LR;\n\
         \x20 node [shape=box, fontname=\"sans-serif\", fontsize=10];\n\
         \x20 edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    for (index, group) in groups.iter().enumerate() {
        let mut lines = vec![group.title()];
        for member in group.members.iter().take(MEMBERS) {
            let mut words = vec![member.id.as_str()];
            words.extend(member.name.as_deref());
            words.extend(member.public());
            words.extend(member.private_address.as_deref());
            lines.push(words.join(" "));
        }
        if let Some(more) = group.members.len().checked_sub(MEMBERS).filter(|more| *more > 0) {
            lines.push(format!("and {more} more"));
        }
        let style = match group.unused {
            Some(true) => ", style=dashed",
            _ if !group.open_to_world.is_empty() => ", color=red, penwidth=2",
            _ => "",
        };
        out.push_str(&format!("  g{index} [label={}{style}];\n", label(&lines)));
    }
    let edges = edges(groups);
    let mut outside: Vec<&Source> =
        edges.iter().filter(|edge| edge.from.is_none()).map(|edge| edge.source).collect();
    outside.sort();
    outside.dedup();
    for (index, source) in outside.iter().enumerate() {
        let style = match source {
            Source::Group { exists: Some(false), .. } => "style=dotted",
            Source::Group { .. } => "shape=box",
            _ => "shape=ellipse",
        };
        out.push_str(&format!("  s{index} [label={}, {style}];\n", label(&[source.words()])));
    }
    for edge in &edges {
        let from = match edge.from {
            Some(index) => format!("g{index}"),
            None => format!("s{}", outside.binary_search(&edge.source).unwrap_or_default()),
        };
        let color = if edge.open { ", color=red, fontcolor=red" } else { "" };
        out.push_str(&format!("  {from} -> g{} [label={}{color}];\n", edge.to, label(&[edge.label()])));
    }
    out.push_str("}\n");
    out
}

/// A quoted label of several lines.
fn label(lines: &[String]) -> String {
    let escaped: Vec<String> =
        lines.iter().map(|line| tame(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", escaped.join("\\n"))
}
