//! Login keys.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `authorized-keys`.
pub(super) fn authorized_keys(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do authorized-keys yet"))
}

/// `authorized-keys-table`.
pub(super) fn authorized_keys_table(
    _cx: &mut Execution<'_>,
    _details: &Details<'_>,
) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do authorized-keys-table yet"))
}
