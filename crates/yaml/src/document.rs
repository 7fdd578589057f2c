//! From text to nodes.
//!
//! The events come from the parser; anchors are kept with their size, so that an alias that would go
//! over the limits is refused before anything is copied.

use std::collections::HashMap;

use crate::node::{Kind, Node, Scalar, Style, shorten};
use crate::parse::{Event, EventKind, Parser};
use crate::scan::{Mark, Problem};
use crate::{Diagnostic, Span, merge, printable};

/// How much of a text is read. What goes beyond is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text, and bytes of text in all values once aliases are expanded.
    pub bytes: usize,
    /// Levels of nesting, aliases expanded. Nodes are dropped recursively: no more than a few
    /// thousand.
    pub depth: usize,
    /// Values, aliases expanded.
    pub nodes: usize,
}

impl Default for Limits {
    /// 4 MiB (user-data is at most 64 KiB, recipes are smaller), 128 levels, 200,000 values.
    fn default() -> Self {
        Self { bytes: 4 << 20, depth: 128, nodes: 200_000 }
    }
}

/// A YAML text.
#[derive(Clone, Copy, Debug)]
pub struct Document;

impl Document {
    /// Reads the one document of `text`; an empty one is a null scalar. `name` is the text's name
    /// for messages.
    ///
    /// # Errors
    /// What is wrong, with its place: no YAML, a second document, a limit.
    pub fn parse(name: &str, text: &str, limits: Limits) -> Result<Node, Vec<Diagnostic>> {
        Self::read(name, text, limits, true)
    }

    /// As [`Document::parse`], with the merge keys (`<<`) left where they stand.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn compose(name: &str, text: &str, limits: Limits) -> Result<Node, Vec<Diagnostic>> {
        Self::read(name, text, limits, false)
    }

    fn read(name: &str, text: &str, limits: Limits, merging: bool) -> Result<Node, Vec<Diagnostic>> {
        if text.len() > limits.bytes {
            let message = format!("{} bytes of YAML; at most {} are read", text.len(), limits.bytes);
            let span = Span { line: 1, column: 1, ..Span::default() };
            return Err(vec![Diagnostic::error(name, span, message)]);
        }
        printable::check(text).and_then(|()| Builder::new(limits, merging).build(text)).map_err(|problem| {
            let diagnostic = diagnostic(name, *problem);
            vec![false_space(name, text, diagnostic.span).unwrap_or(diagnostic)]
        })
    }
}

/// Spaces that YAML takes for letters: no-break ones, and those of other scripts and widths.
fn is_false_space(character: char) -> bool {
    matches!(
        character,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// The better reason why the line of `span` is no YAML: it is indented with spaces that are none, or one
/// of them stands behind its `:` or `-`.
fn false_space(name: &str, text: &str, span: Span) -> Option<Diagnostic> {
    let line_start = text.get(..span.start)?.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.split(['\n', '\r']).next()?;
    let mut indentation = true;
    let mut before = ' ';
    for (column, (at, character)) in line.char_indices().enumerate() {
        if is_false_space(character) && (indentation || matches!(before, ':' | '-')) {
            let start = line_start + at;
            let place =
                Span { start, end: start + character.len_utf8(), line: span.line, column: column + 1 };
            let message = format!(
                "not valid YAML: this is no space but U+{:04X}, which only looks like one",
                u32::from(character)
            );
            let hint = "replace it by a space: it often comes with text that was copied from a web page";
            return Some(Diagnostic::error(name, place, message).with_hint(hint));
        }
        indentation &= character == ' ' || is_false_space(character);
        before = character;
    }
    None
}

fn diagnostic(name: &str, problem: Problem) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(name, span(problem.start, problem.end), problem.message);
    diagnostic.hint = problem.hint.map(str::to_owned);
    if let Some((mark, words)) = problem.related {
        diagnostic = diagnostic.with_related(span(mark, mark.at), words);
    }
    diagnostic
}

fn span(start: Mark, end: usize) -> Span {
    Span { start: start.at, end: end.max(start.at), line: start.line, column: start.column }
}

type Failed = Box<Problem>;

fn fail<T>(span: Span, message: impl Into<String>) -> Result<T, Failed> {
    let mark = Mark { at: span.start, line: span.line, column: span.column };
    let mut problem = Problem::at(mark, message);
    problem.end = span.end;
    Err(problem)
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    key: Option<Node>,
    anchor: Option<String>,
    size: Size,
}

/// What copying a node costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder {
    limits: Limits,
    merging: bool,
    root: Option<Node>,
    documents: usize,
    open: Vec<Open>,
    /// Anchored nodes; nothing while their end has not come.
    anchors: HashMap<String, Option<(Node, Size)>>,
    nodes: usize,
    bytes: usize,
}

impl Builder {
    fn new(limits: Limits, merging: bool) -> Self {
        Self {
            limits,
            merging,
            root: None,
            documents: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            bytes: 0,
        }
    }

    fn build(mut self, text: &str) -> Result<Node, Failed> {
        let mut parser = Parser::new(text);
        loop {
            let event = parser.next()?;
            let end = event.end;
            if let EventKind::StreamEnd = event.kind {
                return Ok(self.root.unwrap_or_else(|| Node {
                    span: span(event.start, end),
                    kind: Kind::Scalar(Scalar { text: String::new(), style: Style::Plain }),
                    tag: None,
                }));
            }
            self.event(event)?;
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Failed> {
        let place = span(event.start, event.end);
        if let Some(name) = &event.anchor
            && self.anchors.insert(name.clone(), None).is_some()
        {
            return fail(
                place,
                format!("not valid YAML: the anchor `&{}` was given to another value above", shorten(name)),
            );
        }
        match event.kind {
            EventKind::DocumentStart => {
                self.documents += 1;
                if self.documents > 1 {
                    return fail(place, "a second YAML document starts here; one file holds one");
                }
            }
            EventKind::Scalar(text, style) => {
                let size = Size { nodes: 1, bytes: text.len(), depth: 0 };
                self.spend(size, place)?;
                let kind = Kind::Scalar(Scalar { text, style });
                self.add(Node { span: place, kind, tag: event.tag }, size, event.anchor)?;
            }
            EventKind::SequenceStart => {
                self.start(Kind::Sequence(Vec::new()), event.anchor, event.tag, place)?;
            }
            EventKind::MappingStart => {
                self.start(Kind::Mapping(Vec::new()), event.anchor, event.tag, place)?;
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => self.end(event.end)?,
            EventKind::Alias(name) => self.alias(&name, place)?,
            EventKind::DocumentEnd | EventKind::StreamEnd => {}
        }
        Ok(())
    }

    fn alias(&mut self, name: &str, place: Span) -> Result<(), Failed> {
        let size = match self.anchors.get(name) {
            Some(Some((_, size))) => *size,
            Some(None) => return fail(place, "this alias stands inside what it names"),
            None => {
                let message =
                    format!("not valid YAML: no value before this has the anchor `&{}`", shorten(name));
                let hint =
                    "a `*` at the start of a value names an anchor; put the value in quotes if it is text";
                return fail(place, message).map_err(|problem: Failed| problem.hint(hint));
            }
        };
        if self.open.len() + size.depth > self.limits.depth {
            return self.too_deep(place);
        }
        self.spend(size, place)?;
        if let Some(Some((node, _))) = self.anchors.get(name) {
            let node = node.clone();
            self.add(node, size, None)?;
        }
        Ok(())
    }

    fn too_deep<T>(&self, place: Span) -> Result<T, Failed> {
        fail(place, format!("nested more than {} levels deep", self.limits.depth))
    }

    fn spend(&mut self, size: Size, place: Span) -> Result<(), Failed> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.nodes > self.limits.nodes || self.bytes > self.limits.bytes {
            let limits = self.limits;
            let message = format!(
                "more than {} values or {} bytes of text, aliases counted each time",
                limits.nodes, limits.bytes
            );
            return fail(place, message);
        }
        Ok(())
    }

    fn start(
        &mut self,
        kind: Kind,
        anchor: Option<String>,
        tag: Option<String>,
        place: Span,
    ) -> Result<(), Failed> {
        if self.open.len() >= self.limits.depth {
            return self.too_deep(place);
        }
        let size = Size { nodes: 1, bytes: 0, depth: 1 };
        self.spend(size, place)?;
        self.open.push(Open { node: Node { span: place, kind, tag }, key: None, anchor, size });
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<(), Failed> {
        let Some(Open { mut node, anchor, size, .. }) = self.open.pop() else { return Ok(()) };
        node.span.end = end.max(node.span.start);
        if self.merging
            && let Kind::Mapping(pairs) = node.kind
        {
            let merged = merge::merge(pairs).or_else(|(place, message)| fail(place, message))?;
            node.kind = Kind::Mapping(merged);
        }
        self.add(node, size, anchor)
    }

    fn add(&mut self, node: Node, size: Size, anchor: Option<String>) -> Result<(), Failed> {
        if let Some(name) = anchor {
            // The copy behind the anchor counts like any other.
            self.spend(size, node.span)?;
            self.anchors.insert(name, Some((node.clone(), size)));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.size.nodes += size.nodes;
        parent.size.bytes += size.bytes;
        parent.size.depth = parent.size.depth.max(size.depth + 1);
        match &mut parent.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(pairs) => match parent.key.take() {
                None => parent.key = Some(node),
                Some(key) => pairs.push((key, node)),
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }
}
