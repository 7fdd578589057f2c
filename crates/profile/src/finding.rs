//! What looking at a rule came to.

use hardtack_report::Place;

/// What looking at a rule came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds.
    Pass,
    /// It does not.
    Fail {
        /// One fact each: what is there, and what was wanted.
        why: Vec<String>,
        /// Where.
        places: Vec<Place>,
    },
    /// It says nothing about this image, and why.
    NotApplicable(String),
    /// It is left alone because of what is in the image, and why: what would break.
    Exception(String),
    /// The first boot does it or looks at it, and what that is.
    FirstBoot(String),
}

impl Finding {
    /// One fact, and nowhere in particular.
    pub fn fail(why: impl Into<String>) -> Self {
        Self::Fail { why: vec![why.into()], places: Vec::new() }
    }

    /// One fact at one file.
    pub fn fail_at(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Fail { why: vec![why.into()], places: vec![Place::file(path)] }
    }

    /// Passes when there is nothing to say.
    #[must_use]
    pub fn of(faults: Vec<(Place, String)>) -> Self {
        if faults.is_empty() {
            return Self::Pass;
        }
        let (places, why) = faults.into_iter().unzip();
        Self::Fail { why, places }
    }
}
