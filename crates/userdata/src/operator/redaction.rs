//! What of the operator's section nobody is shown: its secrets, and whatever may be one in a wrong place.

use std::ops::Range;

use super::{KEY, LOOKS_LIKE_SECRET, looks_like_secret, normalise};
use crate::finding::Place;
use crate::value::{Key, Kind, Value};

/// What of a configuration is not to be shown: every text under the key, as it stands and as the module
/// reads it, and names that may be secrets.
pub(crate) fn values(value: &Value, found: &mut Vec<String>) {
    if let Some(secret) = value.as_text().and_then(normalise) {
        found.extend((secret.len() >= LOOKS_LIKE_SECRET).then_some(secret));
    }
    inside(value, 0, &mut |key, value, hidden| {
        found.extend(key.filter(|_| hidden).map(Key::to_python_str));
        let secret = value.as_text().and_then(normalise);
        found.extend(secret.filter(|secret| secret.len() >= LOOKS_LIKE_SECRET));
    });
}

/// Where names stand that may be secrets.
pub(crate) fn places(value: &Value, found: &mut Vec<Place>) {
    inside(value, 0, &mut |key, _, hidden| found.extend(key.filter(|_| hidden).map(|key| key.place)));
}

/// Calls `see` for everything in a value, with its key and whether that may be a secret: it looks like one, or
/// stands where none belongs.
fn inside<'v>(value: &'v Value, depth: usize, see: &mut dyn FnMut(Option<&'v Key>, &'v Value, bool)) {
    match &value.kind {
        Kind::List(items) => {
            for item in items {
                see(None, item, false);
                inside(item, depth.saturating_add(1), see);
            }
        }
        Kind::Map(members) => {
            for (key, value) in members {
                see(Some(key), value, depth > 1 || key.as_text().is_some_and(looks_like_secret));
                inside(value, depth.saturating_add(1), see);
            }
        }
        _ => {}
    }
}

/// The byte ranges in a text that may not be readable as YAML: what stands behind the key and in deeper
/// lines, but for the users, and every word that looks like a secret.
pub(crate) fn masks(text: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    if !text.contains(KEY) {
        return masks;
    }
    let mut column = None;
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        words(line, start, &mut masks);
        let body = line.trim();
        let indent = line.len().saturating_sub(line.trim_start().len());
        let inside = column.is_some_and(|column| indent > column);
        let is_key = is_key_line(body);
        if !body.is_empty() && !inside {
            column = is_key.then_some(indent);
        }
        if (inside || is_key) && !body.starts_with('#') {
            let at = body
                .find(": ")
                .map_or(if body.ends_with(':') { body.len() } else { 0 }, |colon| colon.saturating_add(2));
            let value = body.get(at..).unwrap_or_default().trim();
            // Brackets alone open what comes below.
            if value.contains(|character: char| character.is_alphanumeric()) {
                let from = start.saturating_add(indent).saturating_add(at);
                masks.push(from..start.saturating_add(indent).saturating_add(body.len()));
            }
        }
        start = start.saturating_add(line.len());
    }
    masks
}

fn is_key_line(body: &str) -> bool {
    let body = body.trim_start_matches(['{', '"', '\'', ' ']);
    let rest = body.strip_prefix(KEY).map(|rest| rest.trim_start_matches(['"', '\'', ' ']));
    rest.is_some_and(|rest| rest.starts_with(':'))
}

fn words(line: &str, start: usize, masks: &mut Vec<Range<usize>>) {
    let mut at = 0_usize;
    for word in line.split_inclusive(|character: char| !character.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        if looks_like_secret(bare) {
            let from = start.saturating_add(at);
            masks.push(from..from.saturating_add(bare.len()));
        }
        at = at.saturating_add(word.len());
    }
}
