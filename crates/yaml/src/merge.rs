//! Merge keys (`<<: *defaults`), as PyYAML carries them out.

use std::collections::HashSet;

use crate::Span;
use crate::node::{Kind, Node, Style};

/// True for a key that merges: a plain `<<`, or one with the merge tag.
fn is_merge(key: &Node) -> bool {
    match (&key.kind, key.tag.as_deref()) {
        (Kind::Scalar(_), Some(tag)) => tag == "tag:yaml.org,2002:merge",
        (Kind::Scalar(scalar), None) => scalar.style == Style::Plain && scalar.text == "<<",
        _ => false,
    }
}

/// Replaces the merge keys of `pairs` by what they name. A key of the mapping itself wins over a
/// merged one, and an earlier mapping of a list over a later one.
///
/// # Errors
/// The place of a value that cannot be merged, and why.
pub(crate) fn merge(pairs: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, (Span, String)> {
    if !pairs.iter().any(|(key, _)| is_merge(key)) {
        return Ok(pairs);
    }
    let (merges, own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| is_merge(key));
    let mut taken: HashSet<String> = own.iter().filter_map(|(key, _)| key.identity()).collect();
    let mut merged = Vec::new();
    // Of two merge keys the later one wins, as any later key does.
    for (_, value) in merges.into_iter().rev() {
        let sources = match value.kind {
            Kind::Mapping(_) => vec![value],
            Kind::Sequence(items) => items,
            Kind::Scalar(_) => {
                return Err((
                    value.span,
                    "a merge key (`<<`) takes a mapping or a list of mappings".to_owned(),
                ));
            }
        };
        for source in sources {
            let Kind::Mapping(pairs) = source.kind else {
                return Err((source.span, "a merge key (`<<`) takes mappings only".to_owned()));
            };
            // Within one mapping the last of two equal keys wins.
            let mut fresh: Vec<(Node, Node)> = Vec::new();
            let mut seen = HashSet::new();
            for (key, value) in pairs.into_iter().rev() {
                let Some(identity) = key.identity() else {
                    fresh.push((key, value));
                    continue;
                };
                if !taken.contains(&identity) && seen.insert(identity) {
                    fresh.push((key, value));
                }
            }
            taken.extend(seen);
            merged.extend(fresh.into_iter().rev());
        }
    }
    merged.extend(own);
    Ok(merged)
}
