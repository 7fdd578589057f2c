//! The commands that other software calls: `cloud-init` and `cloud-id` are links to the agent.

use std::process::ExitCode;

use crate::host::Host;

/// Runs the tool `name` with `arguments`.
pub(crate) fn run(_host: &Host, name: &str, _arguments: &[String]) -> ExitCode {
    crate::journal::say(&format!("{name}: not known"));
    ExitCode::from(2)
}
