//! Files that are written and then not used: scripts that cannot be run, and what sudo or cron skip
//! (`cloudinit/config/cc_write_files.py`; sudoers(5), cron(8), run-parts(8)).

use std::collections::HashMap;

use super::{NAMES, Report, items, shown, trap};
use crate::value::{Kind, Map, Value};

pub(super) fn look(config: &Map, report: &mut Report<'_>) {
    let mut scripts: HashMap<&str, bool> = HashMap::new();
    for (index, file) in items(config, "write_files").iter().enumerate() {
        let Some(target) = file.get("path") else { continue };
        let Some(path) = target.as_text() else { continue };
        skipped(target, path, &format!("write_files.{index}.path"), report);
        if scripts.len() < NAMES {
            scripts.insert(path, is_executable(file));
        }
    }
    if scripts.is_empty() {
        return;
    }
    for (index, item) in items(config, "runcmd").iter().enumerate() {
        let program = match &item.kind {
            Kind::Text(text) => text.split_ascii_whitespace().find(|word| *word != "sudo"),
            Kind::List(words) => words.iter().filter_map(Value::as_text).find(|word| *word != "sudo"),
            _ => None,
        };
        let Some(program) = program.filter(|program| scripts.get(program) == Some(&false)) else { continue };
        report.tell(trap(
            "script-not-executable",
            item.place,
            format!("runcmd.{index}"),
            format!("{} cannot be run: `write_files` gives it no mode with an `x`", shown(program)),
            "add `permissions: \"0755\"` to the file",
        ));
    }
}

/// Whether the mode that the file gets lets somebody run it. What is no mode has a trap of its own.
fn is_executable(file: &Value) -> bool {
    match file.get("permissions").map(|mode| &mode.kind) {
        None | Some(Kind::Null) => false,
        Some(Kind::Text(text)) => super::files::octal(text).is_some_and(|mode| mode & 0o111 != 0),
        Some(_) => true,
    }
}

/// Names that the readers of a directory pass over.
fn skipped(target: &Value, path: &str, at: &str, report: &mut Report<'_>) {
    let Some((folder, name)) = path.rsplit_once('/') else { return };
    let who = match folder {
        "/etc/sudoers.d" => "sudo",
        "/etc/cron.d" | "/etc/cron.hourly" | "/etc/cron.daily" | "/etc/cron.weekly" | "/etc/cron.monthly" => {
            "Debian's cron"
        }
        _ => return,
    };
    if name.contains('.') || name.ends_with('~') {
        report.tell(trap(
            "file-not-read",
            target.place,
            at,
            format!("{who} passes over {} for the dot or `~` in its name", shown(name)),
            "choose a name of letters, digits, `-` and `_`",
        ));
    }
}
