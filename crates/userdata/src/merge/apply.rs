//! Merging two values (`cloudinit/mergers/m_dict.py`, `m_list.py`, `m_str.py`).
//!
//! The kind of the earlier value decides who merges. [`Mergers::breaks`] tells beforehand where Python
//! would raise, so that merging itself can take the values apart.

use std::collections::HashSet;

use super::mergers::{DictMerger, ListMerger, ListMethod, Mergers};
use crate::value::{Key, Kind, Map, Value};

impl Mergers {
    /// `old` with `new` merged into it.
    pub(crate) fn merge(&self, old: Value, new: Value) -> Value {
        match (old.kind, new.kind) {
            (Kind::Map(old_map), Kind::Map(new_map)) => {
                let kind = match self.dict {
                    Some(merger) => Kind::Map(self.maps(&merger, old_map, new_map)),
                    None => Kind::Map(old_map),
                };
                Value { place: old.place, kind }
            }
            (Kind::List(items), kind) => match self.list {
                Some(merger) => self.lists(&merger, old.place, items, Value { place: new.place, kind }),
                None => Value { place: old.place, kind: Kind::List(items) },
            },
            (Kind::Text(text), kind) => match (self.text, kind) {
                (None, _) => Value { place: old.place, kind: Kind::Text(text) },
                (Some(merger), Kind::Text(more)) if merger.append => {
                    Value { place: new.place, kind: Kind::Text(text + &more) }
                }
                (Some(_), kind) => Value { place: new.place, kind },
            },
            (kind, _) => Value { place: old.place, kind },
        }
    }

    fn maps(&self, merger: &DictMerger, mut old: Map, new: Map) -> Map {
        let mut deleted = HashSet::new();
        for (key, value) in new {
            let Some(slot) = old.get_mut(&key) else {
                old.insert(key, value);
                continue;
            };
            if value.is_null() && merger.allow_delete {
                deleted.insert(key);
                continue;
            }
            let recurse = match &value.kind {
                Kind::List(_) => merger.recurse_list,
                Kind::Text(_) => merger.recurse_str,
                Kind::Map(_) => true,
                _ => false,
            };
            if merger.replace {
                *slot = value;
            } else if recurse {
                let earlier = std::mem::replace(slot, Value::new(Kind::Null));
                *slot = self.merge(earlier, value);
            }
        }
        if !deleted.is_empty() {
            old.retain(|key, _| !deleted.contains(key));
        }
        old
    }

    fn lists(&self, merger: &ListMerger, place: crate::Place, mut old: Vec<Value>, new: Value) -> Value {
        match merger.method {
            ListMethod::Append => old.extend(items(new)),
            ListMethod::Prepend => {
                let mut all = items(new);
                all.append(&mut old);
                old = all;
            }
            ListMethod::NoReplace => {}
            ListMethod::Replace => {
                let Kind::List(new_items) = new.kind else { return new };
                for (slot, value) in old.iter_mut().zip(new_items) {
                    let recurse = match &value.kind {
                        Kind::List(_) => merger.recurse_list,
                        Kind::Text(_) => merger.recurse_str,
                        Kind::Map(_) => merger.recurse_dict,
                        _ => false,
                    };
                    *slot = if recurse {
                        self.merge(std::mem::replace(slot, Value::new(Kind::Null)), value)
                    } else {
                        value
                    };
                }
            }
        }
        Value { place, kind: Kind::List(old) }
    }

    /// Whether Python raises an exception when it merges these.
    pub(crate) fn breaks(&self, old: &Value, new: &Value) -> bool {
        match (&old.kind, &new.kind) {
            (Kind::Map(old), Kind::Map(new)) => {
                let Some(merger) = self.dict.filter(|merger| !merger.replace) else { return false };
                new.iter().any(|(key, value)| {
                    let recurse = match &value.kind {
                        Kind::List(_) => merger.recurse_list,
                        Kind::Text(_) => merger.recurse_str,
                        kind => matches!(kind, Kind::Map(_)),
                    };
                    recurse && old.get(key).is_some_and(|old| self.breaks(old, value))
                })
            }
            (Kind::List(old), _) => {
                let Some(merger) = self.list else { return false };
                match (merger.method, &new.kind) {
                    (ListMethod::Replace, Kind::List(new)) => old.iter().zip(new).any(|(old, new)| {
                        let recurse = match &new.kind {
                            Kind::List(_) => merger.recurse_list,
                            Kind::Text(_) => merger.recurse_str,
                            Kind::Map(_) => merger.recurse_dict,
                            _ => false,
                        };
                        recurse && self.breaks(old, new)
                    }),
                    // `mapping[0]`, `mapping[1]`…
                    (ListMethod::NoReplace, Kind::Map(map)) => (0..old.len().min(map.len())).any(|index| {
                        let kind = i128::try_from(index).map_or(Kind::Null, Kind::Int);
                        !map.contains_key(&Key { place: new.place, kind })
                    }),
                    _ => false,
                }
            }
            (Kind::Text(_), Kind::List(_) | Kind::Map(_)) => self.text.is_some_and(|merger| merger.append),
            _ => false,
        }
    }
}

/// What Python's `list.extend` makes of a value: a text's letters, a mapping's keys.
fn items(value: Value) -> Vec<Value> {
    let place = value.place;
    match value.kind {
        Kind::List(items) => items,
        Kind::Text(text) => {
            text.chars().map(|letter| Value { place, kind: Kind::Text(letter.to_string()) }).collect()
        }
        Kind::Map(map) => map.into_keys().map(|key| Value { place: key.place, kind: key.kind }).collect(),
        _ => Vec::new(),
    }
}
