//! `differences.json`: what may differ, and why.

use std::path::Path;

use serde_json::{Value, json};

use super::Difference;

/// Stands for whatever is in a file.
const CONTENT: &str = "content";

/// The list.
pub(crate) struct Explained(Vec<Entry>);

struct Entry {
    /// Names of seeds; none means all.
    seeds: Vec<String>,
    /// A path, in which a `*` stands for anything.
    path: String,
    /// Lines of a difference; one may be explained by several entries.
    what: Vec<String>,
    reason: String,
}

impl Explained {
    pub(crate) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let words = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let entries = value.as_array().unwrap().iter().map(|entry| Entry {
            seeds: words(&entry["seeds"]),
            path: entry["path"].as_str().unwrap().to_owned(),
            what: words(&entry["difference"]),
            reason: entry["reason"].as_str().unwrap().to_owned(),
        });
        Self(entries.collect())
    }

    /// What is wrong: differences that nobody explained, and explanations of what is not there. Empty if nothing.
    pub(crate) fn judge(&self, found: &[Difference]) -> String {
        let mut verdict = String::new();
        let mut used: Vec<Vec<&str>> = vec![Vec::new(); self.0.len()];
        for difference in found {
            let mut rest = difference.what.clone();
            for (entry, used) in self.0.iter().zip(&mut used) {
                if entry.explains(difference) {
                    used.push(&difference.seed);
                    rest.retain(|line| !entry.covers(line));
                }
            }
            if !rest.is_empty() {
                let Difference { seed, path, .. } = difference;
                verdict.push_str(&format!("seed {seed}, {path}:\n    {}\n", rest.join("\n    ")));
            }
        }
        for (entry, used) in self.0.iter().zip(used) {
            assert!(!entry.reason.is_empty(), "{} has no reason", entry.path);
            let gone: Vec<&String> =
                entry.seeds.iter().filter(|seed| !used.contains(&seed.as_str())).collect();
            if used.is_empty() || !gone.is_empty() {
                verdict.push_str(&format!(
                    "explained, but no longer so {gone:?}: {} {:?} ({})\n",
                    entry.path, entry.what, entry.reason
                ));
            }
        }
        verdict
    }
}

impl Entry {
    /// Whether all that the entry tells is there.
    fn explains(&self, difference: &Difference) -> bool {
        (self.seeds.is_empty() || self.seeds.contains(&difference.seed))
            && matches(&self.path, &difference.path)
            && self.what.iter().all(|line| match line.as_str() {
                CONTENT => difference.what.iter().any(|line| self.covers(line)),
                line => difference.what.iter().any(|other| other == line),
            })
    }

    fn covers(&self, line: &str) -> bool {
        let content = line.starts_with("- ") || line.starts_with("+ ") || line == "order";
        self.what.iter().any(|what| what == line || what == CONTENT && content)
    }
}

/// Whether `path` is like `pattern`.
fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, behind)) => path.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| matches(behind, rest))
        }),
    }
}

/// The list of what was found, for editing.
pub(crate) fn as_json(found: &[Difference]) -> String {
    let entries: Vec<Value> = found
        .iter()
        .map(|difference| {
            json!({"seeds": [difference.seed], "path": difference.path, "difference": difference.what, "reason": ""})
        })
        .collect();
    serde_json::to_string_pretty(&entries).unwrap()
}

#[test]
fn a_difference_needs_a_reason_and_a_reason_a_difference() {
    let entry = |seeds: &[&str], path: &str, what: &[&str]| Entry {
        seeds: seeds.iter().map(|seed| (*seed).to_owned()).collect(),
        path: path.to_owned(),
        what: what.iter().map(|line| (*line).to_owned()).collect(),
        reason: "because".to_owned(),
    };
    let found = [Difference {
        seed: "users".to_owned(),
        path: "/etc/a/b".to_owned(),
        what: ["mode 600, agent 644", "- one", "+ two"].map(str::to_owned).to_vec(),
    }];
    let judge = |entries: Vec<Entry>| Explained(entries).judge(&found);
    let mode = || entry(&[], "/etc/*/b", &["mode 600, agent 644"]);
    assert_eq!(judge(vec![mode(), entry(&["users"], "/etc/a/b", &["- one", "+ two"])]), "");
    assert_eq!(judge(vec![mode(), entry(&["users"], "/etc/a/*", &["content"])]), "");
    assert!(judge(vec![mode()]).contains("- one"));
    assert!(
        judge(vec![mode(), entry(&["users"], "/etc/a/b", &["content"]), entry(&[], "/etc/c", &["content"])])
            .contains("no longer so")
    );
    assert!(judge(vec![mode(), entry(&["users", "files"], "/etc/a/b", &["content"])]).contains("files"));
}
