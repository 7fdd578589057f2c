//! OpenPGP keys for apt.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `apt-key`.
pub(super) fn apt_key(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do apt-key yet"))
}
