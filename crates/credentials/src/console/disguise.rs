//! Whole-log disguises: what a log may be wrapped in before it is text.
//!
//! Tried one after the other until a block verifies; each is tried only where the bytes show it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LOG_LIMIT;
use crate::block::BEGIN;

/// Makes one form, when the log shows it.
type Maker<'a> = Box<dyn Fn() -> Option<Vec<u8>> + 'a>;

/// The forms to try, the log as it is (or decoded from UTF-16) first.
pub(super) fn attempts(log: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let zeros = log.iter().filter(|byte| **byte == 0).count();
    // ASCII in UTF-16 has a zero in every second byte; QR codes and noise have fewer.
    let wide = log.starts_with(&[0xff, 0xfe]) || log.starts_with(&[0xfe, 0xff]) || zeros > log.len() / 4;
    let narrow = move || if wide { utf16(log) } else { log.to_vec() };
    // The rarer forms leave the marker's middle word as it is: without it 64 MiB are not read again.
    let marked = move || Some(narrow()).filter(|text| has_marker(text));
    let makers: [Maker<'_>; 6] = [
        Box::new(move || Some(narrow())),
        // An odd byte lost in between: without its zeros UTF-16 is ASCII in any alignment.
        Box::new(move || {
            let without = || log.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>();
            (zeros > 0).then(without).filter(|text| has_marker(text))
        }),
        Box::new(move || visible_escapes(&marked()?)),
        Box::new(move || tags(&marked()?)),
        Box::new(move || json_escapes(&marked()?)),
        Box::new(move || base64(log)),
    ];
    makers.into_iter().filter_map(|make| make())
}

/// Whether a marker line or the JSON may be in the text.
pub(super) fn has_marker(text: &[u8]) -> bool {
    const WORD: &[u8] = b"HARDTACK";
    text.windows(WORD.len())
        .any(|window| matches!(window.first(), Some(b'H' | b'h')) && window.eq_ignore_ascii_case(WORD))
}

/// UTF-16 to UTF-8; the byte order from the mark, else from where the zeros are.
fn utf16(log: &[u8]) -> Vec<u8> {
    let even = log.iter().step_by(2).filter(|byte| **byte == 0).count();
    let odd = log.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
    let big = log.starts_with(&[0xfe, 0xff]) || (!log.starts_with(&[0xff, 0xfe]) && even > odd);
    let units = log.chunks_exact(2).map(|pair| match pair {
        [first, second] if big => u16::from_be_bytes([*first, *second]),
        [first, second] => u16::from_le_bytes([*first, *second]),
        _ => 0,
    });
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect::<String>()
        .into_bytes()
}

/// Escape characters that a program made visible: `^[`, `#033`, `\x1b`, `\033`, `\e`, `ESC`; and `^M`.
fn visible_escapes(log: &[u8]) -> Option<Vec<u8>> {
    const FORMS: [(&[u8], &[u8]); 9] = [
        (b"^[[", b"\x1b["),
        (b"ESC[", b"\x1b["),
        (b"#033[", b"\x1b["),
        (b"\\x1b[", b"\x1b["),
        (b"\\x1B[", b"\x1b["),
        (b"\\033[", b"\x1b["),
        (b"\\e[", b"\x1b["),
        (b"^M", b""),
        (b"#015", b""),
    ];
    replace(log, &FORMS)
}

/// A saved web page: tags that end lines do, others go. Entities are undone later.
fn tags(log: &[u8]) -> Option<Vec<u8>> {
    const TAG_LIMIT: usize = 1000;
    let mut text = Vec::with_capacity(log.len());
    let (mut at, mut seen) = (0, false);
    while let Some(byte) = log.get(at) {
        let rest = log.get(at + 1..).unwrap_or_default();
        let opens = *byte == b'<' && matches!(rest.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'!'));
        // Stopping at the next `<` keeps this linear.
        let stop = |byte: &u8| matches!(byte, b'<' | b'>');
        let end = if opens { rest.iter().take(TAG_LIMIT).position(stop) } else { None };
        let Some(end) = end.filter(|end| rest.get(*end) == Some(&b'>')) else {
            text.push(*byte);
            at += 1;
            continue;
        };
        seen = true;
        let name: Vec<u8> =
            rest.iter().take(end).take_while(|byte| **byte != b' ').map(u8::to_ascii_lowercase).collect();
        if matches!(name.as_slice(), b"br" | b"br/" | b"/div" | b"/p" | b"/li" | b"/tr" | b"/pre" | b"pre") {
            text.push(b'\n');
        } else if matches!(name.as_slice(), b"td" | b"th") {
            // The next column of a table.
            text.push(b' ');
        }
        at += end + 2;
    }
    seen.then_some(text)
}

/// A cloud's JSON answer: the log is one string, its line ends are `\r\n` in letters.
fn json_escapes(log: &[u8]) -> Option<Vec<u8>> {
    let marker = BEGIN.as_bytes();
    let follows = |at: usize| log.get(at + marker.len()) == Some(&b'\\');
    log.windows(marker.len()).enumerate().find(|(at, window)| *window == marker && follows(*at))?;
    let mut text = Vec::with_capacity(log.len());
    let mut at = 0;
    while let Some(byte) = log.get(at) {
        at += 1;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        match log.get(at) {
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(b'u') => {
                let digits = log.get(at + 1..at + 5).and_then(|digits| std::str::from_utf8(digits).ok());
                let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                // Halves of surrogate pairs are not ASCII and would be dropped anyway.
                if let Some(character) = unit.and_then(char::from_u32) {
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                at += if unit.is_some() { 4 } else { 0 };
            }
            Some(other) => text.push(*other),
            None => {}
        }
        at += 1;
    }
    Some(text)
}

/// The EC2 API's own form.
fn base64(log: &[u8]) -> Option<Vec<u8>> {
    let packed: Vec<u8> = log.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if packed.len() < 64 || packed.len() > LOG_LIMIT || !packed.iter().all(letters) {
        return None;
    }
    STANDARD.decode(packed).ok()
}

/// Replaces every occurrence of the forms; `None` when there is none.
fn replace(log: &[u8], forms: &[(&[u8], &[u8])]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(log.len());
    let (mut at, mut seen) = (0, false);
    while let Some(byte) = log.get(at) {
        let rest = log.get(at..).unwrap_or_default();
        if let Some((form, with)) = forms.iter().find(|(form, _)| rest.starts_with(form)) {
            text.extend_from_slice(with);
            at += form.len();
            seen = true;
        } else {
            text.push(*byte);
            at += 1;
        }
    }
    seen.then_some(text)
}
