//! From tokens to events, as PyYAML does it (`yaml/parser.py`): the grammar of YAML 1.1, with a state for
//! every place in it, so that nothing recurses.

use std::collections::HashMap;

use crate::node::{Style, shorten};
use crate::scan::{Mark, Problem, Scanner, Token, TokenKind};

/// What the text consists of.
#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(String),
    Scalar(String, Style),
    SequenceStart,
    SequenceEnd,
    MappingStart,
    MappingEnd,
}

/// One of them, with what is written before it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub kind: EventKind,
    pub anchor: Option<String>,
    /// The resolved tag.
    pub tag: Option<String>,
    pub start: Mark,
    /// Byte behind it; of a block's end that behind its last token.
    pub end: usize,
}

type Failed = Box<Problem>;
type Outcome = Result<Event, Failed>;

#[derive(Clone, Copy, Debug)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirst,
    BlockSequenceEntry,
    IndentlessEntry,
    BlockMappingFirst,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequenceEntry,
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// Where a node may stand, which says what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    BlockOrIndentless,
    Flow,
}

/// The events of a text, one after the other.
pub(crate) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    /// Where the open collections start.
    marks: Vec<Mark>,
    handles: HashMap<String, String>,
    /// Byte behind the last token that is written.
    last: usize,
    /// The line that it ends in, if it is a value in quotes.
    quoted: Option<usize>,
}

const INDENTATION: &str = "check the indentation of this line and the one above";
const BRACKET: &str = "a bracket or a comma is missing, or a value inside brackets needs quotes";

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            marks: Vec::new(),
            handles: HashMap::new(),
            last: 0,
            quoted: None,
        }
    }

    /// The next event; `StreamEnd` for ever at the end.
    pub(crate) fn next(&mut self) -> Outcome {
        match self.state {
            State::ImplicitDocumentStart => self.implicit_document_start(),
            State::DocumentStart => self.document_start(),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Context::Block),
            State::BlockSequenceFirst => {
                self.open()?;
                self.block_sequence_entry()
            }
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessEntry => self.indentless_entry(),
            State::BlockMappingFirst => {
                self.open()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst => {
                self.open()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                self.state = State::FlowSequenceEntry;
                self.here(EventKind::MappingEnd)
            }
            State::FlowMappingFirst => {
                self.open()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => {
                self.state = State::FlowMappingKey;
                self.empty_here()
            }
            State::End => self.here(EventKind::StreamEnd),
        }
    }

    fn peek(&mut self) -> Result<&TokenKind, Failed> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn take(&mut self) -> Result<Token, Failed> {
        let token = self.scanner.next()?;
        // Tokens that are not written have no width, and stand before the next one.
        if token.end.at > token.start.at {
            self.last = token.end.at;
            self.quoted = match &token.kind {
                TokenKind::Scalar(_, Style::SingleQuoted | Style::DoubleQuoted) => Some(token.end.line),
                _ => None,
            };
        }
        Ok(token)
    }

    /// Whether the next token is what `wanted` says.
    fn at(&mut self, wanted: fn(&TokenKind) -> bool) -> Result<bool, Failed> {
        Ok(wanted(self.peek()?))
    }

    /// Goes into the collection that the next token starts.
    fn open(&mut self) -> Result<(), Failed> {
        let token = self.take()?;
        self.marks.push(token.start);
        Ok(())
    }

    fn pop(&mut self) -> State {
        self.states.pop().unwrap_or(State::End)
    }

    /// An event without width before the next token.
    fn here(&mut self, kind: EventKind) -> Outcome {
        let start = self.scanner.peek()?.start;
        let end =
            if matches!(kind, EventKind::SequenceEnd | EventKind::MappingEnd) { self.last } else { start.at };
        Ok(Event { kind, anchor: None, tag: None, start, end })
    }

    /// A value that is not written.
    fn empty(mark: Mark) -> Event {
        let kind = EventKind::Scalar(String::new(), Style::Plain);
        Event { kind, anchor: None, tag: None, start: mark, end: mark.at }
    }

    fn empty_here(&mut self) -> Outcome {
        Ok(Self::empty(self.scanner.peek()?.start))
    }

    /// The end of a collection, with the token that ends it.
    fn close(&mut self, kind: EventKind) -> Outcome {
        let token = self.take()?;
        self.state = self.pop();
        self.marks.pop();
        Ok(Event { kind, anchor: None, tag: None, start: token.start, end: self.last })
    }

    fn implicit_document_start(&mut self) -> Outcome {
        let explicit = self.at(|token| {
            matches!(
                token,
                TokenKind::YamlDirective(_)
                    | TokenKind::TagDirective(..)
                    | TokenKind::OtherDirective
                    | TokenKind::DocumentStart
                    | TokenKind::StreamEnd
            )
        })?;
        if explicit {
            return self.document_start();
        }
        self.default_handles();
        self.states.push(State::DocumentEnd);
        self.state = State::BlockNode;
        self.here(EventKind::DocumentStart)
    }

    fn document_start(&mut self) -> Outcome {
        while self.at(|token| matches!(token, TokenKind::DocumentEnd))? {
            self.take()?;
        }
        if self.at(|token| matches!(token, TokenKind::StreamEnd))? {
            self.state = State::End;
            return self.here(EventKind::StreamEnd);
        }
        let start = self.scanner.peek()?.start;
        self.directives()?;
        let token = self.take()?;
        if !matches!(token.kind, TokenKind::DocumentStart) {
            let found = token.kind.describe();
            let message = format!("not valid YAML: {found} stands behind the end of the document");
            return Err(Problem::at(token.start, message).hint(INDENTATION));
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(Event { kind: EventKind::DocumentStart, anchor: None, tag: None, start, end: token.end.at })
    }

    fn document_end(&mut self) -> Outcome {
        let event = self.here(EventKind::DocumentEnd)?;
        if self.at(|token| matches!(token, TokenKind::DocumentEnd))? {
            self.take()?;
        }
        self.state = State::DocumentStart;
        Ok(event)
    }

    fn document_content(&mut self) -> Outcome {
        let none = self.at(|token| {
            matches!(
                token,
                TokenKind::YamlDirective(_)
                    | TokenKind::TagDirective(..)
                    | TokenKind::OtherDirective
                    | TokenKind::DocumentStart
                    | TokenKind::DocumentEnd
                    | TokenKind::StreamEnd
            )
        })?;
        if none {
            self.state = self.pop();
            return self.empty_here();
        }
        self.node(Context::Block)
    }

    fn default_handles(&mut self) {
        self.handles.entry("!".to_owned()).or_insert_with(|| "!".to_owned());
        self.handles.entry("!!".to_owned()).or_insert_with(|| "tag:yaml.org,2002:".to_owned());
    }

    fn directives(&mut self) -> Result<(), Failed> {
        self.handles.clear();
        let mut version = false;
        loop {
            match self.peek()? {
                TokenKind::YamlDirective(major) => {
                    let fits = major.trim_start_matches('0') == "1" && !version;
                    version = true;
                    let token = self.take()?;
                    if !fits {
                        let message =
                            "not valid YAML: there is one `%YAML` directive, and the version is 1.1 or 1.2";
                        return Err(Problem::at(token.start, message));
                    }
                }
                TokenKind::TagDirective(..) => {
                    let token = self.take()?;
                    if let TokenKind::TagDirective(handle, prefix) = token.kind
                        && self.handles.insert(handle, prefix).is_some()
                    {
                        return Err(Problem::at(
                            token.start,
                            "not valid YAML: this `%TAG` handle was given above",
                        ));
                    }
                }
                TokenKind::OtherDirective => {
                    self.take()?;
                }
                _ => break,
            }
        }
        self.default_handles();
        Ok(())
    }

    fn node(&mut self, context: Context) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::Alias(_)))? {
            let token = self.take()?;
            self.state = self.pop();
            let TokenKind::Alias(name) = token.kind else { return Ok(Self::empty(token.start)) };
            let kind = EventKind::Alias(name);
            return Ok(Event { kind, anchor: None, tag: None, start: token.start, end: token.end.at });
        }
        let (mut anchor, mut tag, mut start, mut end) = (None, None, None, None);
        for _ in 0..2 {
            let fits = match self.peek()? {
                TokenKind::Anchor(_) => anchor.is_none(),
                TokenKind::Tag(..) => tag.is_none(),
                _ => false,
            };
            if !fits {
                break;
            }
            let token = self.take()?;
            start.get_or_insert(token.start);
            end = Some(token.end.at);
            match token.kind {
                TokenKind::Anchor(name) => anchor = Some(name),
                TokenKind::Tag(handle, suffix) => tag = Some(self.resolve(token.start, handle, suffix)?),
                _ => {}
            }
        }
        let next = self.scanner.peek()?;
        let value = next.start;
        let (kind, state) = match &next.kind {
            TokenKind::BlockEntry if context == Context::BlockOrIndentless => {
                (EventKind::SequenceStart, State::IndentlessEntry)
            }
            TokenKind::Scalar(..) => {
                let token = self.take()?;
                self.state = self.pop();
                let TokenKind::Scalar(text, style) = token.kind else { return Ok(Self::empty(token.start)) };
                let kind = EventKind::Scalar(text, style);
                let start = if tag.is_some() { start.unwrap_or(token.start) } else { token.start };
                return Ok(Event { kind, anchor, tag, start, end: token.end.at });
            }
            TokenKind::FlowSequenceStart => (EventKind::SequenceStart, State::FlowSequenceFirst),
            TokenKind::FlowMappingStart => (EventKind::MappingStart, State::FlowMappingFirst),
            TokenKind::BlockSequenceStart if context != Context::Flow => {
                (EventKind::SequenceStart, State::BlockSequenceFirst)
            }
            TokenKind::BlockMappingStart if context != Context::Flow => {
                (EventKind::MappingStart, State::BlockMappingFirst)
            }
            found => {
                if let (Some(start), Some(end)) = (start, end) {
                    self.state = self.pop();
                    return Ok(Event { anchor, tag, end, ..Self::empty(start) });
                }
                let message = format!("not valid YAML: {} stands where a value belongs", found.describe());
                let hint = if context == Context::Flow { BRACKET } else { INDENTATION };
                return Err(Problem::at(value, message).hint(hint));
            }
        };
        self.state = state;
        Ok(Event { kind, anchor, tag, start: value, end: value.at })
    }

    fn resolve(&self, mark: Mark, handle: Option<String>, suffix: String) -> Result<String, Failed> {
        let Some(handle) = handle else { return Ok(suffix) };
        match self.handles.get(&handle) {
            Some(prefix) => Ok(format!("{prefix}{suffix}")),
            None => {
                let message =
                    format!("not valid YAML: the tag handle `{}` is not declared", shorten(&handle));
                Err(Problem::at(mark, message).hint("put the value in quotes if it is text"))
            }
        }
    }

    /// The node behind an indicator, unless the next token says that there is none.
    fn node_or_empty(&mut self, none: fn(&TokenKind) -> bool, context: Context, then: State) -> Outcome {
        let indicator = self.take()?.start;
        if self.at(none)? {
            // At the `:` or `-`, where there is something to show.
            self.state = then;
            return Ok(Self::empty(indicator));
        }
        self.states.push(then);
        self.node(context)
    }

    fn not_closed(&mut self, what: &'static str, words: &'static str, hint: &'static str) -> Failed {
        let opened = self.marks.last().copied().unwrap_or_default();
        match self.scanner.peek() {
            Err(problem) => problem,
            Ok(token) => {
                let (start, kind) = (token.start, &token.kind);
                if self.quoted == Some(start.line) && matches!(kind, TokenKind::Scalar(..)) {
                    let message =
                        format!("not valid YAML: text behind the closing quote, where {what} belongs");
                    let hint = "put all of the value into the quotes; a quote inside double quotes is \
                                written `\\\"`, an apostrophe inside single quotes twice (`''`)";
                    return Problem::at(start, message).hint(hint);
                }
                if matches!(kind, TokenKind::BlockMappingStart | TokenKind::BlockSequenceStart) {
                    let message = format!(
                        "not valid YAML: this line is indented like none above it, where {what} belongs"
                    );
                    return Problem::at(start, message).hint(hint).since(opened, words);
                }
                let message = format!("not valid YAML: {} stands where {what} belongs", kind.describe());
                Problem::at(start, message).hint(hint).since(opened, words)
            }
        }
    }

    fn block_sequence_entry(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::BlockEntry))? {
            return self.node_or_empty(
                |token| matches!(token, TokenKind::BlockEntry | TokenKind::BlockEnd),
                Context::Block,
                State::BlockSequenceEntry,
            );
        }
        if !self.at(|token| matches!(token, TokenKind::BlockEnd))? {
            return Err(self.not_closed("the next list item (`- …`)", "the list starts here", INDENTATION));
        }
        self.close(EventKind::SequenceEnd)
    }

    fn indentless_entry(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::BlockEntry))? {
            return self.node_or_empty(
                |token| {
                    matches!(
                        token,
                        TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd
                    )
                },
                Context::Block,
                State::IndentlessEntry,
            );
        }
        self.state = self.pop();
        self.here(EventKind::SequenceEnd)
    }

    fn block_mapping_key(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::Key))? {
            return self.node_or_empty(
                |token| matches!(token, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd),
                Context::BlockOrIndentless,
                State::BlockMappingValue,
            );
        }
        if !self.at(|token| matches!(token, TokenKind::BlockEnd))? {
            return Err(self.not_closed("the next key (`key: …`)", "the mapping starts here", INDENTATION));
        }
        self.close(EventKind::MappingEnd)
    }

    fn block_mapping_value(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::Value))? {
            return self.node_or_empty(
                |token| matches!(token, TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd),
                Context::BlockOrIndentless,
                State::BlockMappingKey,
            );
        }
        self.state = State::BlockMappingKey;
        self.empty_here()
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Outcome {
        let end = |token: &TokenKind| matches!(token, TokenKind::FlowSequenceEnd);
        if !self.at(end)? {
            if !first {
                if !self.at(|token| matches!(token, TokenKind::FlowEntry))? {
                    return Err(self.not_closed("`,` or `]`", "the list starts here", BRACKET));
                }
                self.take()?;
            }
            if self.at(|token| matches!(token, TokenKind::Key))? {
                self.state = State::FlowPairKey;
                return self.here(EventKind::MappingStart);
            }
            if !self.at(end)? {
                self.states.push(State::FlowSequenceEntry);
                return self.node(Context::Flow);
            }
        }
        self.close(EventKind::SequenceEnd)
    }

    fn flow_pair_key(&mut self) -> Outcome {
        self.node_or_empty(
            |token| matches!(token, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd),
            Context::Flow,
            State::FlowPairValue,
        )
    }

    fn flow_pair_value(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::Value))? {
            return self.node_or_empty(
                |token| matches!(token, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd),
                Context::Flow,
                State::FlowPairEnd,
            );
        }
        self.state = State::FlowPairEnd;
        self.empty_here()
    }

    fn flow_mapping_key(&mut self, first: bool) -> Outcome {
        let end = |token: &TokenKind| matches!(token, TokenKind::FlowMappingEnd);
        if !self.at(end)? {
            if !first {
                if !self.at(|token| matches!(token, TokenKind::FlowEntry))? {
                    return Err(self.not_closed("`,` or `}`", "the mapping starts here", BRACKET));
                }
                self.take()?;
            }
            if self.at(|token| matches!(token, TokenKind::Key))? {
                return self.node_or_empty(
                    |token| {
                        matches!(token, TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd)
                    },
                    Context::Flow,
                    State::FlowMappingValue,
                );
            }
            if !self.at(end)? {
                self.states.push(State::FlowMappingEmptyValue);
                return self.node(Context::Flow);
            }
        }
        self.close(EventKind::MappingEnd)
    }

    fn flow_mapping_value(&mut self) -> Outcome {
        if self.at(|token| matches!(token, TokenKind::Value))? {
            return self.node_or_empty(
                |token| matches!(token, TokenKind::FlowEntry | TokenKind::FlowMappingEnd),
                Context::Flow,
                State::FlowMappingKey,
            );
        }
        self.state = State::FlowMappingKey;
        self.empty_here()
    }
}
