//! What can be found wrong before the first byte is sent.

mod bundle;
mod credentials;
mod encryption;
mod snapshot;

pub use bundle::{bundle, manifest};
pub use snapshot::snapshot;

use crate::Error;
use crate::refusal::{denied, transient};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Good.
    Good,
    /// It cannot be known beforehand, or people should look at it.
    Doubtful,
    /// It would fail.
    Bad,
}

/// One check: "bucket images: it takes no ACLs…".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: "credentials", "bucket", "name", "encryption" ….
    pub subject: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, and what to do.
    pub text: String,
}

impl Check {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Good, text: text.into() }
    }

    fn doubtful(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Doubtful, text: text.into() }
    }

    fn bad(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, outcome: Outcome::Bad, text: text.into() }
    }

    /// A question that was not answered: doubtful where the account may not ask it or nobody was there, and bad where
    /// the service says no for another reason.
    fn unknown(subject: &'static str, question: &str, error: &Error) -> Self {
        let text = format!("{question} cannot be known: {error}");
        match error {
            Error::Cloud(error) if denied(error) || transient(error) => Self::doubtful(subject, text),
            _ => Self::bad(subject, text),
        }
    }
}
