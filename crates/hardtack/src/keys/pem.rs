//! The envelope of a key file: RFC 7468's lines, and RFC 1421's headers.
//!
//! Lenient where writers differ and nothing is at stake: any text before the first line, lines of
//! any length, blanks, CR LF, a byte order mark, UTF-16 (what PowerShell's `>` makes of a `.pem`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Unusable;

/// What stands between the two marker lines.
pub(crate) struct Pem {
    /// "RSA PRIVATE KEY".
    pub(crate) label: String,
    /// "Proc-Type", "4,ENCRYPTED".
    pub(crate) headers: Vec<(String, String)>,
    /// The bytes.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Pem {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The file as text; `None` when it is none.
pub(crate) fn text(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Zeroizing<Vec<u16>> =
            Zeroizing::new(bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit).collect());
        String::from_utf16(&units).ok()
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok()?.to_owned(),
        // Comments may be in any encoding; a key is ASCII.
        _ if bytes.contains(&0) => return None,
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    Some(Zeroizing::new(text))
}

/// The first envelope whose label `wanted` accepts; `None` when there is none.
pub(crate) fn find(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Option<Pem>, Unusable> {
    let mut lines = text.lines().map(str::trim);
    let label = |line: &str, word: &str| {
        line.strip_prefix("-----")?
            .strip_prefix(word)?
            .strip_suffix("-----")
            .map(|label| label.trim().to_owned())
    };
    let Some(label_found) =
        lines.by_ref().find_map(|line| label(line, "BEGIN ").filter(|label| wanted(label)))
    else {
        return Ok(None);
    };
    let cut = || {
        Unusable::new(
            format!("cut off: the line -----END {label_found}----- is missing"),
            "copy the file again, with its last line",
        )
    };
    let (mut headers, mut code) = (Vec::new(), Zeroizing::new(String::with_capacity(text.len())));
    let mut in_headers = true;
    loop {
        let line = lines.next().ok_or_else(cut)?;
        if line.starts_with("-----") {
            if label(line, "END ").is_none_or(|end| end != label_found) {
                return Err(cut());
            }
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if in_headers => {
                headers.push((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ if line.is_empty() => {}
            _ => {
                in_headers = false;
                code.extend(line.chars().filter(|character| !character.is_whitespace()));
            }
        }
    }
    let body = STANDARD.decode(code.as_bytes()).map_err(|_| {
        Unusable::new(
            format!("between the lines of {label_found} stands something that is not base64"),
            "copy the file again, as it is",
        )
    })?;
    Ok(Some(Pem { label: label_found, headers, body: Zeroizing::new(body) }))
}
