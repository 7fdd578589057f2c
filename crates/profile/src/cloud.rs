//! What cloud-init is configured to do, and our drop-ins for it.
//!
//! `/etc/cloud/cloud.cfg` and `/etc/cloud/cloud.cfg.d/*.cfg` are read as one: mappings join, of anything else the file
//! that sorts last wins (util.read_conf_with_confd; tried with 22.4 and 25.1).

use hardtack_guest::Stage;
use hardtack_yaml::{Document, Limits, Node};

use crate::merged::{names, text};
use crate::{Bench, Error};

const MAIN: &str = "/etc/cloud/cloud.cfg";
const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";
const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 32, nodes: 20_000 };

/// The user that a machine makes for whoever starts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DefaultUser {
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
    /// The rules for sudo, and the file that says them.
    pub(crate) sudo: Option<(Vec<String>, String)>,
}

/// Whether something in the image goes by cloud-init's configuration.
pub(crate) fn is_there(stage: &Stage<'_>) -> Result<bool, Error> {
    let disabled = stage.stat("/etc/cloud/cloud-init.disabled")?.is_some();
    Ok(!disabled && stage.stat(MAIN)?.is_some())
}

/// The default user; `without`: the name of a file that is passed over. Files that are no YAML say nothing, as to
/// cloud-init.
pub(crate) fn default_user(stage: &Stage<'_>, without: &str) -> Result<DefaultUser, Error> {
    let mut files = vec![MAIN.to_owned()];
    let drop_ins = names(stage, DIRECTORY)?.into_iter().filter(|name| name.ends_with(".cfg"));
    files.extend(drop_ins.map(|name| format!("{DIRECTORY}/{name}")).filter(|path| path != without));
    let mut user = DefaultUser::default();
    for path in files {
        let Some(text) = text(stage, &path) else { continue };
        let Ok(node) = Document::parse(&path, &text, LIMITS) else { continue };
        let Some(found) = node.get("system_info").and_then(|info| info.get("default_user")) else { continue };
        if let Some(name) = found.get("name").and_then(Node::text) {
            user.name = Some(name.to_owned());
        }
        if let Some(groups) = found.get("groups") {
            user.groups = words(groups);
        }
        if let Some(sudo) = found.get("sudo") {
            user.sudo = Some((lines(sudo), path.clone()));
        }
    }
    Ok(user)
}

/// A list, or one line.
fn lines(node: &Node) -> Vec<String> {
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(Node::text).map(str::to_owned).collect(),
        None => node.text().map(str::to_owned).into_iter().collect(),
    }
}

/// A list, or one line with commas.
fn words(node: &Node) -> Vec<String> {
    let all = lines(node);
    let words = all.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The drop-in `path` has these lines, if something reads it.
pub(crate) fn drop_in(bench: &mut Bench<'_, '_>, path: &'static str, lines: &[String]) -> Result<(), Error> {
    if is_there(bench.stage)? {
        for line in lines {
            bench.line(path, 0o644, line);
        }
    }
    Ok(())
}

/// A word as a YAML scalar: names of groups and users hold nothing that single quotes do not carry.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardtack_guest::MemoryTree;

    #[test]
    fn files_join_and_the_last_one_wins() {
        let tree = MemoryTree::new()
            .file(MAIN, "system_info:\n  default_user:\n    name: debian\n    groups: [adm, sudo]\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n")
            .file("/etc/cloud/cloud.cfg.d/10-a.cfg", "system_info: {default_user: {groups: \"adm, users\"}}\n")
            .file("/etc/cloud/cloud.cfg.d/20-damaged.cfg", "system_info: [")
            .file("/etc/cloud/cloud.cfg.d/30-b.cfg", "system_info:\n  default_user: {sudo: false}\n")
            .file("/etc/cloud/cloud.cfg.d/40-c.off", "system_info: {default_user: {name: x}}\n");
        let stage = Stage::new(&tree);
        let user = default_user(&stage, "").unwrap();
        assert_eq!((user.name.as_deref(), user.groups.join(" ").as_str()), (Some("debian"), "adm users"));
        assert_eq!(user.sudo.unwrap().1, "/etc/cloud/cloud.cfg.d/30-b.cfg");
        let without = default_user(&stage, "/etc/cloud/cloud.cfg.d/10-a.cfg").unwrap();
        assert_eq!(without.groups, ["adm", "sudo"]);
    }
}
