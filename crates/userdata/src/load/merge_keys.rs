//! Merge keys: `<<: *defaults` (`yaml/constructor.py`, `flatten_mapping`).
//!
//! The merged pairs stand before the mapping's own ones, so that those win; of a list of mappings the
//! last stands first, so that the first one wins.

use hardtack_yaml::{Kind, Node};

use super::{Failed, Loader, core_tag};
use crate::finding::Finding;

type Pairs = Vec<(Node, Node)>;

impl Loader {
    /// The pairs of the mapping `node`, with what its merge keys name in front.
    pub(super) fn flatten(&self, node: Node) -> Result<Pairs, Failed> {
        let Kind::Mapping(pairs) = node.kind else {
            let place = self.place(&node);
            let message = "a merge key (`<<`) takes a mapping, an alias of one (`*name`) or a list of them";
            return Err(Box::new(Finding::error(super::VALUE, place, message)));
        };
        if !pairs.iter().any(|(key, _)| is_merge(key)) {
            return Ok(pairs);
        }
        let mut merged = Pairs::new();
        let mut own = Pairs::new();
        for (key, value) in pairs {
            if !is_merge(&key) {
                own.push((key, value));
                continue;
            }
            match value.kind {
                Kind::Sequence(items) => {
                    let sources = items.into_iter().map(|item| self.flatten(item));
                    let sources = sources.collect::<Result<Vec<_>, _>>()?;
                    merged.extend(sources.into_iter().rev().flatten());
                }
                _ => merged.extend(self.flatten(value)?),
            }
        }
        merged.append(&mut own);
        Ok(merged)
    }
}

fn is_merge(key: &Node) -> bool {
    matches!(core_tag(key), Ok("merge"))
}
