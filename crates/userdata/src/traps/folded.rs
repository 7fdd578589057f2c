//! Items that were folded into the one above: a plain value goes on in a line that is indented deeper, and
//! a `- ` there is text (YAML 1.1, 9.1.3).

use super::walk::{self, What};
use super::{Report, place_in, shown, trap};
use crate::value::Map;

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    walk::each(config, &mut |spot| {
        let What::Scalar(value) = spot.what else { return };
        if !value.as_text().is_some_and(|text| text.contains(" - ")) {
            return;
        }
        let place = value.place;
        let source = report.whole_source(place);
        // Only plain values fold so; quotes and blocks are meant.
        if source.starts_with(['"', '\'', '|', '>', '&', '!', '*']) {
            return;
        }
        let Some((at, line)) = continued(source) else { return };
        let part = report.parts.get(place.part).and_then(|part| std::str::from_utf8(&part.payload).ok());
        let start = place.span.start.saturating_add(at);
        let item = place_in(part.unwrap_or_default(), place.part, start, start.saturating_add(line.len()));
        let secret = spot.is_secret || spot.top == "chpasswd";
        let what = if secret { "this line".to_owned() } else { shown(line) };
        report.tell(trap(
            "item-in-a-value",
            item,
            spot.path,
            format!("{what} is no item of a list: it is indented deeper than the line above, and goes on with its value"),
            "indent it as the items above, or put the value in quotes if that is meant",
        ));
    });
}

/// The first line but the first that begins with `- `, and where.
fn continued(source: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    for (index, line) in source.split_inclusive('\n').enumerate() {
        let bare = line.trim_start();
        if index > 0 && bare.starts_with("- ") {
            return Some((at + (line.len() - bare.len()), bare.trim_end()));
        }
        at += line.len();
    }
    None
}
