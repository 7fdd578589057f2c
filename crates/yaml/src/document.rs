//! From text to nodes.
//!
//! The events come from `saphyr-parser`; anchors are kept with their size, so that an alias that
//! would go over the limits is refused before anything is copied.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::marks::Marks;
use crate::node::{Kind, Node, Scalar, Style};
use crate::{Diagnostic, Span, merge, strict};

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
            return Err(vec![Diagnostic::error(
                name,
                Span { line: 1, column: 1, ..Span::default() },
                message,
            )]);
        }
        let skipped = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let marks = Marks::new(text, skipped);
        if let Some((at, message, hint)) = strict::unprintable(text, skipped) {
            return Err(vec![Diagnostic::error(name, marks.span(at, at), message).with_hint(hint)]);
        }
        let mut builder = Builder::new(name, &marks, limits, merging);
        let mut opaque = Vec::new();
        let mut parser = Parser::new_from_str(text.get(skipped..).unwrap_or_default());
        let outcome = loop {
            match parser.next_event() {
                None => break Ok(()),
                Some(Err(error)) => break Err(scan_error(name, &marks, &error)),
                Some(Ok((event, span))) => {
                    let span = marks.parsed(span);
                    if let Event::Scalar(_, style, ..) = &event
                        && *style != ScalarStyle::Plain
                    {
                        opaque.push(span.range());
                    }
                    let anchored = matches!(
                        &event,
                        Event::Scalar(_, _, 1.., _)
                            | Event::SequenceStart(1.., _)
                            | Event::MappingStart(1.., _)
                    );
                    if anchored && let Some(at) = strict::anchor(text, span.start) {
                        let message = "an anchor's name holds letters, digits, `-` and `_`";
                        let hint = "put the value in quotes if it is text";
                        break Err(Diagnostic::error(name, marks.span(at, at), message).with_hint(hint));
                    }
                    if let Err(error) = builder.event(event, span) {
                        break Err(*error);
                    }
                }
            }
        };
        // A tab is most often the reason of what the parser says, and PyYAML's only complaint.
        let tab = strict::tab(text, &opaque);
        if let Some(at) = tab
            && outcome.as_ref().err().is_none_or(|error| at <= error.span.start.max(error.span.end))
        {
            let message = "a tab cannot separate or indent anything in YAML";
            let hint = "use spaces, or quotes around a value that needs the tab";
            return Err(vec![Diagnostic::error(name, marks.span(at, at + 1), message).with_hint(hint)]);
        }
        outcome.map_err(|error| vec![error])?;
        Ok(builder.root.unwrap_or_else(|| Node {
            span: marks.span(text.len(), text.len()),
            kind: Kind::Scalar(Scalar { text: String::new(), style: Style::Plain }),
            tag: None,
        }))
    }
}

fn scan_error(name: &str, marks: &Marks<'_>, error: &ScanError) -> Diagnostic {
    let at = marks.byte(error.marker().index());
    let info = error.info();
    let hint = strict::explain(info);
    let mut diagnostic = Diagnostic::error(
        name,
        marks.span(at, at),
        format!("not valid YAML: {}", info.trim_end_matches('.')),
    );
    diagnostic.hint = hint.map(str::to_owned);
    diagnostic
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    key: Option<Node>,
    anchor: usize,
    size: Size,
}

/// What copying a node costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'a> {
    name: &'a str,
    marks: &'a Marks<'a>,
    limits: Limits,
    merging: bool,
    root: Option<Node>,
    documents: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    bytes: usize,
}

type Failed = Box<Diagnostic>;

impl<'a> Builder<'a> {
    fn new(name: &'a str, marks: &'a Marks<'a>, limits: Limits, merging: bool) -> Self {
        Self {
            name,
            marks,
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

    fn fail<T>(&self, span: Span, message: impl Into<String>) -> Result<T, Failed> {
        Err(Box::new(Diagnostic::error(self.name, span, message)))
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Failed> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.fail(span, "a second YAML document starts here; one file holds one");
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let size = Size { nodes: 1, bytes: text.len(), depth: 0 };
                self.spend(size, span)?;
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let span = if style == Style::Plain { self.trim(span) } else { span };
                let kind = Kind::Scalar(Scalar { text: text.into_owned(), style });
                let node = Node { span, kind, tag: tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)) };
                self.add(node, size, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(
                    Kind::Sequence(Vec::new()),
                    anchor,
                    tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)),
                    span,
                )?;
            }
            Event::MappingStart(anchor, tag) => {
                self.start(
                    Kind::Mapping(Vec::new()),
                    anchor,
                    tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)),
                    span,
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(anchor) => {
                let Some((_, size)) = self.anchors.get(&anchor) else {
                    return self.fail(span, "this alias stands inside what it names");
                };
                let size = *size;
                if self.open.len() + size.depth > self.limits.depth {
                    return self.too_deep(span);
                }
                self.spend(size, span)?;
                let node = self.anchors.get(&anchor).map(|(node, _)| node.clone());
                if let Some(node) = node {
                    self.add(node, size, 0)?;
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn too_deep<T>(&self, span: Span) -> Result<T, Failed> {
        self.fail(span, format!("nested more than {} levels deep", self.limits.depth))
    }

    fn spend(&mut self, size: Size, span: Span) -> Result<(), Failed> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        if self.nodes > self.limits.nodes || self.bytes > self.limits.bytes {
            let limits = self.limits;
            return self.fail(
                span,
                format!(
                    "more than {} values or {} bytes of text, aliases counted each time",
                    limits.nodes, limits.bytes
                ),
            );
        }
        Ok(())
    }

    /// A plain scalar's span without the blanks behind it.
    fn trim(&self, span: Span) -> Span {
        self.marks.span(span.start, self.marks.trimmed(span.start, span.end))
    }

    fn start(&mut self, kind: Kind, anchor: usize, tag: Option<String>, span: Span) -> Result<(), Failed> {
        if self.open.len() >= self.limits.depth {
            return self.too_deep(span);
        }
        let size = Size { nodes: 1, bytes: 0, depth: 1 };
        self.spend(size, span)?;
        self.open.push(Open { node: Node { span, kind, tag }, key: None, anchor, size });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Failed> {
        let Some(Open { mut node, anchor, size, .. }) = self.open.pop() else { return Ok(()) };
        let end = self.marks.trimmed(node.span.start, span.end.max(node.span.end));
        node.span = self.marks.span(node.span.start, end);
        if !self.merging {
            return self.add(node, size, anchor);
        }
        if let Kind::Mapping(pairs) = node.kind {
            let merged = merge::merge(pairs)
                .map_err(|(span, message)| Box::new(Diagnostic::error(self.name, span, message)))?;
            node.kind = Kind::Mapping(merged);
        }
        self.add(node, size, anchor)
    }

    fn add(&mut self, node: Node, size: Size, anchor: usize) -> Result<(), Failed> {
        if anchor > 0 {
            // The copy behind the anchor counts like any other.
            self.spend(size, node.span)?;
            self.anchors.insert(anchor, (node.clone(), size));
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
