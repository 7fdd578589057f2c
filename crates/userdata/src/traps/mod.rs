//! Traps: what is valid and yet not what people mean. Nearly every finding here is a warning, since
//! cloud-init takes the user-data. Where the schema has refused the same value already and the trap
//! is about the same mistake (`SAME_MISTAKE`), the error gets the words of the trap, which know better
//! what happens; otherwise both are told.
//!
//! One file for each family. What the programs do was read from cloud-init's modules
//! (`cloudinit/config/cc_*.py`, `cloudinit/distros/__init__.py`) and PyYAML.

mod accounts;
mod apt;
mod clouds;
mod commands;
mod contents;
mod duplicates;
mod files;
mod folded;
mod hosts;
mod keys;
mod logins;
mod names;
mod passwords;
mod placeholders;
mod programs;
mod quotes;
mod scalars;
mod scripts;
mod secrets;
mod storage;
mod templates;
mod timezones;
mod useradd;
mod walk;

use std::collections::{HashMap, HashSet};

use hardtack_yaml::Span;

use crate::finding::{Finding, Place, Severity};
use crate::part::Part;
use crate::value::{Key, Map, Value};

pub use clouds::{CLOUDS, too_large};

/// Findings of one code. A file with more of them has told its story.
const OF_A_KIND: usize = 20;

/// Bytes of a value's text that are looked at.
const SOURCE: usize = 100;

/// Users, groups and the like that are looked at.
const NAMES: usize = 1000;

/// Codes of traps that are about the same mistake as any error of the schema on the same value: it has
/// the wrong type or form for the reason that the trap gives.
const SAME_MISTAKE: &[&str] = &[
    "argument-is-not-text",
    "boolean-for-text",
    "command-is-a-mapping",
    "command-is-not-text",
    "commands-not-a-list",
    "date-for-text",
    "key-is-not-text",
    "keys-not-a-list",
    "line-without-colon",
    "mode-is-decimal",
    "mode-unreadable",
    "mode-without-quotes",
    "number-for-text",
    "octal",
    "placeholder",
    "sexagesimal",
    "typographic-quotes",
    "unknown-encoding",
];

/// Looks for traps in the merged configuration and in the parts that it came from. `findings` holds
/// what the schema had to say; errors about a value that is a trap get the trap's words.
pub fn look(config: &Map, parts: &[Part], findings: &mut Vec<Finding>) {
    let mut report = Report::new(parts, findings);
    duplicates::look(&mut report);
    quotes::look(config, &mut report);
    folded::look(config, &mut report);
    placeholders::look(config, &mut report);
    files::look(config, &mut report);
    commands::look(config, &mut report);
    scripts::look(config, &mut report);
    hosts::look(config, &mut report);
    timezones::look(config, &mut report);
    storage::look(config, &mut report);
    apt::look(config, &mut report);
    let users = accounts::Users::read(config);
    names::look(config, &users, &mut report);
    useradd::look(config, &users, &mut report);
    passwords::look(config, &users, &mut report);
    keys::look(config, &users, &mut report);
    logins::look(config, &users, &mut report);
    scalars::look(config, &mut report);
    secrets::look(config, &mut report);
    templates::look(config, &mut report);
    report.finish();
}

/// What the schema thinks of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing is wrong.
    Taken,
    /// It is no text, and text may stand here.
    WantsText,
    /// Something else is wrong, which its own words tell best.
    Refused,
}

/// Where traps are told.
struct Report<'a> {
    parts: &'a [Part],
    /// The text of each part, if it is text.
    texts: Vec<&'a str>,
    findings: &'a mut Vec<Finding>,
    /// Where the schema's errors stand in `findings`.
    errors: HashMap<(usize, usize, usize), Vec<usize>>,
    /// Errors whose place another one has got the words for.
    superseded: HashSet<usize>,
    told: HashMap<&'static str, usize>,
    /// Where traps were told.
    places: HashSet<(usize, usize, usize)>,
}

impl<'a> Report<'a> {
    fn new(parts: &'a [Part], findings: &'a mut Vec<Finding>) -> Self {
        let texts = parts.iter().map(|part| std::str::from_utf8(&part.payload).unwrap_or_default()).collect();
        let mut errors: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, finding) in findings.iter().enumerate() {
            let place = finding.place;
            if finding.severity == Severity::Error && place.span.end > place.span.start {
                errors.entry(key(place)).or_default().push(index);
            }
        }
        Self {
            parts,
            texts,
            findings,
            errors,
            superseded: HashSet::new(),
            told: HashMap::new(),
            places: HashSet::new(),
        }
    }

    /// The begin of what stands at `place`, as it was written: all of what is not very long.
    fn source(&self, place: Place) -> &'a str {
        let text = self.texts.get(place.part).and_then(|text| text.get(place.span.range()));
        window(text.unwrap_or_default(), 0, SOURCE)
    }

    /// All of what stands at `place`, as it was written.
    fn whole_source(&self, place: Place) -> &'a str {
        let text = self.texts.get(place.part).copied().unwrap_or_default();
        text.get(place.span.range()).unwrap_or_default()
    }

    /// Where `needle` stands in a value of several lines; the value's own place if it is short, if
    /// `needle` is written otherwise there, or if enough traps of this code were told.
    fn within(&self, code: &'static str, place: Place, needle: &str) -> Place {
        let text = self.texts.get(place.part).copied().unwrap_or_default();
        let source = text.get(place.span.range()).unwrap_or_default();
        let enough = self.told.get(code).is_some_and(|told| *told >= OF_A_KIND);
        if enough || needle.is_empty() || !source.contains('\n') {
            return place;
        }
        source.find(needle).map_or(place, |at| {
            let start = place.span.start.saturating_add(at);
            place_in(text, place.part, start, start.saturating_add(needle.len()))
        })
    }

    /// What the schema thinks of what stands at `place`.
    fn verdict(&self, place: Place) -> Verdict {
        let Some(indices) = self.errors.get(&key(place)) else { return Verdict::Taken };
        let mut errors = indices.iter().filter_map(|index| self.findings.get(*index));
        let text = ["expected text", "expected a date"];
        let wants_text = errors.any(|error| text.iter().any(|words| error.message.contains(words)));
        if wants_text { Verdict::WantsText } else { Verdict::Refused }
    }

    /// True when a trap was told about what stands at `place`, which says enough.
    fn is_told(&self, place: Place) -> bool {
        self.places.contains(&key(place))
    }

    /// A trap that the schema does not see, or words for its error about the same mistake.
    fn tell(&mut self, trap: Finding) {
        let same = SAME_MISTAKE.contains(&trap.code);
        if same || !self.errors.contains_key(&key(trap.place)) {
            self.places.insert(key(trap.place));
        }
        let errors = if same { self.errors.remove(&key(trap.place)) } else { None };
        if let Some(indices) = errors {
            let mut indices = indices.into_iter();
            if let Some(error) = indices.next().and_then(|index| self.findings.get_mut(index)) {
                error.code = trap.code;
                error.message = trap.message;
                error.hint = trap.hint;
            }
            self.superseded.extend(indices);
            return;
        }
        let told = self.told.entry(trap.code).or_default();
        *told = told.saturating_add(1);
        if *told <= OF_A_KIND {
            self.findings.push(trap);
        }
    }

    /// A trap that keeps its words to itself, whatever the schema says about its place.
    fn add(&mut self, trap: Finding) {
        self.findings.push(trap);
    }

    fn has_code(&self, code: &str) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    fn finish(self) {
        if self.superseded.is_empty() {
            return;
        }
        let mut index = 0;
        self.findings.retain(|_| {
            index += 1;
            !self.superseded.contains(&(index - 1))
        });
    }
}

fn key(place: Place) -> (usize, usize, usize) {
    (place.part, place.span.start, place.span.end)
}

/// A trap.
fn trap(
    code: &'static str,
    place: Place,
    path: impl Into<String>,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Finding {
    Finding::warning(code, place, message).at(path).with_hint(hint)
}

/// A value of the top level.
fn top<'v>(config: &'v Map, name: &str) -> Option<&'v Value> {
    config.get(&Key::text(name))
}

/// The items of a list at the top level; nothing for other values.
fn items<'v>(config: &'v Map, name: &str) -> &'v [Value] {
    top(config, name).and_then(Value::as_list).unwrap_or_default()
}

/// The bytes from `start` to `end` of a part's text.
fn place_in(text: &str, part: usize, start: usize, end: usize) -> Place {
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Place { part, span: Span { start, end, line, column } }
}

/// At most `most` bytes of `text` from `at` on, whole characters.
fn window(text: &str, at: usize, most: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = most.min(rest.len());
    while !rest.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    rest.get(..end).unwrap_or_default()
}

/// Names in one text as a list in YAML: `[a, b]`.
fn as_list(text: &str) -> String {
    let mut names = text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    let shown: Vec<&str> = names.by_ref().take(6).map(|name| window(name, 0, 32)).collect();
    let more = if names.next().is_some() { ", …" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

/// Text of other people in a message: one line, not too long.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(40).collect();
    if short.len() < text.trim_end().len() { format!("`{short}…`") } else { format!("`{short}`") }
}
