//! Which files an `Include` names: `glob(3)` with no flags, over the guest.

use super::pattern;
use crate::{Error, Stage};

/// Where relative patterns start.
const SSHDIR: &str = "/etc/ssh";

/// Matches of a pattern are cut off here; nobody has so many, and a hostile image could.
const MATCH_LIMIT: usize = 4096;

/// The absolute form of an `Include` argument.
pub(super) fn absolute(argument: &str) -> String {
    if argument.starts_with('/') { argument.to_owned() } else { format!("{SSHDIR}/{argument}") }
}

/// Whether `path` is among what the pattern can match, should it exist.
pub(super) fn could_match(argument: &str, path: &str) -> bool {
    let pattern = absolute(argument);
    let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(pattern, name)| pattern::glob(pattern, name))
}

/// The existing paths that match, in byte order (sshd sets no collation).
pub(super) fn expand(stage: &Stage<'_>, argument: &str) -> Result<Vec<String>, Error> {
    let mut found = vec![String::new()];
    for part in absolute(argument).split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !pattern::has_wildcard(part) {
                let path = format!("{base}/{}", part.replace('\\', ""));
                if stage.lstat(&path)?.is_some() {
                    next.push(path);
                }
                continue;
            }
            let directory = if base.is_empty() { "/" } else { base.as_str() };
            let is_directory =
                stage.stat(directory)?.is_some_and(|found| found.kind == crate::FileType::Directory);
            if !is_directory {
                continue;
            }
            for entry in stage.list(directory)? {
                if pattern::glob(part, &entry.name) {
                    next.push(format!("{base}/{}", entry.name));
                }
            }
            if next.len() > MATCH_LIMIT {
                return Err(Error::Content {
                    path: directory.into(),
                    line: None,
                    what: format!("Include {argument} matches more than {MATCH_LIMIT} files"),
                });
            }
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MemoryTree;

    #[test]
    fn patterns_are_expanded_in_byte_order() {
        let tree = MemoryTree::new()
            .file("/etc/ssh/sshd_config.d/10-b.conf", "")
            .file("/etc/ssh/sshd_config.d/00-Z.conf", "")
            .file("/etc/ssh/sshd_config.d/00-a.conf", "")
            .file("/etc/ssh/sshd_config.d/.hidden.conf", "")
            .file("/etc/ssh/sshd_config.d/readme.txt", "")
            .file("/etc/ssh/one", "");
        let stage = Stage::new(&tree);
        assert_eq!(
            expand(&stage, "sshd_config.d/*.conf").unwrap(),
            [
                "/etc/ssh/sshd_config.d/00-Z.conf",
                "/etc/ssh/sshd_config.d/00-a.conf",
                "/etc/ssh/sshd_config.d/10-b.conf"
            ]
        );
        assert_eq!(expand(&stage, "/etc/ssh/one").unwrap(), ["/etc/ssh/one"]);
        assert_eq!(expand(&stage, "/etc/ssh/missing*").unwrap(), Vec::<String>::new());
        assert_eq!(expand(&stage, "~/x").unwrap(), Vec::<String>::new());
        assert!(could_match("/etc/ssh/sshd_config.d/*.conf", "/etc/ssh/sshd_config.d/00-hardtack.conf"));
        assert!(!could_match("/etc/ssh/sshd_config.d/5*.conf", "/etc/ssh/sshd_config.d/00-hardtack.conf"));
    }
}
