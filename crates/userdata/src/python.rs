//! Python's ways with text, where the parts of user-data depend on them.

/// `str.isspace` of one character: Unicode's white space and four control characters.
#[must_use]
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip()`.
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `int(text)`, as far as it fits.
pub(crate) fn int(text: &str) -> Option<i128> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i128 = 0;
    let mut last = '_';
    for character in digits.chars() {
        if character == '_' {
            if last == '_' {
                return None;
            }
        } else {
            let digit = i128::from(character.to_digit(10)?);
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        last = character;
    }
    if last == '_' {
        return None;
    }
    Some(if negative { -value } else { value })
}

/// `str.splitlines()` with the ends kept off, each line with the byte that it starts at: more
/// characters than `\n` end a line.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let end = rest.find([
            '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
        ]);
        let Some(end) = end else {
            at = text.len();
            return Some((start, rest));
        };
        let (line, tail) = rest.split_at(end);
        let width = if tail.starts_with("\r\n") { 2 } else { tail.chars().next().map_or(1, char::len_utf8) };
        at = start + end + width;
        Some((start, line))
    })
}

/// `bytes.splitlines()` with the ends kept off.
pub(crate) fn byte_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            return Some(std::mem::take(&mut rest));
        };
        let (line, tail) = rest.split_at(at);
        let width = if tail.starts_with(b"\r\n") { 2 } else { 1 };
        rest = tail.get(width..).unwrap_or_default();
        Some(line)
    })
}

/// `text.encode('raw-unicode-escape')`: what becomes of text beyond ASCII in a message without a
/// transfer encoding. Up to U+00FF one byte each, beyond as `\u2192`.
pub(crate) fn raw_unicode_escape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        let code = u32::from(character);
        match u8::try_from(code) {
            Ok(byte) => bytes.push(byte),
            Err(_) if code <= 0xffff => bytes.extend(format!("\\u{code:04x}").bytes()),
            Err(_) => bytes.extend(format!("\\U{code:08x}").bytes()),
        }
    }
    bytes
}

/// How many bytes [`raw_unicode_escape`] makes of `text`.
pub(crate) fn escaped_length(text: &str) -> usize {
    let length = |character| match u32::from(character) {
        0..=0xff => 1,
        0x100..=0xffff => 6,
        _ => 10,
    };
    text.chars().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::{byte_lines, int, lines, raw_unicode_escape};

    #[test]
    fn integers_as_python_reads_them() {
        for (text, wanted) in [
            ("3", Some(3)),
            (" 3\n", Some(3)),
            ("+1_000", Some(1000)),
            ("-0", Some(0)),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("", None),
            ("0x3", None),
            ("1.0", None),
        ] {
            assert_eq!(int(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        let found: Vec<_> = lines("a\r\nb\rc\u{b}d\n\n\u{85}e").collect();
        assert_eq!(found, [(0, "a"), (3, "b"), (5, "c"), (7, "d"), (9, ""), (10, ""), (12, "e")]);
        assert_eq!(lines("a\n").collect::<Vec<_>>(), [(0, "a")]);
        assert_eq!(byte_lines(b"a\x0bb\r\n\rc").collect::<Vec<_>>(), [&b"a\x0bb"[..], b"", b"c"]);
    }

    #[test]
    fn what_is_not_ascii_is_mangled() {
        let text = "a\u{e9}\u{2192}\u{1f600}";
        assert_eq!(raw_unicode_escape(text), b"a\xe9\\u2192\\U0001f600");
        assert_eq!(super::escaped_length(text), raw_unicode_escape(text).len());
    }
}
