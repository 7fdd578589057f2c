//! What was found, for people and for programs.

use std::ops::Range;

use hardtack_yaml::diagnostic::escape;
use hardtack_yaml::{Diagnostic, render_masked};
use serde_json::{Value as Json, json};

use crate::check::Report;
use crate::finding::{Finding, Place, Severity};
use crate::redact::Redactor;
use crate::secrets;

/// Pictures of one file; a list that is longer helps nobody.
const PICTURES: usize = 100;

/// Bytes on both sides of a place that its picture may show: a hundred columns of four bytes, and to spare.
const NEAR: usize = 5000;

/// The word for a severity in JSON.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// What `user-data check` says of files and their reports: pictures of the findings and how many there are, or what
/// the file is, since "no mistakes" alone could also mean that nothing was looked at.
#[must_use]
pub fn of_files(reports: &[(&str, &Report)]) -> String {
    let mut out = String::new();
    let (mut errors, mut warnings) = (0, 0);
    for (name, report) in reports {
        let pictures = report.pictures();
        if pictures.is_empty() {
            out.push_str(&format!("{}: {}\n", escape(name), contents(report)));
            continue;
        }
        out.push_str(&pictures);
        out.push('\n');
        errors += report.count(Severity::Error);
        warnings += report.count(Severity::Warning);
    }
    if errors + warnings > 0 {
        let files = if reports.len() > 1 { format!(" in {} files", reports.len()) } else { String::new() };
        out.push_str(&format!("{}, {}{files}\n", count(errors, "error"), count(warnings, "warning")));
    }
    out
}

fn contents(report: &Report) -> String {
    let parts = &report.data.parts;
    match &parts[..] {
        [] => "empty, no mistakes found".to_owned(),
        [part] => format!("{}, no mistakes found", part.content_type),
        parts => {
            let types: Vec<&str> = parts.iter().map(|part| part.content_type.as_str()).collect();
            format!("{} parts ({}), no mistakes found", parts.len(), types.join(", "))
        }
    }
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

impl Report {
    /// How many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The findings as pictures of their lines, secrets covered; empty without findings.
    #[must_use]
    pub fn pictures(&self) -> String {
        let mut texts = Texts::new(self);
        let mut out = String::new();
        for finding in self.findings.iter().take(PICTURES) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&texts.picture(finding));
        }
        if let Some(more) = self.findings.len().checked_sub(PICTURES).filter(|more| *more > 0) {
            out.push_str(&format!("\n… and {more} more\n"));
        }
        out
    }

    /// Covers the secrets of the user-data in its findings. Findings quote what they are about, and that may be a
    /// password.
    pub fn cover(&mut self) {
        let redactor = Redactor::new(&[&self.config]);
        for finding in self.findings.iter_mut().chain(&mut self.unread) {
            finding.message = redactor.text(&finding.message);
            finding.hint = finding.hint.take().map(|hint| redactor.text(&hint));
            finding.path = redactor.text(&finding.path);
        }
    }

    /// The findings for programs: severity, code, path, file, line, column, message and hint of each.
    #[must_use]
    pub fn findings_json(&self) -> Vec<Json> {
        self.findings
            .iter()
            .map(|finding| {
                let diagnostic = self.diagnostic(finding);
                json!({
                    "severity": severity_word(finding.severity),
                    "code": finding.code,
                    "path": finding.path,
                    "file": diagnostic.file,
                    "line": diagnostic.span.line,
                    "column": diagnostic.span.column,
                    "message": diagnostic.message,
                    "hint": diagnostic.hint,
                })
            })
            .collect()
    }

    /// A finding with its place in the file.
    #[must_use]
    pub fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        // What is about a whole part stands at the begin of it.
        let mut finding = finding.clone();
        finding.place.span.line = finding.place.span.line.max(1);
        finding.place.span.column = finding.place.span.column.max(1);
        self.data.diagnostic(&finding)
    }
}

/// The secrets of the texts that findings are about, looked for once in each.
struct Texts<'r> {
    report: &'r Report,
    places: Vec<Place>,
    masks: Vec<(usize, Vec<Range<usize>>)>,
}

impl<'r> Texts<'r> {
    fn new(report: &'r Report) -> Self {
        Self { report, places: secrets::places(&report.config), masks: Vec::new() }
    }

    fn picture(&mut self, finding: &Finding) -> String {
        let diagnostic = self.report.diagnostic(finding);
        match self.report.data.text_of(finding).filter(|text| finding.place.span.start <= text.len()) {
            Some(text) if !text.is_empty() => {
                let masks = self.masks_of(finding.place.part, text, finding.place.span.start);
                render_masked(text, &[diagnostic], &masks)
            }
            // Bytes that are no text have no line to show.
            _ => {
                let word = severity_word(finding.severity);
                let (file, span) = (escape(&diagnostic.file), diagnostic.span);
                let hint =
                    diagnostic.hint.map(|hint| format!("  = hint: {}\n", escape(&hint))).unwrap_or_default();
                let message = escape(&diagnostic.message);
                format!("{word}: {message}\n --> {file}:{}:{}\n{hint}", span.line, span.column)
            }
        }
    }

    /// The masks that may touch the line around `at`.
    fn masks_of(&mut self, part: usize, text: &str, at: usize) -> Vec<Range<usize>> {
        let index = match self.masks.iter().position(|(known, _)| *known == part) {
            Some(index) => index,
            None => {
                let mut masks = secrets::masks(text);
                for place in self.places.iter().filter(|place| place.part == part) {
                    masks.extend(words_of_lines(text, place.span.range()));
                }
                self.masks.push((part, disjoint(masks)));
                self.masks.len().saturating_sub(1)
            }
        };
        let all = self.masks.get(index).map(|(_, masks)| masks.as_slice()).unwrap_or_default();
        let before = text.get(..at).or_else(|| text.get(..at.saturating_sub(3))).unwrap_or_default();
        let from = before.rfind(['\n', '\r']).map_or(0, |newline| newline.saturating_add(1));
        let to = text.get(from..).map_or(text.len(), |rest| {
            let line = rest.find('\n').filter(|end| from.saturating_add(*end) >= at);
            line.map_or(text.len(), |end| from.saturating_add(end))
        });
        // Of a long line only what is near is drawn.
        let (from, to) = (from.max(at.saturating_sub(NEAR)), to.min(at.saturating_add(NEAR)));
        let first = all.partition_point(|mask| mask.end <= from);
        let touching = all.get(first..).unwrap_or_default();
        touching.iter().take_while(|mask| mask.start <= to).cloned().collect()
    }
}

/// The ranges in order, those that touch each other as one.
fn disjoint(mut masks: Vec<Range<usize>>) -> Vec<Range<usize>> {
    masks.sort_by_key(|mask| (mask.start, mask.end));
    let mut out: Vec<Range<usize>> = Vec::with_capacity(masks.len());
    for mask in masks {
        match out.last_mut().filter(|last| mask.start < last.end) {
            Some(last) => last.end = last.end.max(mask.end),
            None => out.push(mask),
        }
    }
    out
}

/// The words of each line in `range`, without the header of a block scalar.
fn words_of_lines(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = range.start;
    for (index, line) in text.get(range).unwrap_or_default().split_inclusive('\n').enumerate() {
        let from = start.saturating_add(line.len().saturating_sub(line.trim_start().len()));
        let end = start.saturating_add(line.trim_end().len());
        if from < end && !(index == 0 && line.starts_with(['|', '>'])) {
            out.push(from..end);
        }
        start = start.saturating_add(line.len());
    }
    out
}
