//! Swap files.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `swap-file`.
pub(super) fn swap_file(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do swap-file yet"))
}
