//! What PyYAML refuses and `saphyr-parser` lets pass, and better words for what the parser says.
//!
//! Found by running both over mutated texts. Differences that stay, all in odd texts:
//! - refused here, taken by PyYAML: continuation lines of flow collections and quoted scalars that
//!   are indented less than the block around them; `[-]`;
//! - taken here, refused by PyYAML: `[|]`, `[:a]`, `{a: ?a}`; a lone `...`;
//! - U+0085, U+2028 and U+2029 end a line in YAML 1.1 and are characters like others here.

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

/// The place of a character that an anchor's name cannot hold; the anchor is the first thing at
/// `from`, if there is one. (YAML 1.2 lets nearly everything pass, PyYAML letters and digits.)
pub(crate) fn anchor(text: &str, from: usize) -> Option<usize> {
    let name = text.get(from..)?.strip_prefix('&')?;
    let end =
        name.find([' ', '\t', '\r', '\n', '?', ':', ',', ']', '}', '%', '@', '`']).unwrap_or(name.len());
    let name = name.get(..end)?;
    let wrong = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    wrong.or(name.is_empty().then_some(0)).map(|at| from + 1 + at)
}

/// A hint for some of the parser's messages.
pub(crate) fn explain(info: &str) -> Option<&'static str> {
    let has = |words: &str| info.contains(words);
    if has("mapping values are not allowed") {
        Some("a value that holds `: ` needs quotes; a nested mapping starts on its own line, indented")
    } else if has("unknown anchor") {
        Some("a `*` at the start of a value names an anchor (`&name`); put the value in quotes if it is text")
    } else if has("unknown escape") {
        Some("a backslash in double quotes starts an escape; write `\\\\`, or use single quotes")
    } else if has("quoted scalar") && !has("trailing content") {
        Some("a quote is not closed, or its text is not indented")
    } else if has("did not find expected key")
        || has("did not find expected '-'")
        || has("indentation")
        || has("expected <block end>")
    {
        Some("check the indentation of this line and the one above")
    } else if has("unexpected character") || has("cannot start any token") {
        Some("put the value in quotes")
    } else if has("did not find expected ',' or") {
        Some("a bracket or a comma is missing, or a value inside brackets needs quotes")
    } else if has("quote") {
        Some("a quote is not closed")
    } else {
        None
    }
}
