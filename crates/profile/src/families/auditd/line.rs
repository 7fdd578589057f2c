//! Rules of auditctl(8), as they stand in files.

use std::collections::BTreeSet;

use hardtack_guest::Stage;
use hardtack_report::Place;

use super::{ETC, RULES_D};
use crate::Error;
use crate::merged::names;

const MOST_FILES: usize = 1000;
const FILE_LIMIT: u64 = 4 << 20;

/// One rule. Lists and sets compare whatever their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AuditRule {
    /// "always,exit".
    list: String,
    calls: BTreeSet<String>,
    /// Fields and comparisons, `auid>=1000`, as one writes them today; without keys, paths and permissions.
    fields: BTreeSet<String>,
    /// What is watched, and for what.
    path: Option<String>,
    perm: BTreeSet<char>,
}

impl AuditRule {
    /// Reads a line; `None` for what is no rule.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut rule = Self::default();
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-w" => {
                    rule.list = "always,exit".to_owned();
                    rule.path = Some(trimmed(words.next()?));
                }
                "-p" => rule.perm = words.next()?.chars().collect(),
                "-a" | "-A" => {
                    let mut list: Vec<&str> = words.next()?.split(',').collect();
                    list.sort_unstable();
                    rule.list = list.join(",");
                }
                "-S" => rule.calls.extend(words.next()?.split(',').map(str::to_owned)),
                "-F" | "-C" => rule.field(words.next()?),
                "-k" => {
                    words.next()?;
                }
                _ => return None,
            }
        }
        if rule.path.is_some() && rule.perm.is_empty() {
            rule.perm = "rwxa".chars().collect();
        }
        (!rule.list.is_empty()).then_some(rule)
    }

    fn field(&mut self, field: &str) {
        match field.split_once('=') {
            Some(("path" | "dir", path)) => self.path = Some(trimmed(path)),
            Some(("perm", perm)) => self.perm = perm.chars().collect(),
            Some(("key", _)) => {}
            _ => {
                let field = field.replace("!=4294967295", "!=unset").replace("!=-1", "!=unset");
                self.fields.insert(field);
            }
        }
    }

    /// Everything that `wanted` records is recorded by this one, too; of system calls by one rule or another.
    fn covers(&self, wanted: &Self, call: Option<&str>) -> bool {
        self.list == wanted.list
            && self.fields.is_subset(&wanted.fields)
            && self.path == wanted.path
            && self.perm.is_superset(&wanted.perm)
            && call.is_none_or(|call| self.calls.contains(call) || self.calls.contains("all"))
            && self.fields.iter().any(|field| field.starts_with("arch=")) == wanted.is_of_calls()
    }

    fn is_of_calls(&self) -> bool {
        self.fields.iter().any(|field| field.starts_with("arch="))
    }
}

fn trimmed(path: &str) -> String {
    let path = path.trim_end_matches('/');
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// All rules of an image.
#[derive(Debug, Default)]
pub(super) struct Audit {
    rules: Vec<AuditRule>,
    /// The last `-e`.
    pub(super) enabled: Option<(String, Place)>,
}

impl Audit {
    /// Reads what augenrules would join; without such files, what it has joined.
    pub(super) fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut audit = Self::default();
        let files = names(stage, RULES_D)?;
        let mut files: Vec<String> = files
            .into_iter()
            .filter(|name| name.ends_with(".rules"))
            .take(MOST_FILES)
            .map(|name| format!("{RULES_D}/{name}"))
            .collect();
        if files.is_empty() {
            files.push(format!("{ETC}/audit.rules"));
        }
        for path in files {
            let Some(bytes) = crate::merged::bytes(stage, &path, FILE_LIMIT) else { continue };
            for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
                let line = line.trim();
                if let Some(value) = line.strip_prefix("-e") {
                    let place = Place { path: path.clone(), line: Some(index + 1) };
                    audit.enabled = Some((value.trim().to_owned(), place));
                } else if !line.starts_with('#') {
                    audit.rules.extend(AuditRule::parse(line));
                }
            }
        }
        Ok(audit)
    }

    /// What of these lines no rule of the image records.
    pub(super) fn missing<'l>(&self, lines: &'l [String]) -> Vec<&'l str> {
        let is_met = |line: &&'l String| {
            let Some(wanted) = AuditRule::parse(line) else { return true };
            let covered = |call: Option<&str>| self.rules.iter().any(|rule| rule.covers(&wanted, call));
            if wanted.calls.is_empty() {
                covered(None)
            } else {
                wanted.calls.iter().all(|call| covered(Some(call)))
            }
        };
        lines.iter().filter(|line| !is_met(line)).map(String::as_str).collect()
    }
}
