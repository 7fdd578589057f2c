//! The files of a recipe: the one that is built, and those that it includes.

use std::path::{Component, Path, PathBuf};

use hardtack_yaml::{Document, Kind, Limits, Node, Span, Value};

use super::keys::RECIPE;
use super::reader::Reader;
use super::vars::Vars;
use super::{Class, FORMAT};

/// Files within files are followed this deep.
const DEPTH: usize = 16;
/// No recipe has more files than this.
const FILES: usize = 64;

/// One file, read.
pub(super) struct Part {
    /// Its number among the reader's sources.
    pub(super) source: usize,
    /// All of it.
    pub(super) root: Node,
}

/// Reads `source` and, before it, what it includes; `parts` is in the order in which steps run. False when it
/// is not worth looking further: it is no YAML, or of another format.
pub(super) fn gather(
    reader: &mut Reader<'_>,
    source: usize,
    above: &mut Vec<PathBuf>,
    vars: &mut Vars,
    parts: &mut Vec<Part>,
) -> bool {
    let Some(root) = parse(reader, source) else { return false };
    let start = Span { end: root.span.start, ..root.span };
    if root.is_null() {
        reader.error_hint(start, "the recipe is empty", "start it with `recipe: 1` and `steps:`");
        return false;
    }
    let Some(fields) = reader.keyed(&root, "a recipe", RECIPE) else { return false };
    if let Some(value) = reader.required(&fields, "recipe", start)
        && !version(reader, value)
    {
        return false;
    }
    if let (Some(span), false) = (fields.key_span("matrix"), above.is_empty()) {
        reader.error_hint(
            span,
            "a file that is included has no `matrix`",
            "write it into the recipe that is built",
        );
    }
    if let Some(value) = fields.get("vars") {
        vars.declare(reader, value);
    }
    if fields.get("include").is_none() && fields.get("profile").is_none() {
        reader.required(&fields, "steps", start);
    }
    above.push(normal(reader.path_of(source)));
    let mut whole = true;
    if let Some(value) = fields.get("include") {
        let items = reader.items(value, "include");
        for item in items {
            reader.enter(source);
            whole &= one(reader, item, above, vars, parts);
        }
        reader.enter(source);
    }
    above.pop();
    parts.push(Part { source, root });
    whole
}

fn one(
    reader: &mut Reader<'_>,
    item: &Node,
    above: &mut Vec<PathBuf>,
    vars: &mut Vars,
    parts: &mut Vec<Part>,
) -> bool {
    let Some(text) = reader.line(item, "include") else { return true };
    let path = reader.host_path(text);
    let plain = normal(&path);
    if let Some(at) = above.iter().position(|file| *file == plain) {
        let chain: Vec<String> =
            above.iter().skip(at).chain([&plain]).map(|file| file.display().to_string()).collect();
        reader.error(item.span, format!("the file includes itself: {}", chain.join(" -> ")));
        return true;
    }
    if reader.has_source(&plain) {
        // Twice is once: its steps are there already.
        return true;
    }
    if above.len() >= DEPTH || reader.source_count() >= FILES {
        let message = format!("more than {FILES} files, or files within files more than {DEPTH} deep");
        reader.error(item.span, message);
        return true;
    }
    let content = match reader.files.read(&path, Limits::default().bytes as u64) {
        Ok(content) => content,
        Err(error) => {
            reader.local(item.span, &path, &error);
            return true;
        }
    };
    let Ok(text) = String::from_utf8(content) else {
        reader.error(item.span, format!("{}: is not UTF-8 text", path.display()));
        return true;
    };
    let source = reader.add_source(&path, &plain, &text);
    gather(reader, source, above, vars, parts)
}

pub(super) fn parse(reader: &mut Reader<'_>, source: usize) -> Option<Node> {
    reader.enter(source);
    let (name, text, base) = reader.source(source);
    match Document::parse(name, text, Limits::default()) {
        Ok(mut root) => {
            shift(&mut root, base);
            Some(root)
        }
        Err(found) => {
            for mut one in found {
                move_span(&mut one.span, base);
                one.related.iter_mut().for_each(|(span, _)| move_span(span, base));
                reader.findings.push((Class::Usage, one));
            }
            None
        }
    }
}

/// True for the format that is read here.
fn version(reader: &mut Reader<'_>, value: &Node) -> bool {
    match value.value() {
        Ok(Value::Int(FORMAT)) => {}
        Ok(Value::Int(version)) => {
            let message = format!("recipe format {version} is not known; this program reads format {FORMAT}");
            reader.error(value.span, message);
            // What another format means by its steps is not known here.
            return false;
        }
        _ => reader.error_hint(
            value.span,
            format!("`recipe` takes the version of the recipe format, found {}", value.describe()),
            "write `recipe: 1`",
        ),
    }
    true
}

fn move_span(span: &mut Span, base: usize) {
    span.start = span.start.saturating_add(base);
    span.end = span.end.saturating_add(base);
}

/// Each file has a range of places of its own, so that a place tells its file.
fn shift(node: &mut Node, base: usize) {
    move_span(&mut node.span, base);
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => items.iter_mut().for_each(|item| shift(item, base)),
        Kind::Mapping(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            shift(key, base);
            shift(value, base);
        }),
    }
}

/// The path without `.` and, where that is certain, `..`. Links are not looked at.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
