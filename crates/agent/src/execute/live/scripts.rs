//! Scripts and files that they stand in.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `append-file`.
pub(super) fn append_file(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do append-file yet"))
}

/// `run-parts`.
pub(super) fn run_parts(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do run-parts yet"))
}
