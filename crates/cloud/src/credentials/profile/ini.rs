//! The files of AWS' tools, as they read them: sections, settings, and settings of settings.
//!
//! ```text
//! [profile build]          ; the names of sections may stand in quotes
//! region = eu-west-1       # what follows white space and # or ; is a comment
//! s3 =
//!   addressing_style = path
//! ```
//!
//! Sources: botocore 1.44 (`configloader.py`, on Python's `RawConfigParser`), the SDKs' reference guide. Names are
//! lower case in the end; of two with the same name the later stands, where Python refuses the file.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// What a setting is set to.
#[derive(Clone)]
pub(crate) enum Value {
    /// A text, which may be secret.
    Text(Zeroizing<String>),
    /// Settings that are indented below it.
    Nested(BTreeMap<String, String>),
}

/// A section's settings.
pub(crate) type Section = BTreeMap<String, Value>;

/// A file's sections, by their names with white space made one space and quotes taken away:
/// `profile build`, `default`.
pub(crate) type Sections = BTreeMap<String, Section>;

/// The setting that lines are added to as long as they are indented more.
struct Open {
    section: String,
    name: String,
    indent: usize,
}

/// Reads a file's text.
///
/// # Errors
/// A line that is neither section nor setting; its number is told, its text is not, since it may be secret.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Sections, Error> {
    let wrong = |line: usize, what: &str| Error::Usage(format!("{}:{line}: {what}", path.display()));
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        wrong(line, "this is no UTF-8")
    })?;
    let mut sections = Sections::new();
    let mut current: Option<String> = None;
    let mut open: Option<Open> = None;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if let Some(setting) = open.as_ref().filter(|setting| indent > setting.indent) {
            let value = sections.entry(setting.section.clone()).or_default().get_mut(&setting.name);
            match value {
                Some(Value::Text(text)) if text.is_empty() => {
                    let (name, value) = nested(trimmed)
                        .ok_or_else(|| wrong(number, "a line below a setting is NAME = VALUE, too"))?;
                    let value = Value::Nested(BTreeMap::from([(name, value)]));
                    sections.entry(setting.section.clone()).or_default().insert(setting.name.clone(), value);
                }
                Some(Value::Text(text)) => {
                    text.push('\n');
                    text.push_str(trimmed);
                }
                Some(Value::Nested(settings)) => {
                    let (name, value) = nested(trimmed)
                        .ok_or_else(|| wrong(number, "a line below a setting is NAME = VALUE, too"))?;
                    settings.insert(name, value);
                }
                None => {}
            }
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix('[') {
            let (name, _) =
                rest.split_once(']').ok_or_else(|| wrong(number, "a section's name ends with ]"))?;
            let name = name_of(name);
            sections.entry(name.clone()).or_default();
            current = Some(name);
            open = None;
            continue;
        }
        let (name, value) = trimmed
            .split_once(['=', ':'])
            .map(|(name, value)| (name.trim().to_lowercase(), value.trim()))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| wrong(number, "this is neither a section [NAME] nor a setting NAME = VALUE"))?;
        let Some(section) = &current else {
            return Err(wrong(number, "a setting before the first section [NAME]"));
        };
        // A command may have such characters in its quotes.
        let value = if name == "credential_process" { value } else { uncommented(value) };
        let text = Value::Text(Zeroizing::new(value.to_owned()));
        sections.entry(section.clone()).or_default().insert(name.clone(), text);
        open = Some(Open { section: section.clone(), name, indent });
    }
    Ok(sections)
}

fn nested(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().to_lowercase();
    (!name.is_empty()).then(|| (name, uncommented(value.trim()).to_owned()))
}

/// `profile "my name"` is `profile my name`.
fn name_of(text: &str) -> String {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let rest = words.collect::<Vec<_>>().join(" ");
    let bare = |text: &str| {
        let quoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        quoted('"').or_else(|| quoted('\'')).unwrap_or(text).to_owned()
    };
    if rest.is_empty() { bare(first) } else { format!("{first} {}", bare(&rest)) }
}

/// The value without the comment behind it.
fn uncommented(value: &str) -> &str {
    let comment = value.char_indices().find(|(at, char)| {
        let before = value.get(..*at).and_then(|before| before.chars().next_back());
        matches!(char, '#' | ';') && before.is_some_and(char::is_whitespace)
    });
    match comment {
        Some((at, _)) => value.get(..at).unwrap_or(value).trim_end(),
        None if value.starts_with(['#', ';']) => "",
        None => value,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn text<'a>(sections: &'a Sections, section: &str, name: &str) -> &'a str {
        match sections.get(section).and_then(|section| section.get(name)) {
            Some(Value::Text(text)) => text,
            Some(Value::Nested(_)) => "nested",
            None => "missing",
        }
    }

    const FILE: &str = "\u{feff}# first\n[default]\nregion=eu-west-1 # here\n  \n[profile \"my  build\"] ; second\n\
        Region : us-east-1\nkey = a#b;c\ns3 =\n  addressing_style = path\n\n  # inner\n  max = 3\nlong = a\n  b\n\
        credential_process = x ' # y'\n[services s]\n ec2 =\n  endpoint_url = http://x\n s3=\n  endpoint_url = http://y\n";

    #[test]
    fn sections_settings_and_what_is_below_them() {
        let sections = parse(FILE.as_bytes(), Path::new("f")).unwrap();
        assert_eq!(text(&sections, "default", "region"), "eu-west-1");
        let build = "profile my build";
        assert_eq!(text(&sections, build, "region"), "us-east-1");
        assert_eq!(text(&sections, build, "key"), "a#b;c");
        assert_eq!(text(&sections, build, "long"), "a\nb");
        assert_eq!(text(&sections, build, "credential_process"), "x ' # y'");
        let Some(Value::Nested(s3)) = sections[build].get("s3") else { panic!("s3") };
        assert_eq!(s3.get("max").map(String::as_str), Some("3"));
        assert_eq!(s3.len(), 2);
        for service in ["ec2", "s3"] {
            let Some(Value::Nested(settings)) = sections["services s"].get(service) else {
                panic!("{service}")
            };
            assert!(settings.contains_key("endpoint_url"));
        }
    }

    #[test]
    fn wrong_lines_are_told_by_number_and_not_by_text() {
        for (text, line) in [
            ("[a]\nSECRET\n", ":2:"),
            ("x = SECRET\n", ":1:"),
            ("[a\n", ":1:"),
            ("[a]\n= SECRET\n", ":2:"),
            ("[a]\ns3 =\n  SECRET\n", ":3:"),
        ] {
            let error = parse(text.as_bytes(), Path::new("file")).err().unwrap().to_string();
            assert!(error.starts_with(&format!("file{line}")), "{error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
        let error = parse(b"[a]\nx = \xff\n", Path::new("file")).err().unwrap().to_string();
        assert!(error.starts_with("file:2:"), "{error}");
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for _ in 0..4000 {
            let mut bytes = FILE.as_bytes().to_vec();
            for _ in 0..next() % 6 {
                let at = next() as usize % bytes.len();
                match next() % 3 {
                    0 => bytes[at] = b"[]=#\n \t\"'\xc3"[next() as usize % 10],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, (next() % 256) as u8),
                }
            }
            if let Err(error) = parse(&bytes, Path::new("file")) {
                assert!(error.to_string().starts_with("file:"), "{error}");
            }
        }
    }
}
