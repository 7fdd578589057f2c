//! `content` and `encoding` of a file (`cc_write_files.py`, `canonicalize_extraction`,
//! `extract_contents`).

use hardtack_userdata::gunzip::gunzip;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Kind, Value, lenient_base64, limits};

use crate::pytext::strip;
use crate::reading::{UNUSABLE, described};

/// How content is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it stands.
    Plain,
    /// base64.
    Base64,
    /// gzip, which only `!!binary` can hold.
    Gzip,
    /// gzip, then base64.
    GzipBase64,
    /// A word that nobody knows: taken as it stands.
    Unknown,
}

/// The meaning of `encoding`.
///
/// # Errors
/// When it is no text.
pub fn encoding(value: Option<&Value>) -> Result<Encoding, Finding> {
    let Some(value) = value.filter(|value| truthy(value)) else { return Ok(Encoding::Plain) };
    let Some(text) = value.as_text() else {
        let message = format!("the encoding is {}, not text", described(value));
        return Err(Finding::error(UNUSABLE, value.place, message)
            .with_hint("known are text/plain, b64, gzip and gz+b64"));
    };
    Ok(match strip(&text.to_lowercase()) {
        "gz" | "gzip" => Encoding::Gzip,
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => Encoding::GzipBase64,
        "b64" | "base64" => Encoding::Base64,
        "text/plain" | "" => Encoding::Plain,
        _ => Encoding::Unknown,
    })
}

/// The bytes that are written.
///
/// # Errors
/// What keeps this file, and those behind it, from being written.
pub fn decode(value: &Value, encoding: Encoding) -> Result<Vec<u8>, Finding> {
    let error = |code, message: String| Finding::error(code, value.place, message);
    let raw = match &value.kind {
        Kind::Text(text) => text.as_bytes(),
        Kind::Bytes(bytes) => bytes,
        _ => {
            let message = format!("the content is {}, not text", described(value));
            return Err(error(UNUSABLE, message).with_hint("put it in quotes, or behind `|`"));
        }
    };
    let base64 = || {
        if matches!(value.kind, Kind::Text(_)) && !raw.is_ascii() {
            return Err(error(
                "content-not-base64",
                "the content is not base64: it has characters beyond ASCII".to_owned(),
            ));
        }
        lenient_base64::decode(raw).map_err(|reason| {
            error("content-not-base64", format!("the content is not base64: {reason}"))
                .with_hint("this file and those behind it are not written")
        })
    };
    let gzip = |bytes: &[u8]| {
        gunzip(bytes, limits::UNPACKED).map_err(|reason| {
            error("content-not-gzip", format!("the content is not gzip: {reason}"))
                .with_hint("gzip in YAML needs base64 too: `encoding: gz+b64`")
        })
    };
    match encoding {
        Encoding::Plain | Encoding::Unknown => Ok(raw.to_vec()),
        Encoding::Base64 => base64(),
        Encoding::Gzip => gzip(raw),
        Encoding::GzipBase64 => gzip(&base64()?),
    }
}
