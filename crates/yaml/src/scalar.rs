//! What a scalar means under YAML 1.1.
//!
//! The rules are those of PyYAML's `resolver.py` and `constructor.py` (`SafeLoader`), which differ
//! from the 1.1 specification: floats need a dot, exponents a sign, `y` and `n` are text, and
//! sexagesimal numbers start with 1 to 9. Dates stay text with a mark
//! ([`Value::Timestamp`]).

use crate::node::{Scalar, Style};

/// The meaning of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// `~`, `null` or nothing.
    Null,
    /// `yes`, `No`, `TRUE`, `off`…
    Bool(bool),
    /// `10`, `0644`, `0x1f`, `0b11`, `1_000`, `1:30`.
    Int(i128),
    /// An integer that is too large for [`Value::Int`].
    HugeInt,
    /// `1.5`, `.5`, `1.0e+3`, `.inf`, `1:30.5`.
    Float(f64),
    /// `2001-01-23`, `2001-12-14t21:59:43.10-05:00`: a day that there is.
    Timestamp,
    /// Base64 under the tag `!!binary`, not decoded.
    Binary,
    /// Anything else, and everything in quotes.
    Text,
}

const CORE: &str = "tag:yaml.org,2002:";

/// The meaning of `scalar` with the resolved tag `tag`.
///
/// # Errors
/// A sentence, for what PyYAML's safe loader refuses.
pub fn resolve(scalar: &Scalar, tag: Option<&str>) -> Result<Value, String> {
    let text = scalar.text.as_str();
    let tag = match tag {
        // The tag `!` says "not by its looks" in YAML 1.2, and "by its looks, whatever the quotes" in PyYAML.
        Some("!") => return implicit(text),
        None if scalar.style == Style::Plain => return implicit(text),
        None => return Ok(Value::Text),
        Some(tag) => tag,
    };
    let misfit = |what: &str| Err(format!("the tag says {what}, and the value is none"));
    match tag.strip_prefix(CORE) {
        Some("str") => Ok(Value::Text),
        Some("null") => Ok(Value::Null),
        Some("bool") => boolean(&text.to_ascii_lowercase())
            .map_or_else(|| misfit("boolean"), |value| Ok(Value::Bool(value))),
        Some("int") => tagged_integer(text).map_or_else(|| misfit("integer"), Ok),
        Some("float") => tagged_float(text).map_or_else(|| misfit("float"), Ok),
        Some("timestamp") => {
            if timestamp(text) {
                Ok(Value::Timestamp)
            } else {
                misfit("timestamp")
            }
        }
        Some("binary") => Ok(Value::Binary),
        _ => Err(format!("the tag `{tag}` is not known here")),
    }
}

/// What a plain scalar is by its looks: the tag that PyYAML's resolver gives it, whether or not its
/// constructor then takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nothing, `~`, `null`.
    Null,
    /// `yes`, `No`, `TRUE`, `off`…
    Bool,
    /// `10`, `0644`, `1:30`; `0x_` too.
    Int,
    /// `1.5`, `.inf`.
    Float,
    /// `2001-01-23`; `2001-13-99` too.
    Timestamp,
    /// `<<`.
    Merge,
    /// `=`.
    Value,
    /// Anything else.
    Text,
}

/// What a plain scalar is by its looks.
#[must_use]
pub fn looks(text: &str) -> Looks {
    if boolean(text).is_some_and(|_| cased(text)) {
        return Looks::Bool;
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Looks::Null,
        "<<" => Looks::Merge,
        "=" => Looks::Value,
        _ if looks_float(text) => Looks::Float,
        _ if looks_integer(text) => Looks::Int,
        _ if timestamp(text) => Looks::Timestamp,
        _ => Looks::Text,
    }
}

fn implicit(text: &str) -> Result<Value, String> {
    let number = || format!("`{text}` looks like a number and is none");
    match looks(text) {
        Looks::Null => Ok(Value::Null),
        Looks::Bool => Ok(boolean(text).map_or(Value::Text, Value::Bool)),
        Looks::Merge | Looks::Value => Err(format!("a plain `{text}` has no meaning here; put it in quotes")),
        Looks::Float => float(text).map(Value::Float).ok_or_else(number),
        Looks::Int => integer(text).ok_or_else(number),
        Looks::Timestamp if calendar(text) => Ok(Value::Timestamp),
        Looks::Timestamp => Err(format!("`{text}` looks like a date and is none")),
        Looks::Text => Ok(Value::Text),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// True for "word", "Word" and "WORD".
fn cased(text: &str) -> bool {
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let rest = text.get(1..).unwrap_or_default();
    lower(text) || lower(rest) || text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// `[0-9][0-9_]*`
fn digits(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && loose_digits(text)
}

/// `[0-9_]*`
fn loose_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// `(?::[0-5]?[0-9])+` cut at its colons.
fn sixties<'a>(mut parts: impl Iterator<Item = &'a str>) -> bool {
    let mut any = false;
    let fits = parts.all(|part| {
        any = true;
        match part.as_bytes() {
            [only] => only.is_ascii_digit(),
            [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
            _ => false,
        }
    });
    any && fits
}

fn looks_integer(text: &str) -> bool {
    let text = unsigned(text);
    if let Some(rest) = text.strip_prefix("0b") {
        return !rest.is_empty() && rest.bytes().all(|byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    if let Some(rest) = text.strip_prefix("0x") {
        return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if let Some(rest) = text.strip_prefix('0') {
        return rest.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    }
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    digits(first) && (!text.contains(':') || sixties(parts))
}

fn looks_float(text: &str) -> bool {
    let bare = unsigned(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, fraction)) = bare.split_once('.') else { return false };
    if whole.contains(':') {
        let mut parts = whole.split(':');
        return digits(parts.next().unwrap_or_default()) && sixties(parts) && loose_digits(fraction);
    }
    let (fraction, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => (&fraction[..at], Some(&fraction[at + 1..])),
        None => (fraction, None),
    };
    let exponent = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    });
    // Without a digit in front there may be no sign (PyYAML, not the specification).
    let head = if whole.is_empty() {
        text.starts_with('.') && digits(fraction)
    } else {
        digits(whole) && loose_digits(fraction)
    };
    head && exponent
}

/// `construct_yaml_int` on a text that the resolver took for an integer.
fn integer(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let negative = plain.starts_with('-');
    let plain = unsigned(&plain);
    let parse = |text: &str, radix: u32| -> Option<Value> {
        if text.is_empty() || !text.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        Some(i128::from_str_radix(text, radix).map_or(Value::HugeInt, Value::Int))
    };
    let value = if plain == "0" {
        Value::Int(0)
    } else if let Some(rest) = plain.strip_prefix("0b") {
        parse(rest, 2)?
    } else if let Some(rest) = plain.strip_prefix("0x") {
        parse(rest, 16)?
    } else if plain.starts_with('0') {
        parse(plain, 8)?
    } else if plain.contains(':') {
        let mut sum = Some(0_i128);
        for part in plain.split(':') {
            let part = match parse(part, 10)? {
                Value::Int(part) => Some(part),
                _ => None,
            };
            sum = sum.zip(part).and_then(|(sum, part)| sum.checked_mul(60)?.checked_add(part));
        }
        sum.map_or(Value::HugeInt, Value::Int)
    } else {
        parse(plain, 10)?
    };
    Some(match value {
        Value::Int(value) if negative => Value::Int(-value),
        other => other,
    })
}

/// `construct_yaml_float`.
fn float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    let sign = if plain.starts_with('-') { -1.0 } else { 1.0 };
    let plain = unsigned(&plain);
    let value = match plain {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(f64::NAN),
        _ if plain.contains(':') => {
            let mut sum = 0.0;
            for part in plain.split(':') {
                sum = sum * 60.0 + part.parse::<f64>().ok()?;
            }
            sum
        }
        _ => plain.parse().ok()?,
    };
    Some(sign * value)
}

fn tagged_integer(text: &str) -> Option<Value> {
    integer(text.trim())
}

fn tagged_float(text: &str) -> Option<Value> {
    let text = text.trim();
    let known = unsigned(text).starts_with(|first: char| first.is_ascii_digit() || first == '.');
    known.then(|| float(text)).flatten().map(Value::Float)
}

/// Whether a text of the shape of [`timestamp`] names a day that there is (Python's `datetime`:
/// years 1 to 9999), and a time.
fn calendar(text: &str) -> bool {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse::<u32>());
    let mut next = |default: u32| numbers.next().map_or(default, |number| number.unwrap_or(u32::MAX));
    let (year, month, day) = (next(0), next(0), next(0));
    let (hour, minute, second) = (next(0), next(0), next(0));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year >= 1 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
}

/// PyYAML's timestamp pattern.
fn timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize, least: usize, most: usize| -> Option<usize> {
        let count = bytes.get(from..)?.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        (count >= least).then_some(from + count)
    };
    let expect =
        |at: usize, wanted: &[u8]| bytes.get(at).filter(|byte| wanted.contains(byte)).map(|_| at + 1);
    let date = |least: usize| -> Option<usize> {
        let at = expect(number(0, 4, 4)?, b"-")?;
        let at = expect(number(at, least, 2)?, b"-")?;
        number(at, least, 2)
    };
    if date(2) == Some(bytes.len()) {
        return true;
    }
    let time = || -> Option<usize> {
        let mut at = date(1)?;
        if let Some(next) = expect(at, b"Tt") {
            at = next;
        } else {
            at = expect(at, b" \t")?;
            while let Some(next) = expect(at, b" \t") {
                at = next;
            }
        }
        at = expect(number(at, 1, 2)?, b":")?;
        at = expect(number(at, 2, 2)?, b":")?;
        at = number(at, 2, 2)?;
        if let Some(mut next) = expect(at, b".") {
            while bytes.get(next).is_some_and(u8::is_ascii_digit) {
                next += 1;
            }
            at = next;
        }
        let mut zone = at;
        while let Some(next) = expect(zone, b" \t") {
            zone = next;
        }
        if let Some(end) = expect(zone, b"Z") {
            return Some(end);
        }
        if let Some(next) = expect(zone, b"-+") {
            at = number(next, 1, 2)?;
            if let Some(minutes) = expect(at, b":") {
                at = number(minutes, 2, 2)?;
            }
        }
        Some(at)
    };
    time() == Some(bytes.len())
}
