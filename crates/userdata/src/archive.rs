//! `#cloud-config-archive`: a YAML list of parts (`cloudinit/user_data.py`, `_explode_archive`).
//!
//! cloud-init fails altogether over entries that it did not expect. What stands in an archive is not
//! taken apart again: an archive or an `#include` in it is handled by nobody.

use hardtack_yaml::Span;

use crate::finding::{Finding, Place};
use crate::load;
use crate::mime::{Message, Payload};
use crate::part::Origin;
use crate::value::{Key, Kind, Map, Value};
use crate::{format, limits};

/// Code of an entry over which cloud-init fails as a whole.
pub const ENTRY: &str = "archive-entry";
/// Code of an entry that cloud-init leaves out.
pub const IGNORED: &str = "archive-entry-ignored";
/// Code of an archive that is no list.
pub const ROOT: &str = "archive-root";

/// Keys of an entry that are no headers.
const KEYS: [&str; 7] = [
    "content",
    "filename",
    "type",
    "launch-index",
    "content-disposition",
    "number-attachments",
    "content-type",
];

/// What an archive holds.
pub(crate) struct Archive {
    /// Its entries.
    pub(crate) messages: Vec<Message>,
    /// What is wrong, each with whether cloud-init fails as a whole over it.
    pub(crate) findings: Vec<(Finding, bool)>,
}

/// Takes the archive `text` apart, which stands at `origin`. Findings count in `text`, as the part
/// `part`.
pub(crate) fn explode(text: &[u8], origin: &Origin, part: usize) -> Archive {
    let mut archive = Archive { messages: Vec::new(), findings: Vec::new() };
    let root = match Value::load_bytes(text, part) {
        Ok(root) => root,
        Err(findings) => {
            let broken = |finding: Finding| {
                let fails = finding.code == load::BREAKS;
                (finding, fails)
            };
            archive.findings = findings.into_iter().map(broken).collect();
            return archive;
        }
    };
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut number = 0;
    let mut add = |entry: Entry<'_>, archive: &mut Archive| {
        number += 1;
        match message(&entry, text, origin, number) {
            Ok(message) => archive.messages.push(message),
            Err(Some(trouble)) => {
                let place = Place { part, span: trouble.span };
                let finding =
                    Finding::error(ENTRY, place, trouble.message).at(trouble.path).with_hint(trouble.hint);
                archive.findings.push((finding, true));
            }
            Err(None) => {
                let place = Place { part, span: entry.span };
                let message = "an entry of a #cloud-config-archive is text or a mapping; this one is ignored";
                let hint = "write `- content: |` with the part's text indented below it";
                archive.findings.push((Finding::error(IGNORED, place, message).with_hint(hint), false));
            }
        }
    };
    match &root.kind {
        Kind::Null => {}
        Kind::List(entries) => {
            // One more than there may be, which is told when it is one too many.
            for (index, entry) in entries.iter().enumerate().take(limits::PARTS + 1) {
                let entry = Entry { index, kind: &entry.kind, span: entry.place.span };
                add(entry, &mut archive);
            }
        }
        Kind::Set(keys) => {
            for (index, key) in keys.iter().enumerate().take(limits::PARTS + 1) {
                add(Entry { index, kind: &key.kind, span: key.place.span }, &mut archive);
            }
        }
        _ => {
            let message =
                "a #cloud-config-archive is a list of parts, and this is none: all of it is ignored";
            let hint = "start each part with `- `; for plain configuration the first line is #cloud-config";
            archive.findings.push((Finding::error(ROOT, root.place, message).with_hint(hint), false));
        }
    }
    archive
}

struct Entry<'a> {
    index: usize,
    kind: &'a Kind,
    span: Span,
}

/// What cloud-init fails over.
struct Trouble {
    span: Span,
    path: String,
    message: String,
    hint: &'static str,
}

/// The content of an entry.
enum Content<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

fn message(
    entry: &Entry<'_>,
    source: &str,
    origin: &Origin,
    number: usize,
) -> Result<Message, Option<Trouble>> {
    let empty = Map::new();
    let (fields, content, place) = match entry.kind {
        Kind::Text(text) => (&empty, Content::Text(text), entry.span),
        Kind::Map(fields) => match fields.get(&Key::text("content")) {
            None => (fields, Content::Text(""), entry.span),
            Some(value) => match &value.kind {
                Kind::Text(text) => (fields, Content::Text(text), value.place.span),
                Kind::Bytes(bytes) => (fields, Content::Bytes(bytes), value.place.span),
                _ => {
                    return Err(Some(Trouble {
                        span: value.place.span,
                        path: format!("{}.content", entry.index),
                        message: format!(
                            "the content of this part is {}, not text: cloud-init fails as a whole",
                            crate::wording::shown(&value.to_python_str())
                        ),
                        hint: "write the part's text as a block: `content: |` and the lines indented below it",
                    }));
                }
            },
        },
        _ => return Err(None),
    };
    let kind = kind(entry, fields, &content)?;
    let mut message = Message::default();
    if let Some(subtype) = kind.strip_prefix("text/") {
        let bytes = match content {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) if std::str::from_utf8(bytes).is_ok() => bytes,
            Content::Bytes(_) => {
                return Err(Some(Trouble {
                    span: place,
                    path: format!("{}.content", entry.index),
                    message: format!(
                        "the content of this `{kind}` part is not UTF-8: cloud-init fails as a whole"
                    ),
                    hint: "use text, or the type application/octet-stream",
                }));
            }
        };
        let charset = if bytes.is_ascii() { "us-ascii" } else { "utf-8" };
        message.add("Content-Type", format!("text/{subtype}; charset=\"{charset}\""));
        message.add("MIME-Version", "1.0");
        // Stands here before what the entry may say itself. Python's package would encode other
        // text than ASCII, and decode it again.
        message.add("Content-Transfer-Encoding", "8bit");
        message.payload = Payload::Bytes(bytes.to_vec());
    } else {
        message.add("Content-Type", kind);
        message.add("MIME-Version", "1.0");
        message.payload = match content {
            Content::Text(text) => Payload::Text(text.to_owned()),
            Content::Bytes(bytes) => Payload::Bytes(bytes.to_vec()),
        };
    }
    headers(entry, fields, &mut message)?;
    let text = match content {
        Content::Text(text) => text,
        Content::Bytes(_) => "",
    };
    message.origin = stands(text, source, place, origin).unwrap_or_else(|| Origin {
        file: format!("{} (part-{number:03})", origin.file),
        ..Origin::default()
    });
    Ok(message)
}

/// The type: said, or told by the first characters.
fn kind(entry: &Entry<'_>, fields: &Map, content: &Content<'_>) -> Result<String, Option<Trouble>> {
    let said = fields.get(&Key::text("type")).filter(|value| crate::truth::truthy(value));
    let Some(said) = said else {
        let (found, default) = match content {
            Content::Text(text) => (format::type_from_starts_with(text), format::CLOUD_CONFIG),
            Content::Bytes(bytes) => (
                std::str::from_utf8(bytes).ok().and_then(format::type_from_starts_with),
                "application/octet-stream",
            ),
        };
        return Ok(found.unwrap_or(default).to_owned());
    };
    match said.as_text() {
        Some(kind) if kind.contains('/') => Ok(kind.to_owned()),
        _ => Err(Some(Trouble {
            span: said.place.span,
            path: format!("{}.type", entry.index),
            message: format!(
                "{} is no MIME type: cloud-init fails as a whole",
                crate::wording::shown(&said.to_python_str())
            ),
            hint: "write a type such as text/cloud-config or text/x-shellscript, or leave `type` out",
        })),
    }
}

/// File name, launch index, and headers of any name.
fn headers(entry: &Entry<'_>, fields: &Map, message: &mut Message) -> Result<(), Option<Trouble>> {
    if let Some(name) = fields.get(&Key::text("filename")) {
        let name = name.to_python_str();
        message.set_filename(&name);
    }
    if let Some(index) = fields.get(&Key::text("launch-index")) {
        message.add("Launch-Index", index.to_python_str());
    }
    for (key, value) in fields {
        let trouble = |message: String| {
            Some(Trouble {
                span: value.place.span,
                path: format!("{}.{}", entry.index, key.to_python_str()),
                message,
                hint: "every key but content, type, filename and launch-index is a header, and its value is text",
            })
        };
        let Some(name) = key.as_text() else {
            let name = key.to_python_str();
            return Err(trouble(format!("the key `{name}` is not text: cloud-init fails as a whole")));
        };
        if KEYS.contains(&name.to_lowercase().as_str()) {
            continue;
        }
        match &value.kind {
            Kind::Text(text) => message.add(name, text.clone()),
            Kind::Null => message.add(name, ""),
            _ => {
                return Err(trouble(format!(
                    "the value of `{name}` is not text: cloud-init fails as a whole"
                )));
            }
        }
    }
    Ok(())
}

/// Where `content` stands in the file, when each of its lines stands there as it is: a block scalar
/// (`|`), or a scalar on one line without escapes.
fn stands(content: &str, source: &str, span: Span, origin: &Origin) -> Option<Origin> {
    let lines_before = origin.lines_before;
    let here = |line: usize, column: usize| Origin {
        file: origin.file.clone(),
        lines_before: lines_before.saturating_add(line),
        columns_before: origin.columns_before.saturating_add(column),
    };
    let written = source.get(span.range())?;
    if !content.contains('\n') {
        let quote = usize::from(written.starts_with(['"', '\'']));
        return written
            .get(quote..)
            .filter(|rest| rest.starts_with(content))
            .map(|_| here(span.line - 1, span.column - 1 + quote));
    }
    // The line with the `|` is the first one of the span, or what stands before it.
    let head = source.get(..span.start)?;
    let from = head.rfind('\n').map_or(0, |at| at + 1);
    let first = source.get(from..)?.lines().next()?;
    let is_header = |line: &str| {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        line.trim_end_matches(['+', '-', '1', '2', '3', '4', '5', '6', '7', '8', '9']).ends_with('|')
    };
    let skip = if is_header(first) { 1 } else { 0 };
    let mut indent = None;
    let mut rest = source.get(from..)?.lines().skip(skip);
    for line in content.lines() {
        let there = rest.next()?;
        if line.is_empty() {
            continue;
        }
        let found = there.strip_suffix(line)?;
        let known = *indent.get_or_insert(found.len());
        if known != found.len() || !found.bytes().all(|byte| byte == b' ') {
            return None;
        }
    }
    Some(here(span.line - 1 + skip, indent.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::explode;
    use crate::part::Origin;

    #[test]
    fn block_scalars_and_plain_ones_stand_where_they_stand() {
        let text = "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n\n    a: 1\n     b: 2\n- \"#!/bin/sh\"\n- '#!/bin/sh\n\n  x'\n- |\n  #cloud-config\n  c: 3\n";
        let archive = explode(text.as_bytes(), &Origin::file("f"), 0);
        let found: Vec<_> = archive
            .messages
            .iter()
            .map(|message| {
                (message.origin.file.as_str(), message.origin.lines_before, message.origin.columns_before)
            })
            .collect();
        assert_eq!(found, [("f", 3, 4), ("f", 6, 3), ("f (part-003)", 0, 0), ("f", 11, 2)]);
    }
}
