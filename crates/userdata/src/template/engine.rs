//! Jinja as cloud-init sets it up (`cloudinit/templater.py`): block tags swallow the line break behind
//! them, names that are not known print as [`super::MISSING`] and the name.
//!
//! It is an interpreter of our own, since every step and every byte of it has to be counted: templates
//! are other people's, and a few lines of one can double a text thirty times. What it does not know is an
//! error, never passed over: other templates (`include`), recursive loops, filters and methods beyond
//! those in `filters.rs` and `builtin.rs`.

use thiserror::Error;

use super::lexer::Trouble;
use super::run::{Run, Stop};
use super::syntax;
use super::value::Value;
use super::variables::Variables;

pub use super::run::STEPS;

/// Why a template does not render.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    message: String,
    /// The line of the template without its first one, from 1.
    pub line: usize,
    /// What to do.
    pub hint: Option<String>,
}

impl Error {
    /// The first line is another one.
    pub(crate) fn header(first: &str) -> Self {
        let message = format!("{} is not `## template: jinja`", crate::wording::shown(first));
        Self { message, line: 0, hint: None }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self { message: format!("this is no template: {}", trouble.message), line: trouble.line, hint: None }
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        let message = format!("the template does not render: {}", stop.message);
        Self { message, line: stop.line, hint: stop.hint }
    }
}

/// The template `text` as Jinja's lexer sees it: line breaks are all alike, and the last one is not there.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    match text.strip_suffix('\n') {
        Some(less) => less.to_owned(),
        None => text,
    }
}

/// Looks whether `text` is a template at all.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<(), Error> {
    syntax::parse(&normalised(text))?;
    Ok(())
}

/// Renders `text`, which is a template without its first line.
///
/// # Errors
/// Whatever makes cloud-init ignore the part, and going beyond the limits.
pub fn render(text: &str, variables: Variables) -> Result<String, Error> {
    let ending = if text.ends_with('\n') { "\n" } else { "" };
    let nodes = syntax::parse(&normalised(text))?;
    let root = variables.iter().map(|(name, value)| (name.clone(), Value::from_json(value))).collect();
    let mut rendered = Run::new(root).render(&nodes)?;
    rendered.push_str(ending);
    Ok(rendered)
}

/// `{{ ds.meta-data }}`: names with hyphens in expressions, with their place in `text`.
#[must_use]
pub fn hyphens(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find("{{")).map(|at| from + at + 2) {
        let end = text.get(open..).and_then(|rest| rest.find("}}")).map_or(text.len(), |at| open + at);
        let mut quote = None;
        let mut word: Option<usize> = None;
        for (at, character) in
            text.get(open..end).unwrap_or_default().char_indices().chain([(end - open, ' ')])
        {
            match (quote, character) {
                (Some(open), close) if open == close => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(character),
                (None, _) if character.is_alphanumeric() || matches!(character, '_' | '.' | '-') => {
                    word.get_or_insert(open + at);
                    continue;
                }
                _ => {}
            }
            let name = word.take().and_then(|start| text.get(start..open + at)).unwrap_or_default();
            let is_name =
                |piece: &str| piece.starts_with(|first: char| first.is_alphabetic() || first == '_');
            if name.contains('-') && name.contains('.') && name.split('-').all(is_name) && found.len() < 20 {
                found.push((open + at - name.len(), name));
            }
        }
        from = end;
    }
    found
}
