//! What a recipe would change in an image, for people and for programs.

mod summary;

use hardtack_credentials::{AgentConfig, TaskKind};
use hardtack_guest::{Change, FileType, GuestPath, Metadata, Op, Stage};
use hardtack_report::{Entry, Fact, PlanPage, visible};
use serde::Serialize;
use similar::TextDiff;

use crate::private;
use crate::redact::Redactor;
use crate::steps::agent::CONFIG;
use crate::{Note, REDACTED, WaysIn, Weight};

/// The version of the JSON of plans.
pub const PLAN_SCHEMA: u32 = 1;

/// Differences are shown for files up to this size; beyond it nobody reads them.
const DIFF_LIMIT: u64 = 1 << 20;

/// The plan: every change, in the order of paths.
pub struct Plan<'s, 't> {
    stage: &'s Stage<'t>,
    changes: Vec<Change>,
    redactor: Redactor,
    notes: Vec<Said>,
    disk: Vec<String>,
    tasks: Vec<Task>,
    ways_in: Option<WaysIn>,
}

#[derive(Serialize)]
struct JsonPlan<'a> {
    schema: u32,
    disk: &'a [String],
    changes: Vec<JsonChange<'a>>,
    packages: Vec<JsonPackage<'a>>,
    tasks: &'a [Task],
    notes: &'a [Said],
    #[serde(skip_serializing_if = "Option::is_none")]
    ways_in: Option<&'a WaysIn>,
}

#[derive(Serialize)]
struct JsonChange<'a> {
    op: &'static str,
    path: &'a str,
    step: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Attributes>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
}

/// What is not in the difference of the content.
#[derive(Serialize)]
struct Attributes {
    kind: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

#[derive(Serialize)]
struct JsonPackage<'a> {
    name: &'a str,
    version: &'a str,
    paths: usize,
    step: &'a str,
}

/// A sentence of a step, without secrets.
#[derive(Serialize)]
struct Said {
    weight: &'static str,
    step: &'static str,
    text: String,
}

/// What is done at first boot, or at each.
#[derive(Serialize)]
struct Task {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    packages: Vec<String>,
}

impl Task {
    fn text(&self) -> String {
        let what = match self.kind {
            "script" => "a program",
            "command" => "a command",
            "install" => "the package manager installs",
            "uninstall" => "the package manager removes",
            "update" => "the package manager brings all packages up to date",
            "unpacked" => "packages are configured:",
            "spooled" => "packages are installed:",
            "remove" => "packages are removed:",
            "purge" => "packages are removed with their configuration:",
            other => other,
        };
        format!("at first boot: {what} {}", self.packages.join(", ")).trim_end().to_owned()
    }
}

impl<'s, 't> Plan<'s, 't> {
    /// The plan of everything that was staged.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn new(stage: &'s Stage<'t>) -> Result<Self, hardtack_guest::Error> {
        let changes = stage.changes()?;
        let redactor = Redactor::new(stage.secrets());
        let tasks = tasks(stage, &changes, &redactor)?;
        Ok(Self { stage, changes, redactor, notes: Vec::new(), disk: Vec::new(), tasks, ways_in: None })
    }

    /// With what the steps said.
    #[must_use]
    pub fn with_notes(mut self, notes: &[Note]) -> Self {
        let said = |note: &Note| Said {
            weight: match note.weight {
                Weight::Info => "note",
                Weight::Warning | Weight::Capital => "warning",
            },
            step: note.step,
            text: self.redactor.apply(&note.text),
        };
        self.notes = notes.iter().map(said).collect();
        self
    }

    /// With what happens to the disk itself: it grows, and a partition with it.
    #[must_use]
    pub fn with_disk(mut self, disk: Vec<String>) -> Self {
        self.disk = disk;
        self
    }

    /// With who gets into the result.
    #[must_use]
    pub fn with_ways_in(mut self, ways_in: WaysIn) -> Self {
        self.ways_in = Some(ways_in);
        self
    }

    /// Who gets into the result; none where nobody has said.
    #[must_use]
    pub fn ways_in(&self) -> Option<&WaysIn> {
        self.ways_in.as_ref()
    }

    /// The entries.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.disk.is_empty()
    }

    /// `{"schema":1,"disk":…,"changes":[{"op":…,"path":…,"step":…,…}],"packages":…,"tasks":…,"notes":…}`,
    /// one line.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn to_json(&self) -> Result<String, hardtack_guest::Error> {
        let mut changes = Vec::new();
        for change in &self.changes {
            let path = self.single(change);
            let (old, new) = match path {
                Some(path) => (self.stage.original_link(path)?, self.stage.read_link(path.as_str())?),
                None => (None, None),
            };
            changes.push(JsonChange {
                op: change.op.name(),
                path: &change.path,
                step: &change.step,
                before: change.before.map(|found| attributes(found, old.map(|to| self.redactor.apply(&to)))),
                after: change.after.map(|found| attributes(found, new.map(|to| self.redactor.apply(&to)))),
                diff: self.difference(change)?,
            });
        }
        let packages = self.changes.iter().filter(|change| change.op == Op::Package).map(|change| {
            let (name, version) = change.path.split_once(' ').unwrap_or((&change.path, ""));
            JsonPackage { name, version, paths: change.edits.len(), step: &change.step }
        });
        let plan = JsonPlan {
            schema: PLAN_SCHEMA,
            disk: &self.disk,
            packages: packages.collect(),
            changes,
            tasks: &self.tasks,
            notes: &self.notes,
            ways_in: self.ways_in.as_ref(),
        };
        // Strings and lists of strings always serialise.
        Ok(serde_json::to_string(&plan).unwrap_or_default())
    }

    /// The plan as a difference, secrets redacted; the notes are not in it.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn to_text(&self) -> Result<String, hardtack_guest::Error> {
        let mut text = String::new();
        for fact in &self.disk {
            text.push_str(&format!("disk      {}\n", visible(fact)));
        }
        for change in &self.changes {
            let entry = self.entry(change)?;
            let gap = if entry.detail.is_empty() { "" } else { " " };
            let (path, detail) = (on_one_line(&entry.path), on_one_line(&entry.detail));
            text.push_str(&format!("{:<9} {path}{gap}{detail}  [{}]\n", entry.op, entry.step));
            for line in entry.difference.lines() {
                text.push_str(&format!("  {}\n", visible(line)));
            }
        }
        for task in &self.tasks {
            text.push_str(&format!(
                "{:<9} {} ({})\n",
                "task",
                on_one_line(&task.name),
                on_one_line(&task.text())
            ));
        }
        Ok(text)
    }

    /// The plan for a page, secrets redacted.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn to_page(
        &self,
        version: &str,
        image: &str,
        recipe: &str,
    ) -> Result<PlanPage, hardtack_guest::Error> {
        let mut entries = Vec::new();
        for change in &self.changes {
            entries.push(self.entry(change)?);
        }
        let packages = self.changes.iter().filter(|change| change.op == Op::Package);
        Ok(PlanPage {
            version: version.to_owned(),
            image: image.to_owned(),
            recipe: recipe.to_owned(),
            disk: self.disk.clone(),
            packages: packages
                .map(|change| Fact { name: change.path.clone(), text: paths(change) })
                .collect(),
            tasks: self
                .tasks
                .iter()
                .map(|task| Fact { name: task.name.clone(), text: task.text() })
                .collect(),
            entries,
            notes: self
                .notes
                .iter()
                .map(|said| format!("{}: {}: {}", said.weight, said.step, said.text))
                .collect(),
        })
    }

    fn entry(&self, change: &Change) -> Result<Entry, hardtack_guest::Error> {
        let mut detail = details(change);
        if let (Op::Link | Op::Remove, Some(path)) = (change.op, self.single(change)) {
            detail.extend(self.targets(path)?);
        }
        Ok(Entry {
            op: change.op.name().to_owned(),
            path: change.path.clone(),
            detail: detail.join(" "),
            step: change.step.clone(),
            difference: self.difference(change)?,
        })
    }

    /// The path of an entry that is not a group.
    fn single<'c>(&self, change: &'c Change) -> Option<&'c GuestPath> {
        match &change.edits[..] {
            [path] if !matches!(change.op, Op::Package | Op::Initramfs) => Some(path),
            _ => None,
        }
    }

    /// Where a link leads, and where it led.
    fn targets(&self, path: &GuestPath) -> Result<Vec<String>, hardtack_guest::Error> {
        let mut said = Vec::new();
        if let Some(new) = self.stage.read_link(path.as_str())? {
            said.push(format!("→ {}", self.redactor.apply(&new)));
        }
        if let Some(old) = self.stage.original_link(path)? {
            said.push(format!("(was → {})", self.redactor.apply(&old)));
        }
        Ok(said)
    }

    /// The unified difference of a file's content, secrets redacted, or why there is none and how much changes.
    fn difference(&self, change: &Change) -> Result<String, hardtack_guest::Error> {
        let Some(path) = self.single(change).filter(|_| matches!(change.op, Op::Write | Op::Remove)) else {
            return Ok(String::new());
        };
        let file = |found: Option<Metadata>| found.filter(|found| found.kind == FileType::Regular);
        let (before, after) = (file(change.before), file(change.after));
        if before.is_none() && after.is_none() {
            return Ok(String::new());
        }
        let hidden = self.stage.is_hidden(path);
        if let Some(why) = private::withheld(self.stage, path, [before, after])? {
            // The size of a secret says how long it is.
            let sizes = if hidden { String::new() } else { format!("; {}", sizes(before, after)) };
            return Ok(format!("(content not shown: {why}{sizes})\n"));
        }
        if [before, after].into_iter().flatten().any(|found| found.size > DIFF_LIMIT) {
            return Ok(format!("(too large to show; {})\n", sizes(before, after)));
        }
        let old = if before.is_some() { self.stage.original(path, DIFF_LIMIT)? } else { None };
        let new = if after.is_some() { self.stage.read(path.as_str())? } else { None };
        let (Ok(old), Ok(new)) =
            (String::from_utf8(old.unwrap_or_default()), String::from_utf8(new.unwrap_or_default()))
        else {
            let sizes = if hidden { String::new() } else { format!("; {}", sizes(before, after)) };
            return Ok(format!("(not text{sizes})\n"));
        };
        let difference = TextDiff::from_lines(&old, &new).unified_diff().context_radius(2).to_string();
        let show = |line: &str| match private::holds_passwords(path) {
            true => self.redactor.apply(&private::without_password(line)),
            false => self.redactor.apply(line),
        };
        let mut text = String::new();
        for line in difference.lines() {
            match line.split_at_checked(1) {
                Some((sign @ ("+" | "-"), _)) if hidden => text.push_str(&format!("{sign}{REDACTED}")),
                Some((sign @ ("+" | "-" | " "), rest)) => text.push_str(&format!("{sign}{}", show(rest))),
                _ => text.push_str(line),
            }
            text.push('\n');
        }
        Ok(text)
    }
}

/// How much of a file there was, and will be.
fn sizes(before: Option<Metadata>, after: Option<Metadata>) -> String {
    match (before, after) {
        (Some(old), Some(new)) => format!("{} → {} bytes", old.size, new.size),
        (Some(old), None) => format!("was {} bytes", old.size),
        (None, new) => format!("{} bytes", new.map_or(0, |new| new.size)),
    }
}

/// What the agent does once: its configuration tells it, where that changes.
fn tasks(
    stage: &Stage<'_>,
    changes: &[Change],
    redactor: &Redactor,
) -> Result<Vec<Task>, hardtack_guest::Error> {
    let changed = changes.iter().any(|change| change.edits.iter().any(|path| path.as_str() == CONFIG));
    let config = match changed {
        true => stage.read(CONFIG)?.and_then(|bytes| serde_json::from_slice::<AgentConfig>(&bytes).ok()),
        false => None,
    };
    let Some(config) = config else { return Ok(Vec::new()) };
    let packages = config.packages.unwrap_or_default();
    let mut tasks: Vec<Task> = [
        ("spooled", packages.install),
        ("unpacked", packages.configure),
        ("remove", packages.remove),
        ("purge", packages.purge),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(kind, packages)| Task { name: "packages".to_owned(), kind, packages })
    .collect();
    tasks.extend(config.tasks.into_iter().map(|task| Task {
        name: redactor.apply(&task.name),
        kind: TaskKind::name(task.kind),
        packages: task.packages.iter().map(|name| redactor.apply(name)).collect(),
    }));
    Ok(tasks)
}

fn attributes(found: Metadata, target: Option<String>) -> Attributes {
    Attributes {
        kind: match found.kind {
            FileType::Regular => "file",
            FileType::Directory => "directory",
            FileType::Symlink => "link",
            FileType::Special => "special",
        },
        mode: format!("{:04o}", found.mode),
        uid: found.uid,
        gid: found.gid,
        target,
    }
}

/// Modes and owners, or how much a group is.
pub(crate) fn details(change: &Change) -> Vec<String> {
    let mut said = Vec::new();
    match (change.op, change.before, change.after) {
        (Op::Write | Op::Mkdir, None, Some(new)) => {
            said.push(format!("(new, {:04o} {}:{})", new.mode, new.uid, new.gid));
        }
        (Op::Write | Op::Chmod | Op::Chown, Some(old), Some(new)) => {
            if old.mode != new.mode {
                said.push(format!("(mode {:04o} → {:04o})", old.mode, new.mode));
            }
            if (old.uid, old.gid) != (new.uid, new.gid) {
                said.push(format!("(owner {}:{} → {}:{})", old.uid, old.gid, new.uid, new.gid));
            }
        }
        _ => {}
    }
    if matches!(change.op, Op::Package | Op::Initramfs) {
        said.push(format!("({})", paths(change)));
    }
    said
}

fn paths(change: &Change) -> String {
    let count = change.edits.len();
    format!("{count} {}", if count == 1 { "path" } else { "paths" })
}

/// Names of the image must not begin lines of their own.
fn on_one_line(text: &str) -> String {
    visible(text).replace('\n', "\\u{a}")
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
        let json: serde_json::Value = serde_json::from_str(&plan.to_json().unwrap()).unwrap();
        assert_eq!(json["schema"], PLAN_SCHEMA);
        assert_eq!(json["changes"][0]["path"], "/etc/motd");
        assert_eq!(json["changes"][0]["diff"], "@@ -1,2 +1,2 @@\n one\n-two\n+the <redacted> sings\n");
        assert_eq!(json["changes"][1]["before"]["mode"], "0644");
        assert_eq!(json["changes"][1]["after"]["mode"], "0600");
        let html = plan.to_page("0", "i", "r").unwrap().to_html();
        for shown in [json.to_string(), html] {
            assert!(!shown.contains("canary") && !shown.contains("0123456789abcdef"), "{shown}");
        }
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
    fn what_not_everybody_may_read_is_never_shown() {
        let tree = MemoryTree::new()
            .file_as("/etc/ssh/key", "canary one\n", 0o600, 0, 0)
            .file_as("/etc/opened", "canary two\n", 0o640, 0, 0)
            .file("/etc/closed", "canary three\n")
            .dir_as("/root", 0o700, 0, 0)
            .file("/root/history", "canary four\n")
            .file_as("/etc/shadow", "old:canaryDEShash:1::::::\n", 0o640, 0, 42);
        let mut stage = Stage::new(&tree);
        stage.set_step("files");
        stage.remove("/etc/ssh/key").unwrap();
        stage.write("/etc/opened", "canary new\n", Set::mode(0o644)).unwrap();
        stage.write("/etc/closed", "canary new\n", Set::mode(0o600)).unwrap();
        stage.write("/etc/fresh", "canary", Set::mode(0o440)).unwrap();
        stage.write("/root/history", "", Set::default()).unwrap();
        stage.write("/etc/shadow", "old:!:1::::::\n", Set::default()).unwrap();
        let plan = Plan::new(&stage).unwrap();
        let text = plan.to_text().unwrap();
        let html = plan.to_page("0", "i", "r").unwrap().to_html();
        for shown in [&text, &plan.to_json().unwrap(), &html] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        for line in [
            "remove    /etc/ssh/key  [files]\n  (content not shown: 0600; was 11 bytes)\n",
            "  (content not shown: 0640; 11 → 11 bytes)\n",
            "  (content not shown: 0600; 13 → 11 bytes)\n",
            "  (content not shown: 0440; 6 bytes)\n",
            "  (content not shown: /root is 0700; 12 → 0 bytes)\n",
            "  -old:<redacted>:1::::::\n  +old:!:1::::::\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_text_is_told_by_its_size() {
        let tree = MemoryTree::new()
            .file("/var/log/big", vec![b'x'; DIFF_LIMIT as usize + 1])
            .file("/b", [0xff, 0xfe].as_slice());
        let mut stage = Stage::new(&tree);
        stage.write("/var/log/big", "", Set::default()).unwrap();
        stage.remove("/b").unwrap();
        let text = Plan::new(&stage).unwrap().to_text().unwrap();
        assert!(text.contains("  (too large to show; 1048577 → 0 bytes)\n"), "{text}");
        assert!(text.contains("  (not text; was 2 bytes)\n"), "{text}");
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
             link      /new → a\\u{1b}b  [files]\n"
        );
    }

    #[test]
    fn nothing_to_do_is_an_empty_list() {
        let tree = MemoryTree::new();
        let stage = Stage::new(&tree);
        assert_eq!(
            Plan::new(&stage).unwrap().to_json().unwrap(),
            r#"{"schema":1,"disk":[],"changes":[],"packages":[],"tasks":[],"notes":[]}"#
        );
        assert_eq!(Plan::new(&stage).unwrap().to_text().unwrap(), "");
    }
}
