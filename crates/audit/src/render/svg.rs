//! A picture without Graphviz: sources on the left, groups in the middle, members on the right.
//!
//! Widths of letters are not known here: a fixed one is taken, of a monospaced font. The same groups give the same
//! bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::edges::edges;
use crate::groups::{Group, Member, Source};
use crate::text::tame;

/// Width of a letter of the font, and height of a line.
const LETTER: usize = 7;
const LINE: usize = 16;
/// Room between boxes, and around their texts.
const GAP: usize = 14;
const INSIDE: usize = 8;
/// Longest text of a line, in letters.
const LONGEST: usize = 60;
/// Room for the labels of edges, at least and at most.
const ROAD: (usize, usize) = (120, 420);

/// A box.
struct Node {
    lines: Vec<String>,
    class: &'static str,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Node {
    fn new(lines: &[String], class: &'static str) -> Self {
        let lines: Vec<String> = lines.iter().map(|line| short(line)).collect();
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let (width, height) = (widest * LETTER + 2 * INSIDE, lines.len() * LINE + 2 * INSIDE);
        Self { lines, class, x: 0, y: 0, width, height }
    }

    fn middle(&self) -> usize {
        self.y + self.height / 2
    }
}

/// The security groups as SVG.
pub fn svg(groups: &[Group]) -> String {
    let edges = edges(groups);
    let mut sources: BTreeMap<&Source, usize> = BTreeMap::new();
    for edge in &edges {
        sources.insert(edge.source, 0);
    }
    let mut left: Vec<Node> = Vec::new();
    for (source, index) in &mut sources {
        *index = left.len();
        let class = match source {
            Source::Group { exists: Some(false), .. } => "gone",
            Source::Group { .. } => "group",
            _ => "network",
        };
        left.push(Node::new(&[source.words()], class));
    }
    let group_box = |group: &Group| {
        let open = !group.open_to_world.is_empty();
        let class = if open {
            "open"
        } else if group.unused == Some(true) {
            "unused"
        } else {
            "group"
        };
        let second =
            if group.unused == Some(true) { format!("{} unused", group.id) } else { group.id.clone() };
        let lines = if group.name.is_empty() { vec![second] } else { vec![group.name.clone(), second] };
        Node::new(&lines, class)
    };
    let mut middle: Vec<Node> = groups.iter().map(group_box).collect();
    // Somebody in two groups is one box.
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut right: Vec<Node> = Vec::new();
    let mut memberships: Vec<(usize, usize)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for member in &group.members {
            let place = *places.entry(&member.id).or_insert_with(|| {
                right.push(Node::new(&member_lines(member), "member"));
                right.len() - 1
            });
            memberships.push((index, place));
        }
    }
    let labels: Vec<String> = edges.iter().map(|edge| short(&edge.label())).collect();
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let road = (longest * LETTER + 4 * GAP).clamp(ROAD.0, ROAD.1);
    let second = GAP + column(&mut left, GAP) + road;
    let third = second + column(&mut middle, second) + ROAD.0;
    let width = third + column(&mut right, third) + GAP;
    let height = [&left, &middle, &right].map(|nodes| bottom(nodes)).into_iter().max().unwrap_or(0) + GAP;

    let mut out = head(width, height);
    for (edge, label) in edges.iter().zip(&labels) {
        let from = sources.get(edge.source).and_then(|index| left.get(*index));
        let (Some(from), Some(to)) = (from, middle.get(edge.to)) else { continue };
        line(&mut out, from, to, if edge.open { "edge world" } else { "edge" });
        // Beside the source: there lines have not crossed yet.
        let (x1, x2) = (from.x + from.width, to.x);
        let place = [1_usize, 2, 3].get(edge.to % 3).copied().unwrap_or(2);
        let x = x1 + (x2 - x1) * place / 4;
        let (a, b) = (from.middle() * (4 - place), to.middle() * place);
        let class = if edge.open { "label world" } else { "label" };
        let _ = writeln!(
            out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            (a + b) / 4 - 3,
            escaped(label)
        );
    }
    for (group, member) in memberships {
        if let (Some(from), Some(to)) = (middle.get(group), right.get(member)) {
            line(&mut out, from, to, "edge of");
        }
    }
    for node in left.iter().chain(&middle).chain(&right) {
        draw(&mut out, node);
    }
    out.push_str("</svg>\n");
    out
}

fn member_lines(member: &Member) -> Vec<String> {
    let first =
        member.name.as_ref().map_or_else(|| member.id.clone(), |name| format!("{name} ({})", member.id));
    let addresses: Vec<&str> = member.public().into_iter().chain(member.private_address.as_deref()).collect();
    let mut lines = vec![first];
    if !addresses.is_empty() {
        lines.push(addresses.join(" "));
    }
    lines
}

/// Places boxes below each other from `x` on; the column's width.
fn column(nodes: &mut [Node], x: usize) -> usize {
    let width = nodes.iter().map(|node| node.width).max().unwrap_or(0);
    let mut y = GAP;
    for node in nodes {
        node.x = x;
        node.y = y;
        node.width = width;
        y += node.height + GAP;
    }
    width
}

fn bottom(nodes: &[Node]) -> usize {
    nodes.last().map_or(0, |node| node.y + node.height)
}

fn head(width: usize, height: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>security groups</title>\n\
         <style>\n\
         text {{ font: 11px monospace; fill: #222 }}\n\
         rect {{ fill: #fff; stroke: #555; rx: 3px }}\n\
         rect.network {{ fill: #eef3fb }} rect.open {{ stroke: #c00; stroke-width: 2 }}\n\
         rect.unused, rect.gone {{ stroke-dasharray: 4 3 }} rect.member {{ fill: #f4f4f4 }}\n\
         .edge {{ stroke: #888; fill: none }} .of {{ stroke: #bbb }} .edge.world {{ stroke: #c00 }}\n\
         .label {{ fill: #555; font-size: 10px; paint-order: stroke; stroke: #fff; stroke-width: 3px }}\n\
         .label.world {{ fill: #c00 }}\n\
         </style>\n\
         <rect width=\"{width}\" height=\"{height}\" style=\"stroke: none\"/>\n"
    )
}

fn line(out: &mut String, from: &Node, to: &Node, class: &str) {
    let (x1, y1, x2, y2) = (from.x + from.width, from.middle(), to.x, to.middle());
    let _ = writeln!(out, "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
}

fn draw(out: &mut String, node: &Node) {
    let Node { lines, class, x, y, width, height } = node;
    let _ =
        writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    for (index, text) in lines.iter().enumerate() {
        let (x, y) = (x + INSIDE, y + INSIDE + index * LINE + LINE - 4);
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(text));
    }
}

fn short(text: &str) -> String {
    let tame = tame(text);
    if tame.chars().count() <= LONGEST {
        return tame;
    }
    let mut cut: String = tame.chars().take(LONGEST - 1).collect();
    cut.push('…');
    cut
}

/// For XML 1.0: what it cannot hold at all is a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            char if char.is_control() => out.push('?'),
            char => out.push(char),
        }
    }
    out
}
