//! Which files an `Include` names: `glob(3)` with no flags, over the machine's files.

use super::pattern;
use crate::files::{self, Fault, Files, Kind};

/// Where relative patterns start.
const SSHDIR: &str = "/etc/ssh";

/// Matches of a pattern are cut off here; nobody has so many, and a hostile image could.
const MATCH_LIMIT: usize = 4096;

/// The absolute form of an `Include` argument.
pub(super) fn absolute(argument: &str) -> String {
    if argument.starts_with('/') { argument.to_owned() } else { format!("{SSHDIR}/{argument}") }
}

/// Patterns that are not followed here: classes of characters, brackets that are not closed or have a backslash in
/// them; and `~`, which is no home for sshd, but a name below where it was started.
pub(super) fn is_doubtful(argument: &str) -> bool {
    let open = argument.rsplit_once('[').is_some_and(|(_, inside)| !inside.contains(']'));
    let odd = argument.contains('[') && ["[:", "[.", "[=", "\\"].iter().any(|odd| argument.contains(odd));
    argument.starts_with('~') || open || odd
}

/// Whether `path` is among what the pattern can match, should it exist.
#[must_use]
pub fn could_match(argument: &str, path: &str) -> bool {
    let pattern = absolute(argument);
    let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(pattern, name)| pattern::glob(pattern, name))
}

/// The existing paths that match, in byte order (sshd sets no collation).
pub(super) fn expand<F: Files>(files: &F, argument: &str) -> Result<Vec<String>, F::Error> {
    let mut found = vec![String::new()];
    for part in absolute(argument).split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !pattern::has_wildcard(part) {
                let path = format!("{base}/{}", part.replace('\\', ""));
                if files::exists(files, &path)? {
                    next.push(path);
                }
                continue;
            }
            let directory = if base.is_empty() { "/" } else { base.as_str() };
            if files.kind(directory)? != Some(Kind::Directory) {
                continue;
            }
            for name in files.names(directory)? {
                if pattern::glob(part, &name) {
                    next.push(format!("{base}/{name}"));
                }
            }
            if next.len() > MATCH_LIMIT {
                return Err(Fault {
                    path: directory.to_owned(),
                    line: None,
                    what: format!("Include {argument} matches more than {MATCH_LIMIT} files"),
                }
                .into());
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
    use crate::memory::MemoryFiles;

    #[test]
    fn patterns_are_expanded_in_byte_order() {
        let files = MemoryFiles::new()
            .file("/etc/ssh/sshd_config.d/10-b.conf", "")
            .file("/etc/ssh/sshd_config.d/00-Z.conf", "")
            .file("/etc/ssh/sshd_config.d/00-a.conf", "")
            .file("/etc/ssh/sshd_config.d/.hidden.conf", "")
            .file("/etc/ssh/sshd_config.d/readme.txt", "")
            .file("/etc/ssh/one", "");
        assert_eq!(
            expand(&files, "sshd_config.d/*.conf").unwrap(),
            [
                "/etc/ssh/sshd_config.d/00-Z.conf",
                "/etc/ssh/sshd_config.d/00-a.conf",
                "/etc/ssh/sshd_config.d/10-b.conf"
            ]
        );
        assert_eq!(expand(&files, "/etc/ssh/one").unwrap(), ["/etc/ssh/one"]);
        assert_eq!(expand(&files, "/etc/ssh/missing*").unwrap(), Vec::<String>::new());
        assert_eq!(expand(&files, "~/x").unwrap(), Vec::<String>::new());
        for (argument, wanted) in [
            ("sshd_config.d/[0-9]*.conf", false),
            ("[[:alnum:]]*", true),
            ("/etc/ssh/[x", true),
            ("[\\]x]", true),
            ("~/x", true),
            ("a\\ b", false),
        ] {
            assert_eq!(is_doubtful(argument), wanted, "{argument}");
        }
        assert!(could_match("/etc/ssh/sshd_config.d/*.conf", "/etc/ssh/sshd_config.d/00-hardtack.conf"));
        assert!(!could_match("/etc/ssh/sshd_config.d/5*.conf", "/etc/ssh/sshd_config.d/00-hardtack.conf"));
    }
}
