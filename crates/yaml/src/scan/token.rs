//! What the scanner finds.

use super::cursor::Mark;
use crate::node::Style;

/// A token and where it stands. Those that are not written (block starts and ends) have no width.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub start: Mark,
    pub end: Mark,
    pub kind: TokenKind,
}

/// The kinds of tokens, as in the YAML specification's productions.
#[derive(Clone, Debug)]
pub(crate) enum TokenKind {
    /// `%YAML 1.1`: the major version.
    YamlDirective(String),
    /// `%TAG !x! tag:example.com,2000:`.
    TagDirective(String, String),
    /// `%ANYTHING else`.
    OtherDirective,
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    /// `-`.
    BlockEntry,
    /// `,`.
    FlowEntry,
    /// `?`, or where a key begins that only its `:` gives away.
    Key,
    /// `:`.
    Value,
    Alias(String),
    Anchor(String),
    /// Handle, if there is one, and suffix.
    Tag(Option<String>, String),
    Scalar(String, Style),
}

impl TokenKind {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::YamlDirective(_) | Self::TagDirective(..) | Self::OtherDirective => "a directive (`%`)",
            Self::DocumentStart => "`---`",
            Self::DocumentEnd => "`...`",
            Self::StreamEnd => "the end of the text",
            Self::BlockSequenceStart => "a list",
            Self::BlockMappingStart => "a mapping",
            Self::BlockEnd => "less indentation",
            Self::FlowSequenceStart => "`[`",
            Self::FlowSequenceEnd => "`]`",
            Self::FlowMappingStart => "`{`",
            Self::FlowMappingEnd => "`}`",
            Self::BlockEntry => "`-`",
            Self::FlowEntry => "`,`",
            Self::Key => "a key",
            Self::Value => "`:`",
            Self::Alias(_) => "an alias (`*`)",
            Self::Anchor(_) => "an anchor (`&`)",
            Self::Tag(..) => "a tag (`!`)",
            Self::Scalar(..) => "a value",
        }
    }
}

/// Why a text is no YAML.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub start: Mark,
    /// Byte behind what it is about.
    pub end: usize,
    pub message: String,
    pub hint: Option<&'static str>,
    /// Where the thing begins that is not complete.
    pub related: Option<(Mark, &'static str)>,
}

impl Problem {
    pub(crate) fn at(mark: Mark, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { start: mark, end: mark.at, message: message.into(), hint: None, related: None })
    }

    pub(crate) fn hint(mut self: Box<Self>, hint: &'static str) -> Box<Self> {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn since(mut self: Box<Self>, mark: Mark, words: &'static str) -> Box<Self> {
        self.related = Some((mark, words));
        self
    }
}
