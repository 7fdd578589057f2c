//! What can be found wrong before the first byte is sent.

mod bundle;
mod snapshot;

pub use bundle::bundle;
pub use snapshot::snapshot;

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
