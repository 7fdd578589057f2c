//! Transfer encodings: `Content-Transfer-Encoding` undone as `email/message.py`, `get_payload`,
//! does it. An encoding that it does not know is none.

use crate::{lenient_base64, python};

/// What is undone, and what needs nothing undone.
pub(crate) const KNOWN: [&str; 10] =
    ["", "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "uue", "x-uue"];

/// Whether base64 is whole: nothing but its alphabet and line breaks.
pub(crate) fn is_clean_base64(bytes: &[u8]) -> bool {
    let joined: Vec<u8> = python::byte_lines(bytes).flatten().copied().collect();
    crate::maybe_base64::strict(&joined).is_some()
}

/// The body `bytes` with `encoding`, which is in lower case, undone. Whatever is broken stays as it
/// is.
pub(crate) fn decode(bytes: Vec<u8>, encoding: &str) -> Vec<u8> {
    match encoding {
        "quoted-printable" => quoted_printable(&bytes),
        "base64" => base64(&bytes),
        "x-uuencode" | "uuencode" | "uue" | "x-uue" => uu(&bytes).unwrap_or(bytes),
        _ => bytes,
    }
}

/// Base64 with what is wrong in it mended as far as it goes (`email/_encoded_words.py`,
/// `decode_b`).
fn base64(bytes: &[u8]) -> Vec<u8> {
    let joined: Vec<u8> = python::byte_lines(bytes).flatten().copied().collect();
    let missing = (4 - joined.len() % 4) % 4;
    let padded = [joined.as_slice(), b"===".get(..missing).unwrap_or_default()].concat();
    if let Some(clean) = crate::maybe_base64::strict(&padded) {
        return clean;
    }
    let more = [joined.as_slice(), b"=="].concat();
    lenient_base64::decode(&joined).or_else(|_| lenient_base64::decode(&more)).unwrap_or(joined)
}

/// Quoted-printable (`binascii.a2b_qp`).
fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte != b'=' {
            out.push(*byte);
            continue;
        }
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => {}
            (Some(b'\n'), _) => at += 1,
            (Some(b'\r'), _) => {
                let rest = bytes.get(at..).unwrap_or_default();
                at += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            }
            (Some(b'='), _) => {
                out.push(b'=');
                at += 1;
            }
            (Some(high), Some(low)) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
                out.push(u8::try_from(value(*high) * 16 + value(*low)).unwrap_or_default());
                at += 2;
            }
            _ => out.push(b'='),
        }
    }
    out
}

/// Uuencode, from the line `begin 644 name` to the line `end`.
fn uu(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut lines = python::byte_lines(bytes);
    lines.find(|line| {
        line.strip_prefix(b"begin ").is_some_and(|rest| {
            let mode = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
            std::str::from_utf8(mode).is_ok_and(is_octal)
        })
    })?;
    let mut out = Vec::new();
    for line in lines {
        if line.is_empty() {
            return None;
        }
        let blanks = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xc);
        let start = line.iter().position(|byte| !blanks(byte)).unwrap_or(line.len());
        let end = line.iter().rposition(|byte| !blanks(byte)).map_or(start, |at| at + 1);
        if line.get(start..end) == Some(b"end") {
            break;
        }
        let decoded = uu_line(line).or_else(|| {
            // Some encoders write too long lines.
            let first = usize::from(line.first()?.wrapping_sub(b' ') & 63);
            uu_line(line.get(..(first * 4 + 5) / 3).unwrap_or(line))
        })?;
        out.extend(decoded);
    }
    Some(out)
}

/// `int(mode, base=8)` takes it.
fn is_octal(mode: &str) -> bool {
    let mode = python::strip(mode);
    let mode = mode.strip_prefix(['+', '-']).unwrap_or(mode);
    let mode = mode.strip_prefix("0o").or_else(|| mode.strip_prefix("0O")).unwrap_or(mode);
    let mode = mode.strip_prefix('_').unwrap_or(mode);
    !mode.is_empty()
        && mode
            .split('_')
            .all(|digits| !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7')))
}

/// One line (`binascii.a2b_uu`).
fn uu_line(line: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = line.split_first()?;
    let length = usize::from(first.wrapping_sub(b' ') & 63);
    let mut out = Vec::with_capacity(length);
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut at = 0;
    while out.len() < length {
        // Blanks at the end of a line get lost on the way.
        let six = match rest.get(at) {
            None | Some(b'\n' | b'\r') => 0,
            Some(byte @ b' '..=b'`') => u32::from(byte - b' ') & 63,
            Some(_) => return None,
        };
        at += 1;
        bits = bits << 6 | six;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).unwrap_or_default());
            bits &= (1 << held) - 1;
        }
    }
    let padding = rest.get(at..).unwrap_or_default();
    padding.iter().all(|byte| matches!(byte, b' ' | b'`' | b'\n' | b'\r')).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn encodings_and_what_is_broken_in_them() {
        for (encoding, text, wanted) in [
            ("base64", "aGVs\r\nbG8=\n", &b"hello"[..]),
            ("base64", "aGVsbG8", b"hello"),
            ("base64", "aGV!sbG8=", b"hello"),
            ("base64", "aGVsb", b"aGVsb"),
            ("quoted-printable", "a=3D=\nb=20=zz==c=", b"a=b =zz=c"),
            ("quoted-printable", "a=\r\nb=\rlost\nc", b"abc"),
            ("x-uuencode", "begin 644 x\n%:&5L;&\\\n`\nend\n", b"hello"),
            ("uue", "begin x\nnothing\n", b"begin x\nnothing\n"),
            ("7bit", "a=3D", b"a=3D"),
            ("base64 ", "aGk=", b"aGk="),
        ] {
            assert_eq!(decode(text.into(), encoding), wanted, "{encoding} {text:?}");
        }
    }
}
