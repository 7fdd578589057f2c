//! What people do not expect of merging: warnings, before it is done.

use hardtack_yaml::shorten;

use super::MERGE_HOW;
use super::mergers::{ListMethod, Mergers};
use crate::equal;
use crate::finding::Finding;
use crate::value::{Kind, Map, Value};

/// Code of a list or mapping that replaces an earlier part's.
pub(super) const REPLACED: &str = "earlier-part-replaced";
/// Code of a value that counts for nothing, since an earlier part has the key.
pub(super) const IGNORED: &str = "earlier-part-wins";

/// How to keep the items of both parts.
const APPEND: &str = "to keep both, add `merge_how: \"list(append)+dict(recurse_list)+str()\"` to this part";

/// Warns of what happens to top-level keys when `new` is merged into `old`.
pub(super) fn warn(
    old: &Value,
    new: &Value,
    mergers: &Mergers,
    names: &[(usize, String)],
    findings: &mut Vec<Finding>,
) {
    let (Kind::Map(old), Kind::Map(new)) = (&old.kind, &new.kind) else { return };
    let Some(dict) = mergers.dict else {
        let place = new.keys().next().map(|key| key.place).unwrap_or_default();
        let message = "`merge_how` has no `dict()`: nothing of this part is merged";
        findings.push(Finding::warning(MERGE_HOW, place, message).with_hint("add `+dict()`"));
        return;
    };
    for (key, value) in new {
        let Some(earlier) = old.get(key) else { continue };
        if equal::same(earlier, value) {
            continue;
        }
        let shown = shorten(&key.to_python_str());
        let part = names.iter().find(|(index, _)| *index == earlier.place.part);
        let part = part.map_or_else(|| "an earlier part".to_owned(), |(_, name)| format!("`{name}`"));
        let mut say = |code, message: String, hint: &str| {
            findings.push(Finding::warning(code, key.place, message).at(shown.clone()).with_hint(hint));
        };
        if dict.replace {
            if let Some(count) = content(earlier) {
                say(REPLACED, format!("`{shown}` replaces that of {part}: {count} there are lost"), APPEND);
            }
            continue;
        }
        match (&earlier.kind, &value.kind) {
            (Kind::List(there), Kind::List(here)) if dict.recurse_list => {
                let by_index = mergers.list.is_some_and(|list| list.method == ListMethod::Replace);
                if by_index && here.len() > there.len() {
                    let message = format!(
                        "`{shown}` is merged item by item into that of {part}, which has {}: the last {} here \
                         are lost",
                        there.len(),
                        here.len() - there.len()
                    );
                    say(IGNORED, message, "use `list(append)`");
                }
            }
            (Kind::Map(there), Kind::Map(here)) => nested(there, here, &shown, &part, findings),
            (Kind::Text(_), Kind::Text(_)) if dict.recurse_str => {}
            (_, Kind::Null) if dict.allow_delete => {}
            _ => say(
                IGNORED,
                format!("`{shown}` is ignored: with this `merge_how` the value of {part} stays"),
                "add `replace` to the options of `dict`, or `recurse_list` to merge lists",
            ),
        }
    }
}

/// Scalars in a mapping that both parts have.
fn nested(there: &Map, here: &Map, path: &str, part: &str, findings: &mut Vec<Finding>) {
    for (key, value) in here {
        let Some(earlier) = there.get(key) else { continue };
        let scalars = content(earlier).is_none() && content(value).is_none();
        if scalars && !equal::same(earlier, value) {
            let path = format!("{path}.{}", shorten(&key.to_python_str()));
            let message = format!("`{path}` is ignored: the value of {part} stays");
            let hint = "remove it there, or merge with `dict(replace)`";
            findings.push(Finding::warning(IGNORED, key.place, message).at(path).with_hint(hint));
        }
    }
}

/// How much a collection holds; `None` for single values and the empty.
fn content(value: &Value) -> Option<String> {
    let (count, one, many) = match &value.kind {
        Kind::List(items) => (items.len(), "item", "items"),
        Kind::Map(map) => (map.len(), "key", "keys"),
        _ => return None,
    };
    (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
}
