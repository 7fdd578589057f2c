//! Groups as a graph: one edge for each source and group, with all that it lets in.

use std::collections::BTreeMap;

use crate::groups::{Group, Ports, Source};

/// An edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge<'a> {
    /// From where.
    pub(super) source: &'a Source,
    /// The group among those given, where the source is one of them.
    pub(super) from: Option<usize>,
    /// Into which of the groups given.
    pub(super) to: usize,
    /// What it lets in.
    pub(super) ports: Vec<&'a Ports>,
    /// One of its rules lets the world in.
    pub(super) open: bool,
}

impl Edge<'_> {
    /// Its ports, in words.
    pub(super) fn label(&self) -> String {
        let words: Vec<String> = self.ports.iter().map(|ports| ports.words()).collect();
        words.join(", ")
    }
}

/// All edges, by group and source.
pub(super) fn edges(groups: &[Group]) -> Vec<Edge<'_>> {
    let by_id: BTreeMap<&str, usize> =
        groups.iter().enumerate().map(|(index, group)| (group.id.as_str(), index)).collect();
    let mut all = Vec::new();
    for (to, group) in groups.iter().enumerate() {
        let mut of: BTreeMap<&Source, Edge<'_>> = BTreeMap::new();
        for rule in &group.ingress {
            let source = &rule.source;
            let from = match source {
                Source::Group { id: Some(id), .. } => by_id.get(id.as_str()).copied(),
                _ => None,
            };
            let edge =
                of.entry(source).or_insert_with(|| Edge { source, from, to, ports: Vec::new(), open: false });
            if !edge.ports.contains(&&rule.ports) {
                edge.ports.push(&rule.ports);
            }
            edge.open |= rule.open;
        }
        all.extend(of.into_values().map(|mut edge| {
            edge.ports.sort();
            edge
        }));
    }
    all
}
