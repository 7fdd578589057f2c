//! Reading rsyslog.conf(5): lines in the order in which rsyslog reads them.

use hardtack_guest::{Stage, glob};

use crate::Error;
use crate::merged::text;

pub(super) const MAIN: &str = "/etc/rsyslog.conf";
/// Files include each other to this depth here, and so many in all.
const DEPTH: usize = 8;
const MOST: usize = 256;

/// A line without its comment.
pub(super) struct Line {
    pub(super) path: String,
    /// From 1.
    pub(super) number: usize,
    pub(super) text: String,
}

impl Line {
    /// The file that it writes to, `-/var/log/syslog` or `action(type="omfile" file="…")`.
    pub(super) fn file(&self) -> Option<&str> {
        if self.text.starts_with("action(") || self.text.contains("omfile") {
            let (_, rest) = self.text.split_once("file=\"").or_else(|| self.text.split_once("File=\""))?;
            return rest.split('"').next().filter(|path| path.starts_with('/'));
        }
        if self.text.starts_with('$') {
            return None;
        }
        let mut words = self.text.split_whitespace();
        let selector = words.next()?;
        let target = words.next()?.trim_start_matches('-');
        (selector.contains('.') && target.starts_with("/var/")).then_some(target)
    }
}

/// All lines, files in the place of what includes them.
pub(super) fn lines(stage: &Stage<'_>) -> Result<Vec<Line>, Error> {
    let mut found = Vec::new();
    add(stage, MAIN, DEPTH, &mut 0, &mut found)?;
    Ok(found)
}

fn add(
    stage: &Stage<'_>,
    path: &str,
    depth: usize,
    read: &mut usize,
    found: &mut Vec<Line>,
) -> Result<(), Error> {
    *read += 1;
    if depth == 0 || *read > MOST {
        return Ok(());
    }
    let mut block = false;
    for (index, line) in text(stage, path).unwrap_or_default().lines().enumerate() {
        let line = bare(line, &mut block);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let Some(pattern) = included(line) {
            for path in glob::glob(stage, &pattern)? {
                add(stage, &path, depth - 1, read, found)?;
            }
        } else {
            found.push(Line { path: path.to_owned(), number: index + 1, text: line.to_owned() });
        }
    }
    Ok(())
}

/// Without comments; `block` is whether one of several lines is open.
fn bare(line: &str, block: &mut bool) -> String {
    let mut kept = String::new();
    let mut quoted = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if *block {
            match rest.split_once("*/") {
                Some((_, behind)) => (rest, *block) = (behind, false),
                None => break,
            }
            continue;
        }
        if !quoted && c == '#' {
            break;
        }
        // A selector such as `*.*/` has no blank before it.
        if !quoted && rest.starts_with("/*") && (kept.is_empty() || kept.ends_with([' ', '\t', ')'])) {
            (rest, *block) = (&rest[2..], true);
            continue;
        }
        quoted ^= c == '"';
        kept.push(c);
        rest = &rest[c.len_utf8()..];
    }
    kept
}

/// What a line includes: `$IncludeConfig PATTERN`, `include(file="PATTERN")`; a directory is all that is in it.
fn included(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    let pattern = if lower.starts_with("$includeconfig") {
        line.split_whitespace().nth(1)?
    } else if lower.starts_with("include(") {
        let (_, rest) = line.split_once("file=\"")?;
        rest.split('"').next()?
    } else {
        return None;
    };
    // What a shell reads otherwise is not expanded by rsyslog.
    let safe = pattern.starts_with('/') && !pattern.contains(['{', '}']);
    safe.then(|| if pattern.ends_with('/') { format!("{pattern}*") } else { pattern.to_owned() })
}

/// Where it listens to the network: the file, and the first and last line of each statement.
pub(super) fn inputs(lines: &[Line]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let lower = line.text.to_ascii_lowercase();
        let old = ["$udpserverrun", "$inputtcpserverrun", "$inputrelpserverrun", "$inputgssserverrun"];
        if old.iter().any(|word| lower.starts_with(word)) {
            found.push((line.path.clone(), line.number, line.number));
            continue;
        }
        if !lower.starts_with("input(") && !lower.starts_with("input (") {
            continue;
        }
        // To its closing bracket, in this file.
        let (mut whole, mut last) = (lower, line.number);
        while !whole.contains(')')
            && let Some(next) = lines.get(index).filter(|next| next.path == line.path)
        {
            whole.push_str(&next.text.to_ascii_lowercase());
            last = next.number;
            index += 1;
        }
        let listens = ["imtcp", "imudp", "imrelp", "imgssapi", "imptcp"];
        if listens.iter().any(|module| whole.contains(&format!("\"{module}\""))) {
            found.push((line.path.clone(), line.number, last));
        }
    }
    found
}
