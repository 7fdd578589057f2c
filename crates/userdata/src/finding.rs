//! What is wrong with user-data, and where.

pub use hardtack_yaml::Severity;
use hardtack_yaml::{Diagnostic, Span};

use crate::part::Part;

/// Where something stands: which part, and where in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index in the list of parts.
    pub part: usize,
    /// Place in the part's text.
    pub span: Span,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the user-data is refused for it.
    pub severity: Severity,
    /// A word that stays the same between releases, for programs: `unknown-key`, `wrong-type`…
    pub code: &'static str,
    /// The value that it is about, from the top of the configuration, as cloud-init's schema errors
    /// write it: `users.0.name`. Empty for the text as a whole.
    pub path: String,
    /// Where.
    pub place: Place,
    /// One lower-case sentence: what was found, and what is wrong with it.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    /// An error.
    pub fn error(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            path: String::new(),
            place,
            message: message.into(),
            hint: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// With the path of the value.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same for people, with the place in the file where the part's text stands in it as it is.
    #[must_use]
    pub fn diagnostic(&self, parts: &[Part]) -> Diagnostic {
        let (file, span) = parts
            .get(self.place.part)
            .map_or_else(|| (String::new(), self.place.span), |part| part.origin.locate(self.place.span));
        Diagnostic {
            severity: self.severity,
            message: self.message.clone(),
            file,
            span,
            hint: self.hint.clone(),
            related: Vec::new(),
        }
    }
}
