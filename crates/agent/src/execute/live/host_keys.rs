//! Host keys of the SSH server.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;

/// `host-keys-on-console`.
pub(super) fn host_keys_on_console(
    _cx: &mut Execution<'_>,
    _details: &Details<'_>,
) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do host-keys-on-console yet"))
}

/// `public-host-key`.
pub(super) fn public_host_key(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do public-host-key yet"))
}

/// `redhat-host-key`.
pub(super) fn redhat_host_key(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do redhat-host-key yet"))
}

/// `publish-host-keys`.
pub(super) fn publish_host_keys(_cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    Err(AgentError::text("this agent cannot do publish-host-keys yet"))
}
