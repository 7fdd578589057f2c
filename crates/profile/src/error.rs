//! Why a profile cannot be carried out, or an image not be judged.

/// Why a profile cannot be carried out, or an image not be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image could not be read or changed.
    #[error(transparent)]
    Guest(#[from] hardtack_guest::Error),
    /// The image cannot have what a rule asks for.
    #[error("{rule}: {what}")]
    Refused {
        /// The rule, by its id.
        rule: &'static str,
        /// What was found, and where.
        what: String,
        /// What to do about it.
        hint: String,
    },
}

impl Error {
    /// A refusal in the name of this rule.
    pub(crate) fn of(self, rule: &'static str) -> Self {
        match self {
            Self::Refused { what, hint, .. } => Self::Refused { rule, what, hint },
            other => other,
        }
    }
}
