//! The content of `write_files` and its encoding (`cloudinit/config/cc_write_files.py`,
//! `canonicalize_extraction`, `extract_contents`).

use super::{Report, shown, trap};
use crate::gunzip::{self, gunzip};
use crate::value::{Kind, Value};
use crate::{lenient_base64, limits};

/// Looks at one file. `budget` is what it and those behind it may unpack to.
pub(super) fn look(file: &Value, path: &str, budget: &mut usize, report: &mut Report<'_>) {
    let Some(content) = file.get("content") else { return };
    let encoding = file.get("encoding").and_then(Value::as_text).unwrap_or_default();
    let encoding = crate::python::strip(encoding).to_lowercase();
    let (base64, gzip) = match encoding.as_str() {
        "gz" | "gzip" => (false, true),
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => (true, true),
        "b64" | "base64" => (true, false),
        "" | "text/plain" => return,
        _ => {
            if let Some(value) = file.get("encoding") {
                report.tell(trap(
                    "unknown-encoding",
                    value.place,
                    format!("{path}.encoding"),
                    format!(
                        "{} is no encoding: the content would be written as it stands, not decoded",
                        shown(&encoding)
                    ),
                    "known are b64, gz and gz+b64 (spelled base64 and gzip, too)",
                ));
            }
            return;
        }
    };
    let path = format!("{path}.content");
    let raw = match &content.kind {
        Kind::Text(text) => text.as_bytes(),
        Kind::Bytes(bytes) => bytes.as_slice(),
        _ => return,
    };
    let fails = "the module stops here, and no later file is written";
    let decoded;
    let bytes = if base64 {
        let strange = raw.iter().find(|byte| !is_base64(**byte));
        match lenient_base64::decode(raw) {
            Err(error) => {
                report.tell(trap(
                    "content-not-base64",
                    content.place,
                    path,
                    format!("the content is not base64 ({error}): {fails}"),
                    format!("make it with `base64 -w0 FILE`, or leave out `encoding: {encoding}`"),
                ));
                return;
            }
            Ok(_) if strange.is_some() => {
                report.tell(trap(
                    "content-not-base64",
                    content.place,
                    path,
                    "the content holds characters that are not base64; they are skipped without a word",
                    format!("make it with `base64 -w0 FILE`, or leave out `encoding: {encoding}`"),
                ));
                return;
            }
            Ok(bytes) => {
                decoded = bytes;
                decoded.as_slice()
            }
        }
    } else {
        raw
    };
    if !gzip {
        return;
    }
    let problem = match gunzip(bytes, *budget) {
        Ok(unpacked) => {
            *budget = budget.saturating_sub(unpacked.len());
            return;
        }
        Err(gunzip::Error::TooLarge(_)) => {
            *budget = 0;
            return;
        }
        Err(problem) => {
            if problem != gunzip::Error::NotGzip {
                *budget = budget.saturating_sub(limits::UNPACKED / 8);
            }
            problem
        }
    };
    let hint = if base64 {
        "make it with `gzip -c FILE | base64 -w0`"
    } else {
        "text cannot be gzip: say `encoding: gz+b64` and make it with `gzip -c FILE | base64 -w0`"
    };
    report.tell(trap(
        "content-not-gzip",
        content.place,
        path,
        format!("the content is not gzip ({problem}): {fails}"),
        hint,
    ));
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=".contains(&byte)
}
