//! The plan in one line for each path, for recipes that change hundreds of them.

use hardtack_guest::{Change, FileType, Op};

use super::{Plan, on_one_line, visible};

impl Plan<'_, '_> {
    /// One line for each entry: `added`, `changed` or `removed`, its mode, its size in bytes, its path. What a package
    /// or an initramfs brings is one entry. No content is in it, and no size of a secret.
    #[must_use]
    pub fn to_summary(&self) -> String {
        let mut text = String::new();
        for fact in &self.disk {
            text.push_str(&format!("{:<8} {}\n", "disk", visible(fact)));
        }
        for change in &self.changes {
            text.push_str(&format!("{}  [{}]\n", self.line(change), change.step));
        }
        for task in &self.tasks {
            let (name, what) = (on_one_line(&task.name), on_one_line(&task.text()));
            text.push_str(&format!("{:<8} {name} ({what})\n", "task"));
        }
        text
    }

    fn line(&self, change: &Change) -> String {
        let path = on_one_line(&change.path);
        let Some(single) = self.single(change).filter(|_| change.op != Op::Package) else {
            return format!("{:<8} {path} ({})", change.op.name(), super::paths(change));
        };
        let word = match (change.before, change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        let found = [change.before, change.after];
        let modes = found.map(|found| found.map(|found| format!("{:04o}", found.mode)));
        let sizes = found.map(|found| {
            let file = found.filter(|found| found.kind == FileType::Regular && !self.stage.is_hidden(single));
            file.map(|found| found.size.to_string())
        });
        format!("{word:<8} {:<9} {:<13} {path}", both(modes), both(sizes))
    }
}

/// "before→after", or the one that there is.
fn both([before, after]: [Option<String>; 2]) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before != after => format!("{before}→{after}"),
        (before, after) => after.or(before).unwrap_or_else(|| "-".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_guest::{MemoryTree, Set, Stage};

    use super::*;

    #[test]
    fn each_path_is_one_line_without_content() {
        let tree = MemoryTree::new()
            .file("/etc/old", "12345")
            .file("/etc/same", "abc")
            .file_as("/etc/key", "k", 0o600, 0, 0);
        let mut stage = Stage::new(&tree);
        stage.set_step("files");
        stage.remove("/etc/old").unwrap();
        stage.write("/etc/same", "canary", Set::mode(0o600)).unwrap();
        stage.write("/etc/new\nline", "canary two\n", Set::default()).unwrap();
        stage.write("/etc/key", "canary three", Set::default()).unwrap();
        stage.hide_content("/etc/key").unwrap();
        stage.symlink("/link", "/etc").unwrap();
        let plan = Plan::new(&stage).unwrap().with_disk(vec!["it grows".to_owned()]);
        let text = plan.to_summary();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "added    0644      11            /etc/new\\u{a}line  [files]",
                "added    0777      -             /link  [files]",
                "changed  0600      -             /etc/key  [files]",
                "changed  0644→0600 3→6           /etc/same  [files]",
                "disk     it grows",
                "removed  0644      5             /etc/old  [files]",
            ],
            "{text}"
        );
    }
}
