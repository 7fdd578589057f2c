//! What only the running machine can decide ([`hardtack_modules::Action::Live`]).
//!
//! What each name asks for stands with `Action::Live` and in `hardtack_modules::live`.

use super::Execution;
use crate::error::AgentError;

/// The arguments of one such action: names and values, in order; a name may come several times.
pub(super) struct Details<'a>(&'a [(String, String)]);

impl<'a> Details<'a> {
    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub(super) fn all(&self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Does what `what` names.
pub(super) fn live(
    cx: &mut Execution<'_>,
    what: &str,
    details: &[(String, String)],
) -> Result<(), AgentError> {
    let details = Details(details);
    let _ = (&cx, details.get(""), details.all(""));
    Err(AgentError::text(format!("this agent cannot do {what}")))
}
