//! Fields of /etc/shadow.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `shadow-ages`.
pub(super) fn shadow_ages(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do shadow-ages yet"))
}

/// `expire-password`.
pub(super) fn expire_password(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do expire-password yet"))
}
