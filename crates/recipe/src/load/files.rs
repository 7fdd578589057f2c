//! The `files` step's entries.

use hardtack_yaml::{Kind, Node, Span, Style};
use regex::bytes::{Regex, RegexBuilder};

use super::keys::{Key, Shape};
use super::reader::{Fields, Reader};
use crate::model::{Content, FileAction, FileOp};

/// A compiled pattern takes no more memory than this, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// The operations, one mapping each; the first key names it.
pub(super) const OPERATIONS: &[Shape] = &[
    Shape::Keys(&[
        Key::must("write", Shape::Text, "The file, an absolute path in the image."),
        Key::must("content", Shape::Content, "The whole content."),
        MODE,
        OWNER,
    ]),
    Shape::Keys(&[
        Key::must("append", Shape::Text, "The file, an absolute path in the image."),
        Key::must("line", Shape::Content, "A line that the file has."),
    ]),
    Shape::Keys(&[
        Key::must("replace", Shape::Text, "The file, an absolute path in the image."),
        Key::must("match", Shape::Text, "A regular expression, applied line by line."),
        Key::must("with", Shape::Content, "The replacement; `$1` and `${name}` are groups."),
    ]),
    Shape::Keys(&[
        Key::must("copy", Shape::Text, "A file of this machine."),
        Key::must("to", Shape::Text, "The file in the image, an absolute path."),
        MODE,
        OWNER,
    ]),
    Shape::Keys(&[Key::must("mkdir", Shape::Text, "A directory of the image."), MODE, OWNER]),
    Shape::Keys(&[
        Key::must("link", Shape::Text, "The symbolic link, an absolute path in the image."),
        Key::must("target", Shape::Text, "What it points to."),
    ]),
    Shape::Keys(&[Key::must("remove", Shape::Text, "What is not there.")]),
];
const MODE: Key = Key::may("mode", Shape::Mode, "Permission bits in octal digits: 0644.");
const OWNER: Key =
    Key::may("owner", Shape::Scalar, "\"user\", \"user:group\" or \":group\", names or numbers.");

/// The operations as their names and their keys.
pub(super) fn operations() -> Vec<(&'static str, &'static [Key])> {
    let keys =
        OPERATIONS.iter().filter_map(|shape| if let Shape::Keys(keys) = shape { Some(*keys) } else { None });
    keys.filter_map(|keys| Some((keys.first()?.name, keys))).collect()
}

/// An operation and where its path stands.
pub(super) struct Placed {
    pub(super) op: FileOp,
    pub(super) span: Span,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node, at: Span) -> Vec<Placed> {
    let mut placed = Vec::new();
    if node.is_null() {
        reader.error_hint(
            at,
            "step `files` lists nothing",
            "write entries below it, such as `- {remove: /etc/x}`",
        );
        return placed;
    }
    let Kind::Sequence(items) = &node.kind else {
        let message = format!("step `files` takes a list of operations, found {}", node.describe());
        reader.error_hint(node.span, message, "write `- ` before each operation");
        return placed;
    };
    for item in items {
        placed.extend(entry(reader, item));
    }
    placed
}

fn entry(reader: &mut Reader<'_>, node: &Node) -> Option<Placed> {
    let operations = operations();
    let names: Vec<&str> = operations.iter().map(|(name, _)| *name).collect();
    let every: Vec<&'static str> =
        operations.iter().flat_map(|(_, keys)| keys.iter().map(|key| key.name)).collect();
    let keys: Vec<&str> =
        node.as_mapping().unwrap_or_default().iter().filter_map(|(key, _)| key.text()).collect();
    let present: Vec<&&str> = names.iter().filter(|name| keys.contains(name)).collect();
    let (name, known) = match present.as_slice() {
        [only] => *operations.iter().find(|(name, _)| *name == **only)?,
        [] => {
            // Which operation is meant decides what the keys may be.
            let words = super::reader::alternatives(&names);
            let wrong = node.as_mapping().and_then(|pairs| pairs.first()).map(|(key, _)| key);
            match wrong.and_then(|key| Some((key, key.text()?))) {
                Some((key, word)) if !every.contains(&word) => {
                    reader.unknown(key.span, "operation", word, "step `files`", &names)
                }
                _ => reader.error(
                    node.span,
                    format!("an entry of `files` is one of {words}, found {}", node.describe()),
                ),
            }
            return None;
        }
        several => {
            let words: Vec<&str> = several.iter().map(|name| **name).collect();
            reader.error_hint(
                node.span,
                format!(
                    "an entry of `files` does one thing, and this one says {}",
                    super::reader::list(&words)
                ),
                "write one entry for each",
            );
            return None;
        }
    };
    let fields = reader.keyed(node, &format!("`{name}`"), known)?;
    let subject = fields.get(name)?;
    let action = action(reader, name, &fields, subject, node.span)?;
    Some(Placed { op: FileOp { line: node.span.line, action }, span: subject.span })
}

fn action(
    reader: &mut Reader<'_>,
    name: &str,
    fields: &Fields<'_>,
    subject: &Node,
    at: Span,
) -> Option<FileAction> {
    let mode = |reader: &mut Reader<'_>| fields.get("mode").map(|value| mode(reader, value));
    let owner = |reader: &mut Reader<'_>| fields.get("owner").map(|value| owner(reader, value));
    // All keys are looked at before anything gives up, so that all findings come at once.
    match name {
        "write" => {
            let path = guest_path(reader, subject, name, true);
            let content = reader
                .required(fields, "content", at)
                .and_then(|value| reader.content(value, "content", false));
            let (mode, owner) = (mode(reader), owner(reader));
            Some(FileAction::Write {
                path: path?,
                content: content?,
                mode: settled(mode)?,
                owner: settled(owner)?,
            })
        }
        "append" => {
            let path = guest_path(reader, subject, name, true);
            let line = reader.required(fields, "line", at).and_then(|value| one_line(reader, value, "line"));
            Some(FileAction::Append { path: path?, line: line? })
        }
        "replace" => {
            let path = guest_path(reader, subject, name, true);
            let pattern = reader.required(fields, "match", at).and_then(|value| pattern(reader, value));
            let with = reader
                .required(fields, "with", at)
                .and_then(|value| Some((one_line(reader, value, "with")?, value.span)));
            let (pattern, (with, span)) = (pattern?, with?);
            groups(reader, &pattern, &with, span)?;
            Some(FileAction::Replace { path: path?, pattern, with })
        }
        "copy" => {
            let origin = reader.line(subject, name).map(str::to_owned);
            let content = origin.as_ref().and_then(|origin| reader.read(origin, subject.span));
            let to =
                reader.required(fields, "to", at).and_then(|value| guest_path(reader, value, "to", true));
            let (mode, owner) = (mode(reader), owner(reader));
            Some(FileAction::Copy {
                origin: origin?,
                content: content?.into(),
                to: to?,
                mode: settled(mode)?,
                owner: settled(owner)?,
            })
        }
        "mkdir" => {
            let path = guest_path(reader, subject, name, false);
            let (mode, owner) = (mode(reader), owner(reader));
            Some(FileAction::Mkdir { path: path?, mode: settled(mode)?, owner: settled(owner)? })
        }
        "link" => {
            let path = guest_path(reader, subject, name, true);
            let target = reader
                .required(fields, "target", at)
                .and_then(|value| Some((reader.line(value, "target")?, value.span)));
            let (target, span) = target?;
            if target.len() > 4095 {
                reader.error(span, "`target` is longer than the 4095 bytes of a link");
                return None;
            }
            Some(FileAction::Link { path: path?, target: target.to_owned() })
        }
        "remove" => Some(FileAction::Remove { path: guest_path(reader, subject, name, false)? }),
        _ => None,
    }
}

/// A key that was given but wrong gives the entry up; one that was left out is `None`.
#[allow(clippy::option_option)]
fn settled<T>(found: Option<Option<T>>) -> Option<Option<T>> {
    match found {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}

/// An absolute path in the guest, not `/` itself.
pub(super) fn guest_path(reader: &mut Reader<'_>, node: &Node, what: &str, is_file: bool) -> Option<String> {
    let text = reader.line(node, what)?;
    if !text.starts_with('/') {
        reader.error_hint(
            node.span,
            format!("`{what}` takes an absolute path in the image, found `{text}`"),
            "start it with `/`",
        );
        return None;
    }
    if hardtack_guest::GuestPath::new(text).name().is_none() {
        reader.error(node.span, format!("`{what}` cannot be the root directory"));
        return None;
    }
    if text.split('/').any(|component| component.len() > 255) || text.len() > 4095 {
        reader.error(
            node.span,
            format!(
                "the path of `{what}` is longer than a file system takes (255 bytes a name, 4095 in all)"
            ),
        );
        return None;
    }
    if is_file && (text.ends_with('/') || text.ends_with("/.") || text.ends_with("/..")) {
        reader.error_hint(node.span, format!("`{what}` names a directory"), "write the file's whole path");
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// Permission bits: octal with or without quotes, with or without `0` or `0o` in front.
pub(super) fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let hint = "write octal digits, such as 0644 or \"0755\"";
    let Some(text) = node.text().filter(|_| node.tag.is_none()) else {
        reader.error_hint(node.span, format!("`mode` takes octal digits, found {}", node.describe()), hint);
        return None;
    };
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = (3..=5).contains(&digits.len()) && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(digits, 8) {
        Ok(value) if octal && value <= 0o7777 => Some(value),
        _ => {
            let message = if digits.contains(['8', '9']) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                format!("`mode` is octal, and `{text}` has a digit above 7")
            } else {
                format!("`mode` takes three to five octal digits up to 7777, found {}", node.describe())
            };
            reader.error_hint(node.span, message, hint);
            None
        }
    }
}

/// "user", "user:group", ":group", names or numbers.
pub(super) fn owner(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    // `owner: 1000` and `owner: 0:0` are numbers to YAML (the latter to base sixty).
    let text = match node.text() {
        Some(text) if node.tag.is_none() && !text.is_empty() => text,
        _ => return reader.text(node, "owner").map(str::to_owned),
    };
    let part = |text: &str| {
        let number = text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|id| id < u32::MAX);
        let name = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-$".contains(&byte));
        number || name
    };
    let fits = match text.split_once(':') {
        None => part(text),
        Some(("", group)) => part(group),
        Some((user, group)) => part(user) && part(group),
    };
    if !fits {
        reader.error_hint(
            node.span,
            format!("`owner` cannot be `{text}`"),
            "write \"user\", \"user:group\" or \":group\", names or numbers",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Text of one line; one line break at its end is let go (a `|` block has one).
pub(super) fn one_line(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Content> {
    let mut content = reader.content(node, what, true)?;
    if content.text.ends_with('\n') {
        content.text.pop();
        if content.text.ends_with('\r') {
            content.text.pop();
        }
    }
    if content.text.contains(['\n', '\r', '\0']) {
        reader.error_hint(node.span, format!("`{what}` is one line"), "write an entry for each line");
        return None;
    }
    Some(content)
}

pub(super) fn pattern(reader: &mut Reader<'_>, node: &Node) -> Option<Regex> {
    let text = reader.text(node, "match")?;
    if text.contains(['\n', '\r']) {
        reader.error_hint(
            node.span,
            "`match` is applied line by line and cannot hold a line break",
            "leave it out; `$` is the line's end",
        );
        return None;
    }
    match RegexBuilder::new(text).size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT * 2).build() {
        Ok(pattern) => Some(pattern),
        Err(regex::Error::CompiledTooBig(limit)) => {
            reader.error(node.span, format!("the pattern needs more than {limit} bytes of memory"));
            None
        }
        Err(error) => {
            let (reason, within) = explain(&error.to_string());
            let span = within.and_then(|at| inside(node, text, at)).unwrap_or(node.span);
            reader.error_hint(
                span,
                format!("not a regular expression: {reason}"),
                "the syntax is that of https://docs.rs/regex/#syntax",
            );
            None
        }
    }
}

/// The reason in the regex crate's picture, and the character that its caret points at.
fn explain(text: &str) -> (String, Option<usize>) {
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    // The pattern above may start with `^` itself.
    let carets = |line: &&str| line.contains('^') && line.bytes().all(|byte| byte == b' ' || byte == b'^');
    let caret = text.lines().rev().find(carets).and_then(|line| line.find('^'));
    (reason, caret.and_then(|caret| caret.checked_sub(4)))
}

/// The place of character `at` of a scalar's text, where text and source agree letter by letter.
fn inside(node: &Node, text: &str, at: usize) -> Option<Span> {
    let quotes = match node.as_scalar()?.style {
        Style::Plain => 0,
        Style::SingleQuoted | Style::DoubleQuoted => 1,
        Style::Literal | Style::Folded => return None,
    };
    let whole = node.span;
    if whole.end - whole.start != text.len() + 2 * quotes {
        return None;
    }
    let offset = text.char_indices().nth(at).map_or(text.len(), |(offset, _)| offset);
    let start = whole.start + quotes + offset;
    Some(Span { start, end: start + 1, line: whole.line, column: whole.column + quotes + at })
}

/// Every `$name` of the replacement must be a group: the regex crate makes others empty.
pub(super) fn groups(reader: &mut Reader<'_>, pattern: &Regex, with: &Content, span: Span) -> Option<()> {
    for name in crate::steps::files::references(&with.text) {
        let known = match name.parse::<usize>() {
            Ok(number) => number < pattern.captures_len(),
            Err(_) => pattern.capture_names().flatten().any(|known| known == name),
        };
        if known {
            continue;
        }
        let count = pattern.captures_len() - 1;
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        let hint = if digits.is_empty() || digits == name {
            "write `$$` for a dollar sign".to_owned()
        } else {
            format!(
                "write `${{{digits}}}{}` for group {digits} followed by text, `$$` for a dollar sign",
                &name[digits.len()..]
            )
        };
        let shown = if with.secret { "a group".to_owned() } else { format!("the group `{name}`") };
        reader.error_hint(
            span,
            format!("`with` names {shown}, and `match` has {count} numbered ones and not this"),
            hint,
        );
        return None;
    }
    Some(())
}
