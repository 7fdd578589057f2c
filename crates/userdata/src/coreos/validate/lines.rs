//! Line numbers as coreos-cloudinit finds them: by searching the text for a key or a list's dash, from
//! the parent's line on (`config/validate/context.go`, `find` of `node.go`). They are wrong for
//! quoted keys, flow collections and the like; the findings have places of their own.

use std::collections::HashMap;

/// The lines of a text on which keys and list items stand.
pub(super) struct Lines {
    /// Lines by the key on them.
    keys: HashMap<String, Vec<usize>>,
    /// Lines with any key.
    any: Vec<usize>,
    /// Lines with a dash.
    items: Vec<usize>,
}

/// Index of a line; [`END`] is behind the last one.
pub(super) type Line = usize;

/// Behind the last line.
pub(super) const END: Line = usize::MAX;

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let text = text.replace('\r', "");
        let mut lines = Self { keys: HashMap::new(), any: Vec::new(), items: Vec::new() };
        for (at, line) in text.split('\n').enumerate() {
            let inner = line.trim_start_matches(' ');
            let item = inner.strip_prefix('-');
            if item.is_some() {
                lines.items.push(at);
            }
            let inner = item.unwrap_or(inner);
            let inner = inner.strip_prefix(' ').unwrap_or(inner);
            if let Some((key, _)) = inner.split_once(':') {
                lines.any.push(at);
                match lines.keys.get_mut(key) {
                    Some(places) => places.push(at),
                    None => _ = lines.keys.insert(key.to_owned(), vec![at]),
                }
            }
        }
        lines
    }

    /// The first line from `from` on with `key`.
    pub(super) fn key(&self, key: &str, from: Line) -> Line {
        // An empty key is found on any line with one.
        let places = if key.is_empty() { Some(&self.any) } else { self.keys.get(key) };
        places.map_or(END, |places| first(places, from))
    }

    /// The first line from `from` on with a list's item.
    pub(super) fn item(&self, from: Line) -> Line {
        first(&self.items, from)
    }
}

/// The line's number for people; 0 for none.
pub(super) fn number(line: Line) -> usize {
    line.checked_add(1).unwrap_or(0)
}

fn first(places: &[Line], from: Line) -> Line {
    let at = places.partition_point(|line| *line < from);
    places.get(at).copied().unwrap_or(END)
}
