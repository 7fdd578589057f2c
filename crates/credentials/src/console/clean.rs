//! From the bytes of a log to lines of printable ASCII.
//!
//! A block is 7-bit outside its QR codes, and the codes are drawn again from the JSON: whatever
//! is not ASCII is noise here and dropped, so that no encoding has to be guessed but UTF-16.
//! Escape sequences follow ECMA-48.

/// Longest operating-system command (window titles) that is skipped as one sequence.
const OSC_LIMIT: usize = 4096;
/// Blanks that one cursor movement may stand for.
const FORWARD_LIMIT: usize = 500;

/// Text of printable ASCII; lines end with `\n`.
pub(super) fn clean(log: &[u8]) -> String {
    let ascii = to_ascii(log);
    strip_controls(&ascii)
}

/// Keeps ASCII and translates the few others that stand for a character of a block.
fn to_ascii(log: &[u8]) -> Vec<u8> {
    let mut ascii = Vec::with_capacity(log.len());
    for chunk in log.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                // A no-break space, as web pages have; C1's CSI and "next line".
                '\u{a0}' => ascii.push(b' '),
                '\u{201c}' | '\u{201d}' => ascii.push(b'"'),
                '\u{9b}' => ascii.extend_from_slice(b"\x1b["),
                '\u{85}' | '\u{2028}' => ascii.push(b'\n'),
                '\0' => {}
                character if character.is_ascii() => ascii.push(character as u8),
                _ => {}
            }
        }
        for byte in chunk.invalid() {
            match byte {
                // The same in code page 1252.
                0xa0 => ascii.push(b' '),
                0x93 | 0x94 => ascii.push(b'"'),
                _ => {}
            }
        }
    }
    ascii
}

/// Undoes what a terminal would: line ends, escape sequences, other control characters.
fn strip_controls(ascii: &[u8]) -> String {
    let mut text = String::with_capacity(ascii.len());
    let mut at = 0;
    while let Some(&byte) = ascii.get(at) {
        at += 1;
        match byte {
            b'\n' => text.push('\n'),
            // A carriage return alone begins a line again; with a line feed it ends one.
            b'\r' if !matches!(ascii.get(at), Some(b'\n' | b'\r')) => text.push('\n'),
            b'\t' | 0x0b | 0x0c => text.push(' '),
            0x1b => at = escape(ascii, at, &mut text),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {}
        }
    }
    text
}

/// Skips the sequence behind an escape character and returns the offset behind it.
fn escape(ascii: &[u8], at: usize, text: &mut String) -> usize {
    match ascii.get(at) {
        Some(b'[') => control_sequence(ascii, at + 1, text),
        // OSC, DCS, SOS, PM, APC: a string up to BEL or ESC \ on the same line.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let window = ascii.get(at + 1..ascii.len().min(at + 1 + OSC_LIMIT)).unwrap_or_default();
            match window.iter().position(|byte| matches!(byte, 0x07 | 0x1b | b'\n')) {
                Some(end) => match window.get(end) {
                    Some(0x07) => at + end + 2,
                    Some(0x1b) if window.get(end + 1) == Some(&b'\\') => at + end + 3,
                    // Never finished: only its introducer goes.
                    _ => at + 1,
                },
                None => at + 1,
            }
        }
        // Intermediates, then one final character ("ESC ( B").
        Some(b' '..=b'/') => {
            let rest = ascii.get(at..).unwrap_or_default();
            let length = rest.iter().take(4).take_while(|byte| matches!(byte, b' '..=b'/')).count();
            match rest.get(length) {
                Some(b'0'..=b'~') => at + length + 1,
                _ => at + length,
            }
        }
        Some(b'0'..=b'~') => at + 1,
        _ => at,
    }
}

/// Parameters, intermediates, a final character. Movements that stand for blanks or lines do.
fn control_sequence(ascii: &[u8], start: usize, text: &mut String) -> usize {
    let rest = ascii.get(start..).unwrap_or_default();
    let parameters = rest.iter().take(64).take_while(|byte| matches!(byte, b'0'..=b'?')).count();
    let intermediates =
        rest.iter().skip(parameters).take(8).take_while(|byte| matches!(byte, b' '..=b'/')).count();
    let length = parameters + intermediates;
    match rest.get(length) {
        Some(b'C') => {
            let count =
                rest.get(..parameters).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            text.extend(std::iter::repeat_n(' ', count.unwrap_or(1).min(FORWARD_LIMIT)));
            start + length + 1
        }
        Some(b'H' | b'f' | b'E') => {
            text.push('\n');
            start + length + 1
        }
        Some(b'@'..=b'~') => start + length + 1,
        _ => start + length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_leave_no_trace() {
        for (given, wanted) in [
            (&b"a\r\nb\r\r\nc\rd"[..], "a\nb\nc\nd"),
            (b"\x1b[1;32m[  OK  ]\x1b[0m x", "[  OK  ] x"),
            (b"\x1b]0;title\x07x\x1b]0;title\x1b\\y", "xy"),
            (b"\x1b]0;never finished\nx", "0;never finished\nx"),
            (b"\x1b(B\x1b=\x1b>\x1b7x\x1b", "x"),
            (b"a\x1b[3Cb\x1b[Cc\x1b[2;1Hd", "a   b c\nd"),
            (b"a\x08\x00\xffb\xa0c\x93d\x94", "ab c\"d\""),
            ("a\u{a0}b\u{feff}\u{201c}c█\u{9b}1md".as_bytes(), "a b\"cd"),
            (b"\x1b[", ""),
            (b"\x1b[99999999999999999999Cx", " x"),
        ] {
            assert_eq!(clean(given), wanted, "{given:?}");
        }
    }
}
