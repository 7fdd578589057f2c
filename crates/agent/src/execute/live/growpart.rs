//! Partitions that grow.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `growpart`.
pub(super) fn growpart(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do growpart yet"))
}
