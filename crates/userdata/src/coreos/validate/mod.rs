//! coreos-cloudinit's checks (`config/validate/`): the same entries, at the same lines, each with a
//! finding that says more.

mod advice;
mod lines;
mod report;
mod rules;
mod tree;
mod url;

use std::collections::{BTreeSet, HashSet};

use hardtack_yaml::{Diagnostic, Document, Node, Span};

pub use report::{Entry, Grade, Report};
pub use rules::{RULES, Rule};

use super::decode::LONE_TAG;
use super::{flow, shape};
use crate::finding::{Finding, Place};
use crate::limits;
use rules::Checker;
use tree::Tree;

/// What `coreos-cloudinit -validate` says of user-data.
#[must_use]
pub fn report(text: &str) -> Report {
    let first = text.split('\n').next().unwrap_or_default();
    if text.is_empty() || first.starts_with("#!") || is_ignition(text) {
        return Report::default();
    }
    if first.trim_end() != "#cloud-config" {
        let mut report = Report::default();
        report.note(Grade::Error, 1, "must be \"#cloud-config\" or begin with \"#!\"");
        return report;
    }
    run(text, 0, RULES)
}

/// What `rules` say of a cloud-config.
#[must_use]
pub fn run(text: &str, part: usize, rules: &[Rule]) -> Report {
    let mut report = Report::default();
    let node = match Document::compose("", text, limits::YAML) {
        Ok(node) => node,
        Err(errors) => {
            for (error, finding) in errors.iter().zip(yaml_findings(&errors, part)) {
                let (line, message) = yaml_entry(text, error);
                report.add(Grade::Error, line, message, finding);
            }
            return over_nothing(report, part, rules);
        }
    };
    if let Some(refused) = flow::refused(text, &node) {
        report.add(Grade::Error, refused.line(), flow::WORDS.to_owned(), refused.finding(part));
        return over_nothing(report, part, rules);
    }
    let tree = match Tree::read(text, &node, shape::CLOUD_CONFIG) {
        Ok(tree) => tree,
        Err(fault) => {
            let finding = Finding::error("yaml", Place { part, span: fault.span }, fault.message.clone());
            // Only what the library's scanner says has a line.
            let scanned = fault.message == LONE_TAG;
            let line = if scanned { fault.span.line.saturating_sub(1).max(1) } else { 1 };
            report.add(Grade::Error, line, fault.message, finding);
            return over_nothing(report, part, rules);
        }
    };
    over(&tree, report, part, rules)
}

fn over(tree: &Tree<'_>, mut report: Report, part: usize, rules: &[Rule]) -> Report {
    for rule in rules {
        let mut checker = Checker { part, report: &mut report, path: Vec::new() };
        checker.run(*rule, tree);
    }
    report
}

/// Behind an error of YAML the rules still look at what was read, which is nothing: one of them says
/// so, in the line 0.
fn over_nothing(report: Report, part: usize, rules: &[Rule]) -> Report {
    let before = report.entries.len();
    let mut report = over(&Tree::nothing(), report, part, rules);
    report.beyond.clear();
    for entry in report.entries.iter_mut().skip(before) {
        entry.finding = None;
    }
    report
}

/// All findings in a cloud-config in coreos-cloudinit's dialect.
pub(super) fn findings(text: &str, part: usize) -> Vec<Finding> {
    let report = run(text, part, RULES);
    let mut untold = report.untold;
    let of_entries = report.entries.into_iter().filter_map(|entry| entry.finding);
    let mut findings: Vec<Finding> = of_entries.chain(report.beyond).collect();
    // `encoding: custom` is told of twice there, once is enough.
    let mut told = HashSet::new();
    findings.retain(|finding| finding.code != "bad-value" || told.insert(finding.path.clone()));
    // So is `write_files` under `coreos`: as an unknown key, and as one at the wrong place.
    let misplaced: BTreeSet<Place> = findings
        .iter()
        .filter(|finding| finding.code == "misplaced-key")
        .map(|finding| finding.place)
        .collect();
    findings.retain(|finding| finding.code != "unknown-key" || !misplaced.contains(&finding.place));
    let composed = Document::compose("", text, limits::YAML).ok();
    if let Some(node) = composed.filter(|node| flow::refused(text, node).is_none()) {
        let (advice, more) = advice::advice(text, &node, part);
        findings.extend(advice);
        untold += more;
    }
    findings.sort_by_key(|finding| finding.place);
    if let Some(place) = findings.last().map(|last| last.place).filter(|_| untold > 0) {
        let message = format!("{untold} further findings under coreos-cloudinit's rules");
        findings
            .push(Finding::warning("more", place, message).with_hint("mend those above, then check again"));
    }
    findings
}

/// Errors of YAML as findings.
pub(super) fn yaml_findings(errors: &[Diagnostic], part: usize) -> Vec<Finding> {
    let finding = |error: &Diagnostic| Finding {
        hint: error.hint.clone(),
        ..Finding::error("yaml", Place { part, span: error.span }, error.message.clone())
    };
    errors.iter().map(finding).collect()
}

/// A file whose content cannot be decoded.
pub(super) fn encoding_finding(place: Place, index: usize, encoding: &str) -> Finding {
    rules::encoding_problem(place, true, encoding).at(format!("write_files.{index}"))
}

/// Where the value at `path` stands; the nearest one around it that is there, if it is not.
pub(super) fn span_of(node: &Node, path: &[&str]) -> Span {
    let Some((first, rest)) = path.split_first() else { return node.span };
    let child = match &node.kind {
        hardtack_yaml::Kind::Sequence(items) => first.parse().ok().and_then(|at: usize| items.get(at)),
        hardtack_yaml::Kind::Mapping(pairs) => pairs
            .iter()
            .rev()
            .find(|(key, _)| key.text().is_some_and(|key| super::decode::underscored(key) == *first))
            .map(|(_, value)| value),
        hardtack_yaml::Kind::Scalar(_) => None,
    };
    child.map_or(node.span, |child| span_of(child, rest))
}

/// What our parser says, and libyaml's words for it.
const WORDS: &[(&str, &str)] = &[
    ("mapping values are not allowed", "mapping values are not allowed in this context"),
    ("next key (`key: …`) belongs", "did not find expected key"),
    ("next list item (`- …`) belongs", "did not find expected '-' indicator"),
    ("a key (`? `) cannot stand", "mapping keys are not allowed in this context"),
    ("a list item (`- `) cannot stand", "block sequence entries are not allowed in this context"),
    ("behind the end of the document", "did not find expected <document start>"),
    ("holds letters, digits", "did not find expected alphabetic or numeric character"),
    ("a tab ", "found character that cannot start any token"),
    ("cannot start a value", "found character that cannot start any token"),
    ("where a value belongs", "did not find expected node content"),
    ("`,` or `]` belongs", "did not find expected ',' or ']'"),
    ("`,` or `}` belongs", "did not find expected ',' or '}'"),
    ("this one has no name", LONE_TAG),
    ("behind `|` or `>`", "did not find expected comment or line break"),
    ("quote is not closed", "found unexpected end of stream"),
    ("is no escape", "found unknown escape character"),
    ("is not declared", "found undefined tag handle"),
];

/// The parser's complaint in libyaml's words, with the line that coreos-cloudinit tells: counted
/// from 0, but the first one is 1, and the end of the text is a line of its own.
fn yaml_entry(text: &str, error: &Diagnostic) -> (usize, String) {
    let message = error.message.trim_start_matches("not valid YAML: ");
    if message.contains("neither `key: value`") {
        // libyaml notices it at the line behind.
        return (error.span.line, "could not find expected ':'".to_owned());
    }
    if message.contains("has the anchor") {
        return (1, "Unknown anchor referenced".to_owned());
    }
    if message.contains("is not allowed in YAML") {
        // libyaml's reader runs ahead of its scanner, and has no line.
        return (1, "control characters are not allowed".to_owned());
    }
    let at_end =
        text.get(error.span.start..).is_none_or(|rest| rest.trim_matches(['\n', '\r', ' ']).is_empty());
    // Our place of a quote that is not closed is where it opens, libyaml's is the end.
    let line = if at_end || message.contains("is not closed") {
        text.split_terminator('\n').count()
    } else {
        error.span.line.saturating_sub(1)
    };
    let words = WORDS.iter().find(|(ours, _)| message.contains(ours)).map_or(message, |(_, theirs)| theirs);
    (line.max(1), words.to_owned())
}

/// `config.IsIgnitionConfig`.
fn is_ignition(text: &str) -> bool {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else { return false };
    let version = object.get("ignitionVersion");
    let nested = object.get("ignition").and_then(|ignition| ignition.get("version"));
    version.is_some_and(serde_json::Value::is_i64) || nested.is_some_and(serde_json::Value::is_string)
}
