//! Keys that stand twice in one mapping: YAML forbids it, PyYAML takes the last one without a word
//! (`yaml/constructor.py`, `construct_mapping`).

use hardtack_yaml::{Document, Kind, Node};

use super::{Report, shown, trap};
use crate::finding::Place;
use crate::limits;
use crate::part::PartKind;

/// Texts above this are not read once more for it: few clouds take them.
const LARGEST: usize = 64 << 10;

pub(super) fn look(report: &mut Report<'_>) {
    for (index, part) in report.parts.iter().enumerate() {
        let text = report.texts.get(index).copied().unwrap_or_default();
        if part.kind != PartKind::CloudConfig || text.len() > LARGEST {
            continue;
        }
        if let Ok(root) = Document::compose("", text, limits::YAML) {
            walk(&root, index, &mut String::new(), report);
        }
    }
}

fn walk(node: &Node, part: usize, path: &mut String, report: &mut Report<'_>) {
    for (first, again) in node.duplicate_keys() {
        let name = again.text().unwrap_or_default();
        let place = Place { part, span: again.span };
        // `<<` may stand there as often as one likes; what came through an alias was told.
        if name == "<<" || report.is_told(place) {
            continue;
        }
        let step = shown(name);
        let at = format!("{path}{}", step.trim_matches('`'));
        report.tell(trap(
            "duplicate-key",
            place,
            at,
            format!(
                "{step} stands here twice: this one counts, and that of line {} is lost",
                first.span.line
            ),
            "make one of them",
        ));
    }
    let length = path.len();
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("{index}."));
                walk(item, part, path, report);
                path.truncate(length);
            }
        }
        Kind::Mapping(pairs) => {
            for (key, value) in pairs {
                let name = shown(key.text().unwrap_or_default());
                path.push_str(name.trim_matches('`'));
                path.push('.');
                walk(value, part, path, report);
                path.truncate(length);
            }
        }
    }
}
