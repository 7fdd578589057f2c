//! Partitions.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `disk-setup`.
pub(super) fn disk_setup(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do disk-setup yet"))
}
