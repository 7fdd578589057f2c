//! All of sysctl.d, as what sets it at boot reads it.
//!
//! systemd-sysctl (src/sysctl/sysctl.c): all files go into one table by key, the last value winning; a key written out
//! beats every pattern, wherever it stands; `-KEY` without a value keeps patterns away from it. Upstart's job of procps
//! (14.04: /etc/init/procps.conf) reads /etc/sysctl.d and then /etc/sysctl.conf, line by line, without patterns.

use std::collections::BTreeMap;

use hardtack_guest::{Stage, glob};

use crate::Error;
use crate::merged::{Assignment, files, whole};

/// Earlier ones win among files of one name: sysctl.d(5).
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
/// What systemd has for it.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"];
/// procps reads it behind all others.
pub(super) const LAST: &str = "/etc/sysctl.conf";

/// What is in force once all files are read.
pub(super) struct Merged {
    /// Keys and patterns, with slashes: their place in the order in which systemd applies them, and the value, none
    /// where patterns are kept away.
    set: BTreeMap<String, (usize, Option<Assignment>)>,
    count: usize,
    systemd: bool,
}

impl Merged {
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let systemd = SYSTEMD.iter().any(|path| stage.stat(path).ok().flatten().is_some());
        let mut merged = Self { set: BTreeMap::new(), count: 0, systemd };
        let directories = if systemd { &DIRECTORIES[..] } else { &DIRECTORIES[..1] };
        let mut paths = files(stage, directories, ".conf")?;
        if !systemd {
            paths.push(LAST.to_owned());
        }
        for path in paths {
            if let Some(text) = whole(stage, &path)? {
                merged.add(&path, &text);
            }
        }
        Ok(merged)
    }

    /// systemd-sysctl sets it at boot.
    pub(super) fn is_systemd(&self) -> bool {
        self.systemd
    }

    fn add(&mut self, path: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let place = |value: &str| Assignment {
                value: value.split_whitespace().collect::<Vec<_>>().join(" "),
                path: path.to_owned(),
                line: index + 1,
            };
            let (key, value) = match (line.split_once('='), line.strip_prefix('-')) {
                (Some((key, value)), _) => (key.strip_prefix('-').unwrap_or(key), Some(place(value))),
                (None, Some(key)) => (key, None),
                (None, None) => continue,
            };
            self.put(normal(key.trim()), value);
        }
    }

    /// A key that comes again with its value stays where it is, as in systemd's ordered table.
    fn put(&mut self, key: String, value: Option<Assignment>) {
        let text = |set: &Option<Assignment>| set.as_ref().map(|set| set.value.clone());
        match self.set.get_mut(&key) {
            Some((_, known)) if text(known) == text(&value) => *known = value,
            _ => {
                self.count += 1;
                self.set.insert(key, (self.count, value));
            }
        }
    }

    /// What is in force for `key`, written with dots; `None` where the kernel's own stays.
    pub(super) fn get(&self, key: &str) -> Option<&Assignment> {
        let key = normal(key);
        if let Some((_, set)) = self.set.get(&key) {
            return set.as_ref();
        }
        if !self.systemd {
            return None;
        }
        let patterns = self.set.iter().filter(|(name, (_, set))| set.is_some() && is_match(name, &key));
        patterns.max_by_key(|(_, (order, _))| *order)?.1.1.as_ref()
    }
}

/// A pattern of glob(3) for paths below /proc/sys.
fn is_match(pattern: &str, key: &str) -> bool {
    // systemd's string_is_glob(): braces alone make none.
    pattern.contains(['*', '?', '['])
        && glob::braces(pattern).is_ok_and(|patterns| {
            patterns.iter().any(|pattern| {
                let parts: Vec<&str> = pattern.split('/').collect();
                let names: Vec<&str> = key.split('/').collect();
                parts.len() == names.len()
                    && parts.iter().zip(&names).all(|(part, name)| glob::matches(part, name))
            })
        })
}

/// The first separator says which one is meant: `net/ipv4/conf/eth0.1/x` and `net.ipv4.conf.eth0/1.x` are the same.
pub(super) fn normal(key: &str) -> String {
    let swapped: String = match key.find(['.', '/']).and_then(|at| key.get(at..=at)) {
        Some(".") => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => key.to_owned(),
    };
    swapped.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use hardtack_guest::{MemoryTree, Stage};

    use super::Merged;

    fn value(tree: &MemoryTree, key: &str) -> Option<String> {
        let stage = Stage::new(tree);
        Merged::read(&stage).unwrap().get(key).map(|set| set.value.clone())
    }

    #[test]
    fn a_key_beats_patterns_and_a_dash_keeps_them_away() {
        let tree = MemoryTree::new()
            .file("/usr/lib/systemd/systemd-sysctl", "")
            .file(
                "/usr/lib/sysctl.d/50-default.conf",
                "-net.ipv4.conf.all.rp_filter\nnet.ipv4.conf.*.rp_filter = 2\n",
            )
            .file("/etc/sysctl.d/10-x.conf", "net/ipv4/conf/eth0.1/rp_filter = 1\nnet.ipv4.* = 9\n-fs.x=5\n");
        assert_eq!(value(&tree, "net.ipv4.conf.all.rp_filter"), None);
        assert_eq!(value(&tree, "net.ipv4.conf.default.rp_filter").as_deref(), Some("2"));
        assert_eq!(value(&tree, "net.ipv4.conf.eth0/1.rp_filter").as_deref(), Some("1"));
        assert_eq!(value(&tree, "net.ipv4.ip_forward").as_deref(), Some("9"));
        assert_eq!(value(&tree, "net.ipv4.conf.all.send_redirects"), None);
        assert_eq!(value(&tree, "fs.x").as_deref(), Some("5"));
    }

    #[test]
    fn a_file_of_the_administrators_hides_the_one_of_that_name() {
        let tree = MemoryTree::new()
            .file("/usr/lib/systemd/systemd-sysctl", "")
            .file("/usr/lib/sysctl.d/50-x.conf", "kernel.sysrq = 1\n")
            .link("/etc/sysctl.d/50-x.conf", "/dev/null");
        assert_eq!(value(&tree, "kernel.sysrq"), None);
    }

    #[test]
    fn under_upstart_sysctl_conf_comes_last() {
        let tree = MemoryTree::new()
            .file("/etc/sysctl.d/99-zz.conf", "kernel.sysrq = 0\nkernel.* = 7\n")
            .file("/etc/sysctl.conf", "kernel.sysrq = 1\n");
        assert_eq!(value(&tree, "kernel.sysrq").as_deref(), Some("1"));
        assert_eq!(value(&tree, "kernel.kptr_restrict"), None);
    }

    #[test]
    fn hostile_files_are_read_through() {
        let text = format!("{}\n=\n-\n-=\n[[[=1\n{{{{,=*\n*=\n. . = .\n", "{a,b}".repeat(40) + "*=1");
        let tree =
            MemoryTree::new().file("/usr/lib/systemd/systemd-sysctl", "").file("/etc/sysctl.d/x.conf", text);
        assert_eq!(value(&tree, "kernel.sysrq"), None);
    }
}
