//! Words and numbers that YAML 1.1 reads as something else (`yaml/resolver.py`): MAC addresses and
//! times are numbers to the base 60, a leading zero means octal, `no` is a boolean.

use super::walk::{self, What};
use super::{Report, trap};
use crate::value::{Key, Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    walk::each(config, &mut |spot| match spot.what {
        What::Key(key) => name(key, spot.path, report),
        What::Scalar(value) if matches!(value.kind, Kind::Text(_)) || report.is_told(value.place) => {}
        What::Scalar(value) => scalar(value, spot.path, report),
    });
}

fn scalar(value: &Value, path: &str, report: &mut Report<'_>) {
    let source = report.source(value.place);
    let quoted = format!("put it in quotes: \"{source}\"");
    let number = value.to_python_str();
    match &value.kind {
        Kind::Int(_) | Kind::HugeInt(_) | Kind::Float(_) if is_sexagesimal(source) => {
            let what = if is_mac(source) { "a MAC address without quotes" } else { "read to the base 60" };
            report.tell(trap(
                "sexagesimal",
                value.place,
                path,
                format!("`{source}` is {what}: YAML makes the number {number} of it"),
                quoted,
            ));
        }
        Kind::Int(_) if is_octal(source) => {
            report.tell(trap(
                "octal",
                value.place,
                path,
                format!("`{source}` is octal for its leading zero: YAML makes the number {number} of it"),
                format!("write `{number}` if that is meant, or put it in quotes: \"{source}\""),
            ));
        }
        Kind::Float(_) if is_plain_decimal(source) => {
            let changed = number != source.trim_start_matches('+');
            if report.is_refused(value.place) {
                let becomes = if changed { format!(", {number}") } else { String::new() };
                report.tell(trap(
                    "number-for-text",
                    value.place,
                    path,
                    format!("`{source}` is read as a number{becomes}; text is wanted here"),
                    quoted,
                ));
            } else if changed {
                report.tell(trap(
                    "digits-lost",
                    value.place,
                    path,
                    format!("`{source}` is read as a number and becomes {number}"),
                    quoted,
                ));
            }
        }
        Kind::Bool(truth) if is_word(source) && report.is_refused(value.place) => {
            report.tell(trap(
                "boolean-for-text",
                value.place,
                path,
                format!("`{source}` is the boolean {truth} in YAML 1.1; something else is wanted here"),
                quoted,
            ));
        }
        Kind::Date(_) | Kind::DateTime(_) if report.is_refused(value.place) => {
            report.tell(trap(
                "date-for-text",
                value.place,
                path,
                format!("`{source}` is read as a date; text is wanted here"),
                quoted,
            ));
        }
        _ => {}
    }
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
