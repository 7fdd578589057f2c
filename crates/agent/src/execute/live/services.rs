//! Services.

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;
use crate::execute::run::{self, PATIENCE, Program};

/// `restart-if-running` (`cloudinit/config/cc_set_passwords.py`: `handle_ssh_pwauth`). Its failure is told and
/// forgotten.
pub(super) fn restart_if_running(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let service = details.need("service")?;
    let program = |argv| Program { argv, patience: Some(PATIENCE), ..Program::default() };
    let question = ["systemctl", "show", "--property", "ActiveState", "--value", service];
    let state = run::capture(cx.host, cx.log, &program(&question))?;
    if !state.status.success() {
        return Err(run::failure("systemctl", &state, None));
    }
    if !matches!(state.text().trim().to_lowercase().as_str(), "active" | "activating" | "reloading") {
        return Ok(());
    }
    let mut argv = vec!["systemctl"];
    argv.extend(details.all("option"));
    argv.extend(["restart", service]);
    let done = run::capture(cx.host, cx.log, &program(&argv))?;
    if !done.status.success() {
        let why = run::failure("systemctl", &done, None);
        cx.log.warn(&format!("{service} was not restarted, so it does not know its new settings: {why}"));
    }
    Ok(())
}
