//! Merging and comparing as `cloudinit/util.py` does it for users: `mergemanydict` (the first value
//! stays, mappings are merged into each other), `uniq_merge`, Python's `==` and `sorted`.

use std::cmp::Ordering;

use hardtack_userdata::{Key, Kind, Map, Value};

/// Merges `later` into `first`, whose values stay: what [`hardtack_userdata::layers::effective`] does
/// without copying, since one user may have thousands of entries.
pub(super) fn merge(first: &mut Map, later: &Map) {
    for (key, new) in later {
        let Some(old) = first.get_mut(key) else {
            first.insert(key.clone(), new.clone());
            continue;
        };
        let Kind::Map(new_members) = &new.kind else { continue };
        match &mut old.kind {
            Kind::Map(members) => merge(members, new_members),
            // Text and lists are replaced by a mapping; everything else stays.
            Kind::Text(_) | Kind::List(_) => *old = new.clone(),
            _ => {}
        }
    }
}

/// `uniq_merge` of one argument: text is cut at commas, empty names are dropped; of equal items the
/// first stays. `None` for what cannot be walked through.
pub(super) fn unique(value: &Value) -> Option<Vec<Value>> {
    let mut items = Vec::new();
    extend_unique(&mut items, value)?;
    Some(items)
}

/// Lists and mappings in a list of names that are compared with each other.
const MOST_LISTS: usize = 200;

/// The same, behind `items`.
pub(super) fn extend_unique(items: &mut Vec<Value>, value: &Value) -> Option<()> {
    let of_key = |key: &Key| Value { place: key.place, kind: key.kind.clone() };
    let fresh: Vec<Value> = match &value.kind {
        Kind::Text(text) => crate::pytext::strip(text)
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| Value { place: value.place, kind: Kind::Text(name.to_owned()) })
            .collect(),
        Kind::List(list) => list.clone(),
        Kind::Map(map) => map.keys().map(of_key).collect(),
        Kind::Set(keys) => keys.iter().map(of_key).collect(),
        _ => return None,
    };
    // Names are compared by hash; only what has none is compared one by one.
    let mut seen: std::collections::HashSet<Key> = items.iter().filter_map(as_key).collect();
    let mut lists = 0;
    for item in fresh {
        match as_key(&item) {
            Some(key) => {
                if seen.insert(key) {
                    items.push(item);
                }
            }
            None => {
                // These are no names, and whoever walks through the list stops at them.
                lists += 1;
                if lists > MOST_LISTS {
                    return None;
                }
                if !items.iter().any(|other| as_key(other).is_none() && equal(other, &item)) {
                    items.push(item);
                }
            }
        }
    }
    Some(())
}

/// A value as the key of a mapping, if it can be one.
pub(super) fn as_key(value: &Value) -> Option<Key> {
    match &value.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Set(_) => None,
        kind => Some(Key { place: value.place, kind: kind.clone() }),
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Kind::Map(one), Kind::Map(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| equal(value, other)))
        }
        (Kind::Set(one), Kind::Set(other)) => {
            one.len() == other.len() && one.iter().all(|key| other.contains(key))
        }
        _ => match (as_key(one), as_key(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
    }
}

/// `sorted`: `None` for what has no order, such as text and numbers together.
pub(super) fn sorted(mut items: Vec<Value>) -> Option<Vec<Value>> {
    if items.len() < 2 {
        return Some(items);
    }
    let all_text = items.iter().all(|item| item.as_text().is_some());
    let all_numbers = items.iter().all(|item| number(item).is_some());
    if all_text {
        items.sort_by(|one, other| one.as_text().cmp(&other.as_text()));
    } else if all_numbers {
        items.sort_by(|one, other| number(one).partial_cmp(&number(other)).unwrap_or(Ordering::Equal));
    } else {
        return None;
    }
    Some(items)
}

#[allow(clippy::cast_precision_loss)]
fn number(value: &Value) -> Option<f64> {
    match &value.kind {
        Kind::Bool(value) => Some(f64::from(u8::from(*value))),
        Kind::Int(value) => Some(*value as f64),
        Kind::Float(value) => Some(*value),
        _ => None,
    }
}
