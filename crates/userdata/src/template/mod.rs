//! `## template: jinja`: parts that are rendered with what is known about the instance
//! (`cloudinit/handlers/jinja_template.py`, `cloudinit/templater.py`).
//!
//! * [`variables`]: the names that a template may use.
//! * [`engine`]: rendering, as far as possible with Python's results.
//!
//! minijinja 2 was tried first: 114 of 126 templates gave cloud-init's text, and it has no hook that
//! bounds what a template makes: `'a' * 1000000000` or a loop over `x ~ x` takes all memory before its fuel
//! runs out. User-data is other people's, so the interpreter is our own.
//!
//! A template is rendered within bounds: [`engine::STEPS`] steps, and [`crate::limits::UNPACKED`] bytes
//! for everything that it makes on the way.

mod builtin;
pub mod engine;
mod filters;
mod lexer;
mod nesting;
mod run;
mod syntax;
mod to_json;
mod tree;
mod value;
pub mod variables;

use hardtack_yaml::Span;
use serde_json::Value as Json;

use crate::finding::{Finding, Place};
use crate::part::{Origin, Part, PartKind};
use crate::wording::shown;
use crate::{format, python};

/// What stands in the place of a name that is not known.
pub const MISSING: &str = "CI_MISSING_JINJA_VAR/";

/// Code of a template over which the part is ignored.
pub const BROKEN: &str = "template-broken";

/// The first line of a template, which says how it is rendered.
enum Header<'a> {
    /// Jinja, and the text below.
    Jinja(&'a str),
    /// Another way, or none: the handler of templates does not take it.
    Other(&'a str),
}

fn header(text: &str) -> Header<'_> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let name = first.strip_prefix("##").and_then(|after| {
        let after = after.trim_start_matches(python::is_space);
        let word = after.get(.."template:".len())?;
        word.eq_ignore_ascii_case("template:").then(|| after.get("template:".len()..))?
    });
    match name {
        Some(name) if python::strip(&name.to_lowercase()) == "jinja" => Header::Jinja(rest),
        _ => Header::Other(first),
    }
}

/// Renders the text `text`, whose first line says that it is a Jinja template, with the instance data
/// `data`.
///
/// # Errors
/// Whatever makes cloud-init ignore it.
pub fn render(text: &str, data: &Json) -> Result<String, engine::Error> {
    match header(text) {
        Header::Jinja(body) => engine::render(body, variables::variables(data)),
        Header::Other(first) => Err(engine::Error::header(first)),
    }
}

/// Renders the template `part`, which is the part `index`, with `data`. What the part then is says its
/// kind; its type stays. Without data it is only looked over.
pub(crate) fn part(part: &mut Part, index: usize, data: Option<&Json>, findings: &mut Vec<Finding>) {
    let place = |span| Place { part: index, span };
    let Ok(text) = std::str::from_utf8(&part.payload) else {
        if let Err(finding) = crate::utf8::text(&part.payload, index) {
            findings.push(Finding::clone(&finding));
        }
        part.kind = PartKind::Unhandled;
        return;
    };
    let body = match header(text) {
        Header::Jinja(body) => body,
        Header::Other(first) => {
            let message = format!(
                "the first line {} is not `## template: jinja`: cloud-init ignores this part",
                shown(first)
            );
            let span = line(text, 1);
            findings.push(
                Finding::error("template-header", place(span), message)
                    .with_hint("write exactly `## template: jinja` as the very first line"),
            );
            part.kind = PartKind::Unhandled;
            return;
        }
    };
    let hyphens = engine::hyphens(body);
    for (at, name) in &hyphens {
        let start = text.len() - body.len() + at;
        let span = span(text, start, start + name.len());
        let message = format!("{} is a subtraction in a template, not a name", shown(name));
        let hint = format!(
            "write {}, or put the name in brackets and quotes: ['…']",
            shown(&name.replace('-', "_"))
        );
        findings.push(Finding::error("template-hyphen", place(span), message).with_hint(hint));
    }
    if let Err(error) = engine::parse(body) {
        findings.push(broken(&error, text, place));
        part.kind = PartKind::Unhandled;
        return;
    }
    let Some(data) = data else {
        let message = "this template is not rendered here: what comes of it is not checked";
        findings.push(
            Finding::warning("template-not-rendered", place(line(text, 1)), message).with_hint(
                "give the instance data of such an instance, as `cloud-init query --all` prints it",
            ),
        );
        return;
    };
    match engine::render(body, variables::variables(data)) {
        Ok(rendered) => {
            let before = part.kind;
            part.kind = rendered_kind(&rendered);
            if part.kind == PartKind::Unhandled && !rendered.is_empty() {
                let message =
                    "what this template renders to starts with nothing that cloud-init knows: it is ignored";
                let span = line(text, 2);
                findings.push(
                    Finding::error("template-result", place(Span { start: 0, end: 0, ..span }), message)
                        .with_hint(
                            "the line below `## template: jinja` is #cloud-config, #cloud-boothook or #!",
                        ),
                );
            }
            debug_assert_eq!(before, PartKind::Template);
            part.payload = rendered.into_bytes();
            part.origin = Origin {
                file: format!("{} ({}, rendered)", part.origin.file, part.filename),
                ..Origin::default()
            };
            missing(part, index, findings);
        }
        Err(error) => {
            findings.push(broken(&error, text, place));
            part.kind = PartKind::Unhandled;
        }
    }
}

/// Who takes the rendered text. JSON patches are not among them: their handler is told the type of
/// the template, and takes them for YAML.
fn rendered_kind(rendered: &str) -> PartKind {
    match format::type_from_starts_with(rendered).map(format::kind_of) {
        Some(kind @ (PartKind::CloudConfig | PartKind::Script | PartKind::Boothook)) => kind,
        _ => PartKind::Unhandled,
    }
}

fn broken(error: &engine::Error, text: &str, place: impl Fn(Span) -> Place) -> Finding {
    let message = format!("{error}: cloud-init ignores this part");
    let finding = Finding::error(BROKEN, place(line(text, error.line + 1)), message);
    match &error.hint {
        Some(hint) => finding.with_hint(hint.clone()),
        None => finding,
    }
}

/// Says which names were not known.
fn missing(part: &Part, index: usize, findings: &mut Vec<Finding>) {
    let text = String::from_utf8_lossy(&part.payload);
    let mut seen = std::collections::BTreeSet::new();
    for (at, _) in text.match_indices(MISSING) {
        let after = text.get(at + MISSING.len()..).unwrap_or_default();
        let name = after.split(python::is_space).next().unwrap_or_default();
        if seen.insert(name) && seen.len() <= 20 {
            let span = span(&text, at, at + MISSING.len() + name.len());
            let message = format!("the instance data has nothing of the name {}", shown(name));
            findings.push(
                Finding::warning("template-missing", Place { part: index, span }, message).with_hint(
                    "`cloud-init query --all` shows the names; `| default('…')` gives another value",
                ),
            );
        }
    }
}

/// The span of line `number` of `text`.
fn line(text: &str, number: usize) -> Span {
    let start = match number {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(number - 2).map_or(text.len(), |(at, _)| at + 1),
    };
    let length = text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
    Span { start, end: start + length, line: number.max(1), column: 1 }
}

/// The span of some bytes of `text`.
fn span(text: &str, start: usize, end: usize) -> Span {
    let before = text.get(..start).unwrap_or_default();
    let first = before.rfind('\n').map_or(0, |at| at + 1);
    Span {
        start,
        end,
        line: before.matches('\n').count() + 1,
        column: before.get(first..).unwrap_or_default().chars().count() + 1,
    }
}
