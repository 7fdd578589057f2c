//! What is wrong with one path, in a sentence.

use hardtack_guest::{Content, Edit, Error, FileType, Metadata, Op, Stage, State};

use crate::private;
use crate::redact::Redactor;

/// Larger files are not looked into for the first line that differs.
const LIMIT: u64 = 1 << 20;
/// So much of a line is shown.
const LONGEST: usize = 100;

/// The first line of the image's file that is otherwise, and what is wrong.
pub(super) fn tell(
    stage: &Stage<'_>,
    edit: &Edit,
    redactor: &Redactor,
) -> Result<(Option<usize>, String), Error> {
    let path = edit.path.as_str();
    let mut line = None;
    let mut facts = Vec::new();
    match (&edit.state, edit.before) {
        (State::Absent, _) => facts.push("is there and should not be".to_owned()),
        (state, None) => facts.push(format!("is not there and should be {}", wanted(state))),
        (state, Some(before)) if kind(state) != before.kind => {
            facts.push(format!("is {} and should be {}", before.kind.describe(), wanted(state)));
        }
        (State::Link(target, _), Some(_)) if edit.op() == Op::Link => {
            let old = stage.original_link(&edit.path)?.unwrap_or_default();
            facts.push(format!("leads to {old} and should lead to {target}"));
        }
        (State::File(content, _), Some(before)) if !matches!(content, Content::Kept) => {
            let (at, fact) = content_differs(stage, edit, before, redactor)?;
            line = at;
            facts.push(fact);
        }
        _ => {}
    }
    facts.extend(attributes(edit));
    let names: Vec<&str> = edit.xattrs.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() && edit.before.is_some() {
        facts.push(format!("should have other extended attributes ({})", names.join(", ")));
    }
    if facts.is_empty() {
        facts.push("differs".to_owned());
    }
    Ok((line, redactor.apply(&format!("{path}: {}", facts.join("; ")))))
}

fn attributes(edit: &Edit) -> Vec<String> {
    let (State::Directory(new) | State::File(_, new) | State::Link(_, new) | State::Special(new)) =
        &edit.state
    else {
        return Vec::new();
    };
    let Some(old) = edit.before.filter(|old| old.kind == kind(&edit.state)) else { return Vec::new() };
    let mut facts = Vec::new();
    if old.mode != new.mode && old.kind != FileType::Symlink {
        facts.push(format!("has mode {:04o} and should have {:04o}", old.mode, new.mode));
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        facts.push(format!("belongs to {}:{} and should to {}:{}", old.uid, old.gid, new.uid, new.gid));
    }
    facts
}

/// The first line that differs, as it is and as it should be, where it may be shown.
fn content_differs(
    stage: &Stage<'_>,
    edit: &Edit,
    before: Metadata,
    redactor: &Redactor,
) -> Result<(Option<usize>, String), Error> {
    let other = || (None, "has other content than it should".to_owned());
    let path = edit.path.as_str();
    let after = stage.lstat(path)?;
    let private = private::withheld(stage, &edit.path, [Some(before), after])?;
    let small = after.is_some_and(|after| after.size <= LIMIT) && before.size <= LIMIT;
    if !small {
        return Ok(other());
    }
    let old = stage.original(&edit.path, LIMIT)?.unwrap_or_default();
    let new = stage.read(path)?.unwrap_or_default();
    let (Ok(old), Ok(new)) = (String::from_utf8(old), String::from_utf8(new)) else { return Ok(other()) };
    // A secret is looked for before anything is escaped or cut.
    let show = |line: &str| match private::holds_passwords(&edit.path) {
        true => cut(&redactor.apply(&private::without_password(line))),
        false => cut(&redactor.apply(line)),
    };
    let mut found = old.lines();
    let mut wanted = new.lines();
    let mut number = 1;
    loop {
        let (is, should) = (found.next(), wanted.next());
        if is != should {
            let fact = match (is, should) {
                _ if stage.is_hidden(&edit.path) => format!("line {number} is not as it should be"),
                _ if private.is_some() => {
                    let why = private.as_deref().unwrap_or_default();
                    format!("line {number} is not as it should be (content not shown: {why})")
                }
                (Some(is), Some(should)) => {
                    format!("line {number} is {:?} and should be {:?}", show(is), show(should))
                }
                (None, Some(should)) => format!("line {number} is missing: {:?}", show(should)),
                (Some(is), None) => format!("line {number} should not be there: {:?}", show(is)),
                (None, None) => String::new(),
            };
            return Ok((Some(number), fact));
        }
        if is.is_none() {
            // Only the ends of lines.
            return Ok(other());
        }
        number += 1;
    }
}

/// The start of a line that holds no secrets any more.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn wanted(state: &State) -> String {
    match state {
        State::Absent => "nothing".to_owned(),
        State::Link(target, _) => format!("a symbolic link to {target}"),
        _ => kind(state).describe().to_owned(),
    }
}

fn kind(state: &State) -> FileType {
    match state {
        State::Directory(_) => FileType::Directory,
        State::File(..) => FileType::Regular,
        State::Link(..) => FileType::Symlink,
        State::Special(_) | State::Absent => FileType::Special,
    }
}
