//! Services.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `restart-if-running`.
pub(super) fn restart_if_running(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do restart-if-running yet"))
}
