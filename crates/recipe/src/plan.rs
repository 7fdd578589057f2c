//! What a recipe would change in an image, for people and for programs.

use hardtack_guest::{Change, FileType, GuestPath, Metadata, Op, Stage};
use regex::{NoExpand, Regex, RegexBuilder};
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
            if let Op::Link | Op::Remove = change.op
                && let [path] = &change.edits[..]
            {
                text.push_str(&self.targets(path)?);
            }
            text.push_str(&format!("  [{}]\n", change.step));
            if matches!(change.op, Op::Write | Op::Remove)
                && let [path] = &change.edits[..]
            {
                self.difference(change, path, &mut text)?;
            }
        }
        Ok(text)
    }

    /// Where a link leads, and where it led.
    fn targets(&self, path: &GuestPath) -> Result<String, hardtack_guest::Error> {
        let mut text = String::new();
        if let Some(new) = self.stage.read_link(path.as_str())? {
            text.push_str(&format!(" → {}", printable(&new)));
        }
        if let Some(old) = self.stage.original_link(path)? {
            text.push_str(&format!(" (was → {})", printable(&old)));
        }
        Ok(text)
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
        let difference = TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string();
        let hidden = self.stage.is_hidden(path);
        let redactor = Redactor::new(self.stage.secrets());
        for line in difference.lines() {
            // A secret is looked for before control characters are replaced in it.
            let shown = match line.split_at_checked(1) {
                Some((sign @ ("+" | "-"), _)) if hidden => format!("{sign}{REDACTED}"),
                Some((sign @ ("+" | "-" | " "), rest)) => format!("{sign}{}", redactor.apply(rest)),
                _ => line.to_owned(),
            };
            text.push_str("  ");
            text.push_str(&printable(&shown));
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
    Redactor::new(secrets).apply(text)
}

/// Finds secrets in one go, so that none is looked for inside of `<redacted>` itself.
struct Redactor {
    pattern: Option<Regex>,
}

impl Redactor {
    /// A shorter secret is replaced where it stands as a word of its own: one of a single letter
    /// would leave nothing readable, and show by that which letter it is.
    const SHORT: usize = 4;
    /// Memory for the secrets of one recipe, in bytes.
    const LIMIT: usize = 256 << 20;

    fn new(secrets: &[String]) -> Self {
        let lines = secrets.iter().flat_map(|secret| secret.lines()).filter(|line| line.len() >= Self::SHORT);
        let mut needles: Vec<&str> = secrets.iter().map(String::as_str).chain(lines).collect();
        needles.retain(|needle| !needle.is_empty());
        // A secret may be part of a longer one, and the first that fits is taken.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        if needles.is_empty() {
            return Self { pattern: None };
        }
        let alternatives: Vec<String> = needles.into_iter().map(alternative).collect();
        let pattern = RegexBuilder::new(&alternatives.join("|")).size_limit(Self::LIMIT).build();
        // Too many secrets to look for: then nothing of the text is shown.
        Self { pattern: Some(pattern.unwrap_or_else(|_| everything())) }
    }

    fn apply(&self, text: &str) -> String {
        match &self.pattern {
            None => redact_hashes(text),
            Some(pattern) => redact_hashes(&pattern.replace_all(text, NoExpand(REDACTED))),
        }
    }
}

fn alternative(needle: &str) -> String {
    let word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let escaped = regex::escape(needle);
    if needle.len() >= Redactor::SHORT {
        return escaped;
    }
    let start = if word(needle.chars().next()) { "\\b" } else { "" };
    let end = if word(needle.chars().next_back()) { "\\b" } else { "" };
    format!("{start}{escaped}{end}")
}

#[allow(clippy::unwrap_used)]
fn everything() -> Regex {
    // A constant that a test below compiles.
    Regex::new("(?s).+").unwrap()
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
    fn what_a_hidden_file_held_before_is_hidden_too() {
        let tree = MemoryTree::new().file("/etc/token", "user=me\ntoken=yesterday\n");
        let mut stage = Stage::new(&tree);
        stage.add_secret("to\u{1b}day");
        stage.write("/etc/token", "user=me\ntoken=to\u{1b}day\n", Set::default()).unwrap();
        stage.write("/etc/other", "holds to\u{1b}day\n", Set::default()).unwrap();
        stage.hide_content("/etc/token").unwrap();
        let text = Plan::new(&stage).unwrap().to_text().unwrap();
        assert!(!text.contains("day"), "{text}");
        assert!(text.contains("   user=me\n  -<redacted>\n  +<redacted>\n"), "{text}");
        assert!(text.contains("+holds <redacted>\n"), "{text}");
    }

    #[test]
    fn a_short_secret_does_not_eat_the_plan() {
        let tree = MemoryTree::new();
        let mut stage = Stage::new(&tree);
        stage.add_secret("a");
        stage.write("/etc/a", "data a here", Set::default()).unwrap();
        let text = Plan::new(&stage).unwrap().to_text().unwrap();
        assert!(text.contains("write     /etc/a (new"), "{text}");
        assert!(text.contains("+data <redacted> here\n  \\ No newline at end of file"), "{text}");
        let secrets = ["redacted".to_owned(), "long one".to_owned(), "a".to_owned()];
        assert_eq!(redact("long one, a, redacted", &secrets), "<redacted>, <redacted>, <redacted>");
        assert_eq!(everything().replace_all("any\nthing", "x"), "x");
    }

    #[test]
    fn links_show_where_they_lead() {
        let tree = MemoryTree::new().link("/etc/localtime", "/usr/share/zoneinfo/CET").link("/gone", "x");
        let mut stage = Stage::new(&tree);
        stage.set_step("files");
        stage.symlink("/etc/localtime", "/usr/share/zoneinfo/UTC").unwrap();
        stage.symlink("/new", "a\u{1b}b").unwrap();
        stage.remove("/gone").unwrap();
        let text = Plan::new(&stage).unwrap().to_text().unwrap();
        assert_eq!(
            text,
            "link      /etc/localtime → /usr/share/zoneinfo/UTC (was → /usr/share/zoneinfo/CET)  [files]\n\
             remove    /gone (was → x)  [files]\n\
             link      /new → a\u{fffd}b  [files]\n"
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
