//! What PyYAML refuses and `saphyr-parser` lets pass, and better words for what the parser says.

use std::ops::Range;

/// The first character that YAML does not allow, with a sentence and a hint.
pub(crate) fn unprintable(text: &str, from: usize) -> Option<(usize, String, &'static str)> {
    let seen = text.get(from..)?;
    let (at, found) = seen.char_indices().find(|(_, character)| !printable(*character))?;
    let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(found));
    Some((from + at, message, "write it as an escape in double quotes, or remove it"))
}

/// PyYAML's `Reader.NON_PRINTABLE`, turned round.
fn printable(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'
    )
}

/// The first tab outside quoted and block scalars (their ranges are `opaque`) and comments.
pub(crate) fn tab(text: &str, opaque: &[Range<usize>]) -> Option<usize> {
    if !text.contains('\t') {
        return None;
    }
    let mut skip = opaque.iter().peekable();
    let mut comment = false;
    let mut blank = true;
    for (at, byte) in text.bytes().enumerate() {
        while skip.peek().is_some_and(|range| range.end <= at) {
            skip.next();
        }
        if skip.peek().is_some_and(|range| range.contains(&at)) {
            (comment, blank) = (false, byte == b'\n' || byte == b'\r');
            continue;
        }
        match byte {
            b'\n' | b'\r' => (comment, blank) = (false, true),
            b' ' => blank = true,
            b'#' if blank => comment = true,
            b'\t' if !comment => return Some(at),
            _ => blank = false,
        }
    }
    None
}

/// A hint for some of the parser's messages.
pub(crate) fn explain(info: &str) -> Option<&'static str> {
    let has = |words: &str| info.contains(words);
    if has("mapping values are not allowed") {
        Some("a value that holds `: ` needs quotes; a nested mapping starts on its own line, indented")
    } else if has("unknown anchor") {
        Some("a `*` at the start of a value names an anchor (`&name`); put the value in quotes if it is text")
    } else if has("did not find expected key") || has("did not find expected '-'") || has("indentation") || has("expected <block end>") {
        Some("check the indentation of this line and the one above")
    } else if has("unexpected character") || has("cannot start any token") {
        Some("put the value in quotes")
    } else if has("did not find expected ',' or") {
        Some("a bracket or a comma is missing, or a value inside brackets needs quotes")
    } else if has("quoted scalar") || has("quote") {
        Some("a quote is not closed")
    } else {
        None
    }
}
