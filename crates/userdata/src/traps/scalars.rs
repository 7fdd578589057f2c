//! Words and numbers that YAML 1.1 reads as something else (`yaml/resolver.py`): MAC addresses and
//! times are numbers to the base 60, a leading zero means octal, `no` is a boolean.

use super::walk::{self, What};
use super::{Report, Verdict, trap};
use crate::value::{Key, Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    walk::each(config, &mut |spot| match spot.what {
        What::Key(key) => name(key, spot.path, report),
        What::Scalar(value) if matches!(value.kind, Kind::Text(_)) || report.is_told(value.place) => {}
        // The schema has words that do not show it.
        What::Scalar(_) if spot.is_secret || spot.top == "chpasswd" => {}
        What::Scalar(value) => scalar(value, spot.path, report),
    });
}

fn scalar(value: &Value, path: &str, report: &mut Report<'_>) {
    let verdict = report.verdict(value.place);
    if verdict == Verdict::Refused {
        return;
    }
    let wants_text = verdict == Verdict::WantsText;
    let source = report.source(value.place);
    let number = value.to_python_str();
    let quoted = format!("put it in quotes: \"{source}\"");
    let (code, message, hint) = match &value.kind {
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) if is_sexagesimal(source) => {
            let what = if is_mac(source) { "a MAC address without quotes" } else { "read to the base 60" };
            ("sexagesimal", format!("`{source}` is {what}: YAML makes the number {number} of it"), quoted)
        }
        Kind::Int(_) if is_octal(source) => {
            let message =
                format!("`{source}` is octal for its leading zero: YAML makes the number {number} of it");
            let hint = if wants_text {
                quoted
            } else {
                format!("write `{number}` if that is meant, or put it in quotes")
            };
            ("octal", message, hint)
        }
        Kind::Float(_) if is_plain_decimal(source) && wants_text => {
            ("number-for-text", reads(path, source, &format!("the number {number}")), quoted)
        }
        Kind::Float(_) if is_plain_decimal(source) && number != source.trim_start_matches('+') => {
            ("digits-lost", format!("`{source}` is read as a number and becomes {number}"), quoted)
        }
        Kind::Bool(truth) if is_word(source) && wants_text => {
            ("boolean-for-text", reads(path, source, &format!("the boolean {truth}")), quoted)
        }
        Kind::Date(_) | Kind::DateTime(_) if wants_text => {
            ("date-for-text", reads(path, source, "a date"), quoted)
        }
        _ => return,
    };
    report.tell(trap(code, value.place, path, message, hint));
}

fn reads(path: &str, source: &str, what: &str) -> String {
    format!("`{path}` is `{source}`, which YAML reads as {what}; text is expected")
}

fn name(key: &Key, path: &str, report: &mut Report<'_>) {
    let source = report.source(key.place);
    let read = match &key.kind {
        Kind::Bool(truth) if is_word(source) => format!("the boolean {truth}"),
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) if is_sexagesimal(source) => {
            format!("the number {}", key.to_python_str())
        }
        _ => return,
    };
    report.tell(trap(
        "key-is-not-text",
        key.place,
        path,
        format!("the key `{source}` is read as {read}"),
        format!("put it in quotes: \"{source}\""),
    ));
}

fn is_sexagesimal(source: &str) -> bool {
    source.contains(':') && source.bytes().all(|byte| byte.is_ascii_digit() || b":_.+-".contains(&byte))
}

fn is_mac(source: &str) -> bool {
    let groups: Vec<&str> = source.split(':').collect();
    groups.len() == 6 && groups.iter().all(|group| group.len() == 2)
}

fn is_octal(source: &str) -> bool {
    source.len() > 1
        && source.starts_with('0')
        && source.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

fn is_plain_decimal(source: &str) -> bool {
    source.contains('.') && source.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'+')
}

/// The booleans that people take for words.
fn is_word(source: &str) -> bool {
    ["yes", "no", "on", "off"].iter().any(|word| source.eq_ignore_ascii_case(word))
}
