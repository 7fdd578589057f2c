//! Scalars as coreos-cloudinit's YAML library reads them: not as PyYAML does (`coreos/yaml`, an early
//! go-yaml: `resolve.go`, and `scalar` of `decode.go`).
//!
//! Against PyYAML: `y` and `n` are booleans, there are no dates and no sexagesimals, `1e3` and `+inf`
//! are numbers, `0o17` is one too, and text that a string is wanted for stays as it was written.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hardtack_yaml::{Node, Style};

/// What a scalar is when nobody asks for a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Vec<u8>),
}

/// A scalar with what a string option takes of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    /// What it is.
    pub scalar: Scalar,
    /// Its text as written, or what `!!binary` holds.
    pub text: Vec<u8>,
}

const PREFIX: &str = "tag:yaml.org,2002:";

/// `base64.StdEncoding` of Go: padding wanted, line ends skipped, stray bits at the end taken.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 as Go does.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    BASE64.decode(text).ok()
}

/// What the scalar `node` is; `None` for a node that is none.
///
/// # Errors
/// The library's complaint, when the text does not fit the tag.
pub(crate) fn resolve(node: &Node) -> Result<Option<Resolved>, String> {
    let Some(scalar) = node.as_scalar() else { return Ok(None) };
    let raw = scalar.text.as_str();
    let text = raw.as_bytes().to_vec();
    let short = match node.tag.as_deref() {
        None if scalar.style != Style::Plain => "str",
        None => "",
        Some(tag) => match tag.strip_prefix(PREFIX) {
            Some(short) => short,
            // A tag of somebody's own: text.
            None => return Ok(Some(Resolved { scalar: Scalar::Text(text.clone()), text })),
        },
    };
    let scalar = match short {
        "str" => Scalar::Text(text.clone()),
        "binary" => {
            let bytes = base64(raw.as_bytes())
                .ok_or_else(|| "!!binary value contains invalid base64 data".to_owned())?;
            return Ok(Some(Resolved { scalar: Scalar::Text(bytes.clone()), text: bytes }));
        }
        "" => implicit(raw),
        "bool" | "int" | "float" | "null" => {
            let found = implicit(raw);
            let kind = match found {
                Scalar::Null => "null",
                Scalar::Bool(_) => "bool",
                Scalar::Int(_) => "int",
                Scalar::Float(_) => "float",
                Scalar::Text(_) => "str",
            };
            if kind != short {
                return Err(format!("cannot decode !!{kind} `{raw}` as a !!{short}"));
            }
            found
        }
        _ => Scalar::Text(text.clone()),
    };
    Ok(Some(Resolved { scalar, text }))
}

/// What a plain scalar without a tag is.
fn implicit(text: &str) -> Scalar {
    let as_text = || Scalar::Text(text.as_bytes().to_vec());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.bytes().next() {
        Some(b'.') => float(text).map_or_else(as_text, Scalar::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let plain = text.replace('_', "");
            int(&plain).map(Scalar::Int).or_else(|| float(&plain).map(Scalar::Float)).unwrap_or_else(as_text)
        }
        _ => as_text(),
    }
}

/// `strconv.ParseInt(text, 0, 64)` without underscores.
fn int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // No second sign.
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { value.checked_neg()? } else { value }).ok()
}

/// `strconv.ParseFloat(text, 64)`, hexadecimal ones apart.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = unsigned.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    let infinite = unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity");
    if !number && !infinite {
        return None;
    }
    // Go refuses what is too large, Rust makes it infinite.
    text.parse::<f64>().ok().filter(|value| infinite || value.is_finite())
}

/// A float as Go's `%v` writes it.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let written = format!("{value:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_go_yaml_makes_of_them() {
        let text = |text: &str| Scalar::Text(text.as_bytes().to_vec());
        for (written, meant) in [
            ("y", Scalar::Bool(true)),
            ("off", Scalar::Bool(false)),
            ("oFF", text("oFF")),
            ("0744", Scalar::Int(0o744)),
            ("0o17", Scalar::Int(15)),
            ("-0x_1f", Scalar::Int(-31)),
            ("1:30", text("1:30")),
            ("2001-01-01", text("2001-01-01")),
            ("089", Scalar::Float(89.0)),
            ("1e3", Scalar::Float(1000.0)),
            ("+Inf", Scalar::Float(f64::INFINITY)),
            ("9223372036854775807", Scalar::Int(i64::MAX)),
            ("9223372036854775808", Scalar::Float(9_223_372_036_854_775_808.0)),
            ("--1", text("--1")),
            ("0x-1", text("0x-1")),
            ("1e999", text("1e999")),
            (".5", Scalar::Float(0.5)),
            (".", text(".")),
            ("~", Scalar::Null),
        ] {
            assert_eq!(implicit(written), meant, "{written}");
        }
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, written) in [
            (0.5, "0.5"),
            (1000.0, "1000"),
            (999_999.0, "999999"),
            (1_234_567.0, "1.234567e+06"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-07"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(float_text(value), written);
        }
    }

    #[test]
    fn base64_is_gos() {
        assert_eq!(base64(b"aGVs\nbG8=\r\n").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64(b"aGVsbG9="), Some(b"hello".to_vec()));
        assert_eq!(base64(b"aGVsbG8"), None);
        assert_eq!(base64(b"aGVs bG8="), None);
        assert_eq!(base64(b""), Some(Vec::new()));
    }
}
