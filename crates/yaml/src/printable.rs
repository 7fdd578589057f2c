//! The characters that YAML allows.

use crate::scan::{Mark, Problem};

/// PyYAML's `Reader.NON_PRINTABLE`, turned round.
fn printable(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'
    )
}

/// Refuses the first character that YAML does not allow, wherever it stands.
pub(crate) fn check(text: &str) -> Result<(), Box<Problem>> {
    let Some((at, found)) = text.char_indices().find(|(_, character)| !printable(*character)) else {
        return Ok(());
    };
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let line = before.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1;
    let within = before.get(line_start..).unwrap_or_default();
    let column = within.chars().filter(|character| *character != '\u{feff}').count() + 1;
    let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(found));
    Err(Problem::at(Mark { at, line, column }, message)
        .hint("write it as an escape in double quotes, or remove it"))
}
