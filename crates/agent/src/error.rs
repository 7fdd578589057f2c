//! What can go wrong in the agent. Texts reach the journal: no secret is ever part of one.

use std::path::Path;

/// An error of the agent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// The operating system said no.
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: String, source: std::io::Error },
    /// Anything else, as one sentence.
    #[error("{0}")]
    Text(String),
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
}

impl AgentError {
    pub(crate) fn io(what: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::Io { what, path: path.display().to_string(), source: source.into() }
    }

    pub(crate) fn text(what: impl Into<String>) -> Self {
        Self::Text(what.into())
    }
}
