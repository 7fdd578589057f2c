//! File name patterns as glibc's glob(3) reads them with `GLOB_BRACE`, answered by a stage.
//!
//! `*`, `?` and `[…]` match within one component and never a dot at its beginning; `{a,b}` is two
//! patterns, and `{a}` is `a`; a backslash takes the next character literally. Links on the way are
//! followed as the guest's kernel does, and never out of the image. `.` and `..` are never
//! answered, not even to `.*`.

use crate::{Error, FileType, Stage};

/// The most patterns that braces make of one: nobody writes more, and nested braces multiply.
const MOST_PATTERNS: usize = 4096;
/// The longest pattern, in bytes: that of a path (`PATH_MAX`).
const LONGEST: usize = 4096;

/// The paths that exist and match `pattern`, an absolute path: for each alternative of the braces in
/// the order written, sorted within, and each path once. A pattern that ends in `/` matches
/// directories only. Links are not resolved in what is answered.
///
/// # Errors
/// A pattern that is too long or has too many alternatives, and a disk that fails.
pub fn glob(stage: &Stage<'_>, pattern: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for pattern in braces(pattern)? {
        for path in one(stage, &pattern)? {
            if known.insert(path.clone()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// True when `pattern` holds anything but a path: a character that [`glob`] does not take literally.
#[must_use]
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{', '\\'])
}

/// The patterns that the braces of `pattern` stand for, in the order written. An opening brace
/// without its end stands for itself, with all that follows.
///
/// # Errors
/// When it is too long, or when there are too many.
pub fn braces(pattern: &str) -> Result<Vec<String>, Error> {
    if pattern.len() > LONGEST {
        return Err(refused(pattern, &format!("is longer than the {LONGEST} bytes of a path")));
    }
    let mut done = Vec::new();
    let mut pending = vec![pattern.to_owned()];
    // Depth first and the first alternative first, without recursion.
    while let Some(pattern) = pending.pop() {
        let Some((head, alternatives, tail)) = first_brace(&pattern) else {
            done.push(pattern);
            continue;
        };
        pending.extend(alternatives.iter().rev().map(|alternative| format!("{head}{alternative}{tail}")));
        if pending.len() + done.len() > MOST_PATTERNS {
            return Err(refused(&pattern, &format!("has more than {MOST_PATTERNS} alternatives")));
        }
    }
    Ok(done)
}

fn refused(pattern: &str, what: &str) -> Error {
    let start: String = pattern.chars().take(60).collect();
    Error::Refused(format!("the pattern {start:?} {what}"))
}

/// What stands before the first braces, in them and behind them.
fn first_brace(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut open = None;
    let mut depth = 0_usize;
    let mut cuts = Vec::new();
    let mut escaped = false;
    for (at, character) in pattern.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                if open.is_none() {
                    open = Some(at);
                }
                depth += 1;
            }
            ',' if depth == 1 => cuts.push(at),
            '}' if depth == 1 => {
                let open = open?;
                cuts.push(at);
                let mut from = open + 1;
                let alternatives = cuts
                    .iter()
                    .map(|cut| {
                        let part = &pattern[from..*cut];
                        from = cut + 1;
                        part
                    })
                    .collect();
                return Some((&pattern[..open], alternatives, &pattern[at + 1..]));
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// One pattern without braces.
fn one(stage: &Stage<'_>, pattern: &str) -> Result<Vec<String>, Error> {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = vec![String::new()];
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let mut next = Vec::new();
        for directory in &found {
            if has_wildcard(part) {
                if !is_directory(stage, directory)? {
                    continue;
                }
                let names = stage.list(if directory.is_empty() { "/" } else { directory })?;
                let fits = names.iter().filter(|entry| matches(part, &entry.name));
                next.extend(fits.map(|entry| format!("{directory}/{}", entry.name)));
            } else {
                next.push(format!("{directory}/{}", unescaped(part)));
            }
        }
        found = Vec::new();
        for path in next {
            let there = if is_last && !pattern.ends_with('/') {
                matches!(passable(stage.lstat(&path))?, Some(Some(_)))
            } else {
                is_directory(stage, &path)?
            };
            if there {
                found.push(path);
            }
        }
    }
    if parts.is_empty() {
        found = if pattern.starts_with('/') { vec!["/".to_owned()] } else { Vec::new() };
    }
    found.sort();
    Ok(found)
}

fn is_directory(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    let path = if path.is_empty() { "/" } else { path };
    let found = passable(stage.stat(path))?.flatten();
    Ok(found.is_some_and(|found| found.kind == FileType::Directory))
}

/// A loop of links is a path that does not exist, and no reason to give up.
fn passable<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::LinkLoop { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn has_wildcard(part: &str) -> bool {
    let mut escaped = false;
    part.chars().any(|character| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = character == '\\';
        matches!(character, '*' | '?' | '[')
    })
}

fn unescaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        // A backslash at the end stands for itself.
        text.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    text
}

/// One piece of a component's pattern.
enum Piece {
    Any,
    One,
    Exactly(char),
    Set { negated: bool, items: Vec<Item> },
}

enum Item {
    Range(char, char),
    Class(fn(char) -> bool),
}

impl Piece {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Exactly(wanted) => *wanted == character,
            Self::Set { negated, items } => {
                let within = items.iter().any(|item| match item {
                    Item::Range(from, to) => (*from..=*to).contains(&character),
                    Item::Class(is) => is(character),
                });
                within != *negated
            }
        }
    }
}

/// Whether one name matches one component of a pattern: fnmatch(3) with `FNM_PERIOD`.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let pieces = pieces(pattern);
    let name: Vec<char> = name.chars().collect();
    if name.first() == Some(&'.') && !matches!(pieces.first(), Some(Piece::Exactly('.'))) {
        return false;
    }
    // On a mismatch the last star takes one character more; earlier ones need never be tried again.
    let (mut at, mut piece) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pieces.get(piece) {
            Some(Piece::Any) => {
                star = Some((piece, at));
                piece += 1;
            }
            Some(found) if found.takes(name[at]) => {
                at += 1;
                piece += 1;
            }
            _ => {
                let Some((again, taken)) = star else { return false };
                star = Some((again, taken + 1));
                at = taken + 1;
                piece = again + 1;
            }
        }
    }
    pieces[piece.min(pieces.len())..].iter().all(|piece| matches!(piece, Piece::Any))
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(character) = characters.get(at) {
        at += 1;
        pieces.push(match character {
            '*' => Piece::Any,
            '?' => Piece::One,
            '\\' => {
                let next = characters.get(at).copied().unwrap_or('\\');
                at += 1;
                Piece::Exactly(next)
            }
            '[' => match set(&characters[at..]) {
                Some((piece, length)) => {
                    at += length;
                    piece
                }
                None => Piece::Exactly('['),
            },
            other => Piece::Exactly(*other),
        });
    }
    pieces
}

/// What follows a `[`, and how many characters it takes; `None` when it is never closed.
fn set(text: &[char]) -> Option<(Piece, usize)> {
    let negated = matches!(text.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut items = Vec::new();
    loop {
        let character = *text.get(at)?;
        if character == ']' && at > first {
            return Some((Piece::Set { negated, items }, at + 1));
        }
        if character == '['
            && text.get(at + 1) == Some(&':')
            && let Some((class, length)) = class(&text[at..])
        {
            items.push(Item::Class(class));
            at += length;
            continue;
        }
        let (from, length) = literal(&text[at..])?;
        at += length;
        // A minus before the end stands for itself.
        if text.get(at) == Some(&'-') && text.get(at + 1).is_some_and(|next| *next != ']') {
            let (to, length) = literal(&text[at + 1..])?;
            at += 1 + length;
            items.push(Item::Range(from, to));
        } else {
            items.push(Item::Range(from, from));
        }
    }
}

fn literal(text: &[char]) -> Option<(char, usize)> {
    match text {
        ['\\', next, ..] => Some((*next, 2)),
        [next, ..] => Some((*next, 1)),
        [] => None,
    }
}

type Class = fn(char) -> bool;

/// `[:name:]`, and its length.
fn class(text: &[char]) -> Option<(Class, usize)> {
    let end = text.windows(2).position(|pair| pair == [':', ']']).filter(|end| *end >= 2)?;
    let name: String = text[2..end].iter().collect();
    let class: Class = match name.as_str() {
        "alpha" => char::is_alphabetic,
        "digit" => |c| c.is_ascii_digit(),
        "alnum" => char::is_alphanumeric,
        "upper" => char::is_uppercase,
        "lower" => char::is_lowercase,
        "space" => char::is_whitespace,
        "blank" => |c| matches!(c, ' ' | '\t'),
        "punct" => |c| c.is_ascii_punctuation(),
        "cntrl" => char::is_control,
        "xdigit" => |c| c.is_ascii_hexdigit(),
        "graph" => |c| !c.is_control() && !c.is_whitespace(),
        "print" => |c| !c.is_control(),
        _ => return None,
    };
    Some((class, end + 2))
}

#[cfg(test)]
mod tests;
