//! File systems.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `fs-setup`.
pub(super) fn fs_setup(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do fs-setup yet"))
}
