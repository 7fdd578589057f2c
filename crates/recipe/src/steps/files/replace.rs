//! The `replace` operation: a regular expression, line by line.
//!
//! Lines end at `\n`, with `\r` before it belonging to the end; the ends are never touched. A
//! replacement that would change its own result again (`foo` by `foobar`) leaves a match alone that
//! already stands inside its own replacement, so that a second build changes nothing.

use regex::bytes::{Captures, Regex};

use super::At;
use crate::model::Content;
use crate::{Context, StepError};

/// Makes the replacement in the file of `at`.
pub(super) fn apply(
    at: &At<'_>,
    pattern: &Regex,
    with: &Content,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    if !super::regular(at, cx)? {
        return Err(at.refused("no such file in the image").hint("use `write` or `append` to make it"));
    }
    let old = cx.stage.read(at.path)?.unwrap_or_default();
    let mut new = Vec::with_capacity(old.len());
    let mut matched = false;
    let mut holds = with.text.is_empty();
    let wanted = wanted(pattern.as_str(), &with.text);
    for line in old.split_inclusive(|byte| *byte == b'\n') {
        let (text, end) = cut(line);
        matched |= pattern.is_match(text);
        holds = holds || wanted.as_ref().is_some_and(|wanted| wanted.is_match(text));
        new.extend(line_of(pattern, &with.text, text).ok_or_else(|| {
            at.usage("the result of the replacement matches again and would change at every build").hint(
                "match the whole line with ^ and $, so that the result does not match or stays the same",
            )
        })?);
        new.extend_from_slice(end);
    }
    if !matched && !holds {
        let shown = if with.secret { "the replacement".to_owned() } else { format!("`{}`", with.text) };
        return Err(at
            .refused(format!("no line matches `{}`, and none holds {shown} already", pattern.as_str()))
            .hint("look at the file in the image; `append` adds a line that is not there"));
    }
    if new != old {
        cx.stage.write(at.path, new, hardtack_guest::Set::default())?;
    }
    if with.secret {
        cx.stage.hide_content(at.path)?;
        super::exposed(at, cx)?;
    }
    Ok(())
}

/// The new line; `None` when the same replacement would go on changing it.
fn line_of(pattern: &Regex, with: &str, text: &[u8]) -> Option<Vec<u8>> {
    let once = pattern.replace_all(text, with.as_bytes()).into_owned();
    if *pattern.replace_all(&once, with.as_bytes()) == *once {
        return Some(once);
    }
    let kept = keeping(pattern, with, text);
    (keeping(pattern, with, &kept) == kept).then_some(kept)
}

/// As `replace_all`, with a match left alone where its replacement already stands around it, or
/// where it looks like a result itself (`$1 quiet"` made of a line that ends with ` quiet"`).
fn keeping(pattern: &Regex, with: &str, text: &[u8]) -> Vec<u8> {
    let result = result_of(pattern.as_str(), with);
    let replacement = |captures: &Captures<'_>| -> Vec<u8> {
        let mut expanded = Vec::new();
        captures.expand(with.as_bytes(), &mut expanded);
        let Some(found) = captures.get(0).filter(|found| !found.is_empty()) else { return expanded };
        let done = expanded.windows(found.len()).enumerate().any(|(offset, window)| {
            let from = found.start().checked_sub(offset);
            window == found.as_bytes()
                && from.is_some_and(|from| text.get(from..from + expanded.len()) == Some(expanded.as_slice()))
        });
        let done = done || result.as_ref().is_some_and(|result| result.is_match(found.as_bytes()));
        if done { found.as_bytes().to_vec() } else { expanded }
    };
    pattern.replace_all(text, replacement).into_owned()
}

/// A line without its end, and the end.
pub(in crate::steps) fn cut(line: &[u8]) -> (&[u8], &[u8]) {
    let length = match line {
        [.., b'\r', b'\n'] => line.len() - 2,
        [.., b'\n'] => line.len() - 1,
        _ => line.len(),
    };
    line.split_at(length)
}

/// True when the first line ends as on Windows.
pub(in crate::steps) fn uses_crlf(content: &[u8]) -> bool {
    content
        .iter()
        .position(|byte| *byte == b'\n')
        .is_some_and(|at| at > 0 && content.get(at - 1) == Some(&b'\r'))
}

/// Part of a replacement text, as the regex crate reads it.
enum Part<'a> {
    Text(&'a str),
    Group(&'a str),
}

/// `$name`, `${name}` and `$$` (docs.rs/regex, `Captures::expand`).
fn parts(with: &str) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        found.push(Part::Text(before));
        let after = &from[1..];
        let word = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        if let Some(after) = after.strip_prefix('$') {
            found.push(Part::Text("$"));
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|braced| braced.split_once('}'))
        {
            found.push(Part::Group(name));
            rest = after;
        } else if word > 0 {
            found.push(Part::Group(&after[..word]));
            rest = &after[word..];
        } else {
            found.push(Part::Text("$"));
            rest = after;
        }
    }
    found.push(Part::Text(rest));
    found
}

/// The groups that a replacement text names.
#[must_use]
pub fn references(with: &str) -> Vec<&str> {
    parts(with)
        .into_iter()
        .filter_map(|part| if let Part::Group(name) = part { Some(name) } else { None })
        .collect()
}

/// What a line looks like that the replacement was made in: its text, with anything for groups,
/// bound to the line's start and end where the pattern is. A replacement of several lines is looked for in the whole text.
pub(in crate::steps) fn wanted(pattern: &str, with: &str) -> Option<Regex> {
    let whole = !pattern.contains('|');
    let start = if whole && pattern.starts_with('^') { "^" } else { "" };
    let end = if whole && pattern.ends_with('$') && !pattern.ends_with("\\$") { "$" } else { "" };
    let middle = shape(with);
    let lines = if with.contains('\n') { "(?mR)" } else { "" };
    Regex::new(&format!("{lines}{start}{middle}{end}")).ok()
}

/// The replacement text as a pattern, with anything in the place of groups.
fn shape(with: &str) -> String {
    let pattern = |part: Part<'_>| match part {
        Part::Text(text) => regex::escape(text),
        Part::Group(_) => "(?-u:[^\n])*?".to_owned(),
    };
    parts(with).into_iter().map(pattern).collect()
}

/// What a whole match looks like that the replacement made. `None` where that cannot be told from a
/// match before it: the replacement brings no word that the pattern does not ask for itself.
fn result_of(pattern: &str, with: &str) -> Option<Regex> {
    let plain = pattern.replace('\\', "");
    let brings = |part: &Part<'_>| matches!(part, Part::Text(text) if text.contains(char::is_alphanumeric) && !plain.contains(text));
    parts(with).iter().any(brings).then(|| Regex::new(&format!("^(?:{})$", shape(with))).ok()).flatten()
}
