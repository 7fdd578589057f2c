//! Passwords.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `unlock-password`.
pub(super) fn unlock_password(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do unlock-password yet"))
}

/// `random-passwords`.
pub(super) fn random_passwords(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do random-passwords yet"))
}

/// `print-random-passwords`.
pub(super) fn print_random_passwords(
    _cx: &mut Execution<'_>,
    _details: &Details<'_>,
) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do print-random-passwords yet"))
}
