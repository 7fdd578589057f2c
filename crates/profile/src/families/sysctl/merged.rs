//! All of sysctl.d, as systemd-sysctl reads it.

use hardtack_guest::{Stage, glob};

use crate::Error;
use crate::merged::{Assignment, files, text};

/// Earlier ones win among files of one name: sysctl.d(5).
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// What is in force once all files are read.
pub(super) struct Merged {
    /// Keys and patterns in the order read, the last one winning.
    assignments: Vec<(String, Assignment)>,
}

impl Merged {
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut merged = Self { assignments: Vec::new() };
        for path in files(stage, &DIRECTORIES, ".conf")? {
            if let Some(text) = text(stage, &path) {
                merged.add(&path, &text);
            }
        }
        // procps reads it last, where no link in sysctl.d names it.
        if let Some(text) = text(stage, "/etc/sysctl.conf")
            && stage.stat("/lib/systemd/systemd-sysctl")?.is_none()
        {
            merged.add("/etc/sysctl.conf", &text);
        }
        Ok(merged)
    }

    fn add(&mut self, path: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = normal(key.trim().trim_start_matches('-'));
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            self.assignments.push((key, Assignment { value, path: path.to_owned(), line: index + 1 }));
        }
    }

    /// What is in force for `key`, written with dots: the last line that names it, else the last pattern that fits.
    pub(super) fn get(&self, key: &str) -> Option<&Assignment> {
        let exact = self.assignments.iter().rev().find(|(name, _)| name == key);
        let fits = |name: &str| glob::is_pattern(name) && glob::matches(name, key);
        exact.or_else(|| self.assignments.iter().rev().find(|(name, _)| fits(name))).map(|(_, set)| set)
    }
}

/// The first separator says which one is meant: `net/ipv4/conf/eth0.1/x` and `net.ipv4.conf.eth0/1.x` are the same.
fn normal(key: &str) -> String {
    match key.find(['.', '/']).and_then(|at| key.get(at..=at)) {
        Some("/") => key
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.to_owned(),
    }
}
