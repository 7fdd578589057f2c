//! File systems that grow.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `resizefs`.
pub(super) fn resizefs(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do resizefs yet"))
}
