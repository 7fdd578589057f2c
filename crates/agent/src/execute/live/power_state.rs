//! The end of the run.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `power-state`.
pub(super) fn power_state(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do power-state yet"))
}
