//! A part's bytes as text.
//!
//! cloud-init decodes bytes that are no UTF-8 to surrogates (`cloudinit/util.py`,
//! `fully_decoded_payload`), which PyYAML then refuses wherever they stand, comments included.

use hardtack_yaml::Span;

use crate::finding::{Finding, Place};

/// Code of bytes that are no UTF-8.
pub const CODE: &str = "not-utf8";

/// `bytes`, which are the part `part`, as text.
///
/// # Errors
/// The place of the first byte that is not UTF-8.
#[allow(clippy::result_large_err)] // Once a part.
pub fn text(bytes: &[u8], part: usize) -> Result<&str, Finding> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let before = bytes.get(..at).map(String::from_utf8_lossy).unwrap_or_default();
        let last = before.rsplit('\n').next().unwrap_or_default();
        let span = Span {
            start: at,
            end: at.saturating_add(1),
            line: before.matches('\n').count().saturating_add(1),
            column: last.chars().count().saturating_add(1),
        };
        let byte = bytes.get(at).copied().unwrap_or_default();
        let message = format!("the byte 0x{byte:02x} is not UTF-8: cloud-init ignores the whole part");
        let hint = "save the file as UTF-8, or write binary content as base64 (`encoding: b64`)";
        Finding::error(CODE, Place { part, span }, message).with_hint(hint)
    })
}

/// `bytes` for pictures of their lines: whatever is no UTF-8 is a `?` each, so that places stay. Nothing
/// for what is no text at all.
#[must_use]
pub fn readable(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    if bytes.iter().any(control) {
        return None;
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    Some(text)
}
