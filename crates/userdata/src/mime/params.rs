//! Parameters of headers: `text/plain; charset="utf-8"; name*=utf-8''%C3%A4.sh`
//! (`email/message.py`, `_parseparam`, `_formatparam`; `email/utils.py`, `decode_params`,
//! `collapse_rfc2231_value`).

use std::fmt::Write as _;

use thiserror::Error;

use crate::python;

/// `name*=` and `name*0=` beside each other, over which Python's package fails altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the parameter is given both whole and in pieces")]
pub(crate) struct Mixed;

/// The value of a parameter, quotes undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// As written.
    Plain(String),
    /// By RFC 2231: character set, if one was given, and bytes as characters.
    Extended(Option<String>, String),
}

impl Param {
    /// The text that it stands for.
    pub(crate) fn collapse(&self) -> String {
        match self {
            // It was unquoted once already.
            Self::Plain(text) => unquote(text).into_owned(),
            Self::Extended(charset, text) => {
                let bytes = python::raw_unicode_escape(text);
                let charset =
                    charset.as_deref().unwrap_or("us-ascii").to_lowercase().replace(['-', ' '], "_");
                match charset.as_str() {
                    "utf_8" | "utf8" | "u8" | "utf" | "cp65001" => {
                        String::from_utf8_lossy(&bytes).into_owned()
                    }
                    "us_ascii" | "ascii" | "646" | "us" | "ansi_x3.4_1968" | "iso646_us" => bytes
                        .iter()
                        .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
                        .collect(),
                    "iso_8859_1" | "iso8859_1" | "latin_1" | "latin1" | "latin" | "l1" | "8859" | "cp819" => {
                        bytes.iter().copied().map(char::from).collect()
                    }
                    _ => unquote(text).into_owned(),
                }
            }
        }
    }
}

/// The parameter `wanted` of the header value `value`.
pub(crate) fn get(value: &str, wanted: &str) -> Result<Option<Param>, Mixed> {
    let mut found = None;
    let mut pieces: Vec<(String, Vec<Piece>)> = Vec::new();
    for (index, param) in split(value).into_iter().enumerate() {
        let (name, text) = match param.split_once('=') {
            Some((name, text)) => (python::strip(name).to_owned(), python::strip(text)),
            None => (python::strip(&param).to_owned(), ""),
        };
        // The first one is the type itself and keeps what it has.
        if index > 0
            && let Some((whole, number)) = continuation(&name)
        {
            let text = unquote(text).into_owned();
            let piece = Piece { number, text, encoded: name.ends_with('*') };
            match pieces.iter_mut().find(|(known, _)| *known == whole) {
                Some((_, known)) => known.push(piece),
                None => pieces.push((whole, vec![piece])),
            }
        } else if found.is_none() && name.to_lowercase() == wanted {
            let text = if index > 0 { unquote(text).into_owned() } else { text.to_owned() };
            // Quoted and unquoted once more on the way, which only matters for the first one.
            found = Some(Param::Plain(if index > 0 { text } else { unquote(&text).into_owned() }));
        }
    }
    // All of them are put together, wanted or not, and each may fail.
    for (name, known) in pieces {
        let param = join(known)?;
        if found.is_none() && name.to_lowercase() == wanted {
            found = Some(param);
        }
    }
    Ok(found)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    number: Option<u128>,
    text: String,
    encoded: bool,
}

fn join(mut pieces: Vec<Piece>) -> Result<Param, Mixed> {
    let whole = pieces.iter().filter(|piece| piece.number.is_none()).count();
    if whole > 0 && whole < pieces.len() {
        return Err(Mixed);
    }
    pieces.sort();
    let extended = pieces.iter().any(|piece| piece.encoded);
    let mut value = String::new();
    for piece in &pieces {
        if piece.encoded {
            value.push_str(&percent(&piece.text));
        } else {
            value.push_str(&piece.text);
        }
    }
    if !extended {
        return Ok(Param::Plain(value));
    }
    let value = quote(&value);
    let mut ticks = value.splitn(3, '\'');
    let (charset, language, text) = (ticks.next(), ticks.next(), ticks.next());
    let (charset, text) = match (language, text) {
        (Some(_), Some(text)) => (charset.map(str::to_owned), text),
        _ => (None, value.as_str()),
    };
    Ok(Param::Extended(charset, unquote(&format!("\"{text}\"")).into_owned()))
}

/// `name*` and `name*12`, with or without a `*` behind.
fn continuation(name: &str) -> Option<(String, Option<u128>)> {
    let (whole, number) = name.split_once('*')?;
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    if number.is_empty() {
        return Some((whole.to_owned(), None));
    }
    let digits = number.strip_suffix('*').unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((whole.to_owned(), Some(digits.parse().unwrap_or(u128::MAX))))
}

/// The parameters, the type itself first. A `;` within quotes does not part them.
fn split(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut odd = false;
    let mut before = '\0';
    let mut push = |text: &str| {
        found.push(match text.split_once('=') {
            Some((name, value)) => {
                python::strip(&format!("{}={}", python::strip(name).to_lowercase(), python::strip(value)))
                    .to_owned()
            }
            None => python::strip(text).to_owned(),
        });
    };
    for (at, character) in value.char_indices() {
        match character {
            '"' if before != '\\' => odd = !odd,
            ';' if !odd => {
                push(value.get(start..at).unwrap_or_default());
                start = at + 1;
                odd = false;
                before = '\0';
                continue;
            }
            _ => {}
        }
        before = character;
    }
    push(value.get(start..).unwrap_or_default());
    found
}

fn unquote(text: &str) -> std::borrow::Cow<'_, str> {
    let inner = |open, close| {
        (text.chars().nth(1).is_some()).then(|| text.strip_prefix(open)?.strip_suffix(close)).flatten()
    };
    if let Some(inner) = inner('"', '"') {
        return inner.replace("\\\\", "\\").replace("\\\"", "\"").into();
    }
    inner('<', '>').unwrap_or(text).into()
}

fn quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// `%41` undone; each byte one character.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let code = rest.get(1..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                out.push('%');
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// `name="value"`, or by RFC 2231 when the value is not ASCII.
pub(crate) fn format(name: &str, value: &str) -> String {
    if value.is_empty() {
        return name.to_owned();
    }
    if value.is_ascii() {
        return format!("{name}=\"{}\"", quote(value));
    }
    let mut out = format!("{name}*=utf-8''");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Mixed, format, get};

    fn text(value: &str, name: &str) -> Option<String> {
        get(value, name).unwrap().map(|param| param.collapse())
    }

    #[test]
    fn values_with_quotes_folds_and_pieces() {
        for (value, wanted) in [
            ("attachment; filename=a.sh", Some("a.sh")),
            ("attachment;\n\tFILENAME = \"a;b.sh\" ; x", Some("a;b.sh")),
            ("attachment; filename=\"a\\\"b\"", Some("a\"b")),
            ("attachment; filename*=utf-8''%C3%A4%2", Some("\u{e4}%2")),
            ("attachment; filename*=%C3%A4", Some("\u{fffd}\u{fffd}")),
            ("attachment; filename*1=b; filename*0=a", Some("ab")),
            ("attachment; filename*1*=%20b; filename*0*=latin-1'x'a%e9", Some("a\u{e9} b")),
            ("attachment; filename*0=a; filename=b", Some("b")),
            ("attachment; filename", Some("")),
            ("attachment; filename=<a>", Some("a")),
            ("attachment; filename=\"", Some("\"")),
            ("attachment", None),
        ] {
            assert_eq!(text(value, "filename").as_deref(), wanted, "{value}");
        }
        assert_eq!(get("a; filename*=x; filename*0=y", "filename"), Err(Mixed));
    }

    #[test]
    fn what_is_written_is_read() {
        for name in ["a", "a b", "a\"b", "a\\b", "\u{e4}\u{2192}", "a;b=c", "a'b\u{e4}"] {
            let value = format!("attachment; {}", format("filename", name));
            assert_eq!(text(&value, "filename").as_deref(), Some(name));
        }
    }
}
