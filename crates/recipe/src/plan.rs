//! What a recipe would change in an image, for people and for programs.

use hardtack_guest::{Change, FileType, GuestPath, Metadata, Op, Stage};
use serde::Serialize;
use similar::TextDiff;

use crate::REDACTED;

/// Differences are shown for files up to this size; beyond it nobody reads them.
const DIFF_LIMIT: u64 = 1 << 20;

/// The plan: every change, in the order of paths.
pub struct Plan<'s, 't> {
    stage: &'s Stage<'t>,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct JsonPlan<'a> {
    changes: Vec<JsonChange<'a>>,
}

#[derive(Serialize)]
struct JsonChange<'a> {
    op: &'static str,
    path: &'a str,
    step: &'a str,
}

impl<'s, 't> Plan<'s, 't> {
    /// The plan of everything that was staged.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn new(stage: &'s Stage<'t>) -> Result<Self, hardtack_guest::Error> {
        Ok(Self { stage, changes: stage.changes()? })
    }

    /// The entries.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// `{"changes":[{"op":…,"path":…,"step":…}]}`, one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let changes = self.changes.iter().map(|change| JsonChange {
            op: change.op.name(),
            path: &change.path,
            step: &change.step,
        });
        // Strings and lists of strings always serialise.
        serde_json::to_string(&JsonPlan { changes: changes.collect() }).unwrap_or_default()
    }

    /// The plan as a difference, secrets redacted.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn to_text(&self) -> Result<String, hardtack_guest::Error> {
        let mut text = String::new();
        for change in &self.changes {
            text.push_str(&headline(change));
            text.push('\n');
            if matches!(change.op, Op::Write | Op::Remove)
                && let [path] = &change.edits[..]
            {
                self.difference(change, path, &mut text)?;
            }
        }
        Ok(redact(&text, self.stage.secrets()))
    }

    fn difference(
        &self,
        change: &Change,
        path: &GuestPath,
        text: &mut String,
    ) -> Result<(), hardtack_guest::Error> {
        let is_file = |found: Option<Metadata>| found.is_some_and(|found| found.kind == FileType::Regular);
        let too_large = |found: Option<Metadata>| found.is_some_and(|found| found.size > DIFF_LIMIT);
        if too_large(change.before) || too_large(change.after) {
            return Ok(());
        }
        let old = if is_file(change.before) { self.stage.original(path, DIFF_LIMIT)? } else { None };
        let new = if is_file(change.after) { self.stage.read(path.as_str())? } else { None };
        let (Ok(old), Ok(new)) =
            (String::from_utf8(old.unwrap_or_default()), String::from_utf8(new.unwrap_or_default()))
        else {
            text.push_str("  (not text)\n");
            return Ok(());
        };
        for line in TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string().lines() {
            text.push_str("  ");
            text.push_str(&printable(line));
            text.push('\n');
        }
        Ok(())
    }
}

fn headline(change: &Change) -> String {
    let mut line = format!("{:<9} {}", change.op.name(), printable(&change.path));
    match (change.op, change.before, change.after) {
        (Op::Write | Op::Mkdir, None, Some(new)) => {
            line.push_str(&format!(" (new, {:04o} {}:{})", new.mode, new.uid, new.gid));
        }
        (Op::Write | Op::Chmod | Op::Chown, Some(old), Some(new)) => {
            if old.mode != new.mode {
                line.push_str(&format!(" (mode {:04o} → {:04o})", old.mode, new.mode));
            }
            if (old.uid, old.gid) != (new.uid, new.gid) {
                line.push_str(&format!(" (owner {}:{} → {}:{})", old.uid, old.gid, new.uid, new.gid));
            }
        }
        _ => {}
    }
    if matches!(change.op, Op::Package | Op::Initramfs) {
        let count = change.edits.len();
        line.push_str(&format!(" ({count} {})", if count == 1 { "path" } else { "paths" }));
    }
    line.push_str(&format!("  [{}]", change.step));
    line
}

/// Control characters of the image must not reach a terminal.
fn printable(line: &str) -> String {
    line.chars()
        .map(|character| match character {
            '\t' => character,
            _ if character.is_control() => '\u{fffd}',
            _ => character,
        })
        .collect()
}

/// Replaces the given secrets, and whatever looks like a password hash, by `<redacted>`.
#[must_use]
pub fn redact(text: &str, secrets: &[String]) -> String {
    let mut shown = text.to_owned();
    let mut secrets: Vec<&String> = secrets.iter().collect();
    // A secret may be part of a longer one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        shown = shown.replace(secret.as_str(), REDACTED);
        for line in secret.lines().filter(|line| line.len() > 3) {
            shown = shown.replace(line, REDACTED);
        }
    }
    redact_hashes(&shown)
}

/// crypt(5): `$id$…` up to the end of the field.
fn redact_hashes(text: &str) -> String {
    const SCHEMES: [&str; 10] = ["$1$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$2a$", "$2b$", "$2y$", "$sha1$"];
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, candidate) = rest.split_at(start);
        shown.push_str(before);
        let end = candidate
            .find(|c: char| !(c.is_ascii_alphanumeric() || "$./=,+-".contains(c)))
            .unwrap_or(candidate.len());
        let (field, after) = candidate.split_at(end);
        let is_hash =
            SCHEMES.iter().any(|scheme| field.starts_with(scheme) && field.len() > scheme.len() + 8);
        if is_hash {
            shown.push_str(REDACTED);
            rest = after;
        } else {
            shown.push('$');
            rest = &candidate[1..];
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::{MemoryTree, Set};

    use super::*;

    #[test]
    fn secrets_never_show() {
        let tree = MemoryTree::new()
            .file("/etc/shadow", "root:$6$abcdefgh$0123456789abcdef:1::::::\n")
            .file("/etc/motd", "one\ntwo\n");
        let mut stage = Stage::new(&tree);
        stage.set_step("files");
        stage.add_secret("canary");
        stage.write("/etc/motd", "one\nthe canary sings\n", Set::default()).unwrap();
        stage.write("/etc/shadow", "root:!:1::::::\n", Set::mode(0o600)).unwrap();
        let plan = Plan::new(&stage).unwrap();
        let text = plan.to_text().unwrap();
        assert!(!text.contains("canary") && !text.contains("0123456789abcdef"), "{text}");
        assert!(text.contains("+the <redacted> sings"), "{text}");
        assert!(text.contains("-root:<redacted>:1::::::"), "{text}");
        assert!(text.contains("write     /etc/shadow (mode 0644 → 0600)  [files]"), "{text}");
        assert_eq!(
            plan.to_json(),
            r#"{"changes":[{"op":"write","path":"/etc/motd","step":"files"},{"op":"write","path":"/etc/shadow","step":"files"}]}"#
        );
    }

    #[test]
    fn nothing_to_do_is_an_empty_list() {
        let tree = MemoryTree::new();
        let stage = Stage::new(&tree);
        assert_eq!(Plan::new(&stage).unwrap().to_json(), r#"{"changes":[]}"#);
        assert_eq!(Plan::new(&stage).unwrap().to_text().unwrap(), "");
    }

    #[test]
    fn money_is_not_a_hash() {
        assert_eq!(redact("costs $5$ or $600, $PATH and $6$x", &[]), "costs $5$ or $600, $PATH and $6$x");
        assert_eq!(redact("a:$y$j9T$abcdefghijk$lmnop:b", &[]), "a:<redacted>:b");
    }
}
