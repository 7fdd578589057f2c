//! What comes with packages.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `snap-refresh`.
pub(super) fn snap_refresh(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do snap-refresh yet"))
}

/// `reboot-if-required`.
pub(super) fn reboot_if_required(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do reboot-if-required yet"))
}
