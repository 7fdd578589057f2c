//! Which module has run for which instance (`cloudinit/helpers.py`, `FileSemaphores`): a file that is written
//! *before* the module runs, and stays when it fails.

use hardtack_modules::Frequency;

use super::{CLOUD, LINK};
use crate::accounts::replace;
use crate::error::AgentError;
use crate::host::Host;

/// The file for the module `name`: `config_ssh` in the instance's directory, or `config_scripts_per_once.once`.
fn path(name: &str, frequency: Frequency) -> Option<String> {
    match frequency {
        Frequency::Always => None,
        Frequency::Instance => Some(format!("{LINK}/sem/{name}")),
        Frequency::Once => Some(format!("{CLOUD}/sem/{name}.once")),
    }
}

/// Whether `name` has run as often as it may.
pub(crate) fn has_run(host: &Host, name: &str, frequency: Frequency) -> bool {
    path(name, frequency).is_some_and(|path| host.exists(&path))
}

/// Notes that `name` runs now, at `now` seconds since 1970.
pub(crate) fn take(host: &Host, name: &str, frequency: Frequency, now: u64) -> Result<(), AgentError> {
    let Some(path) = path(name, frequency) else { return Ok(()) };
    let text = format!("{}: {now}.0\n", std::process::id());
    replace(&host.path(&path), text.as_bytes(), 0o644, None)
}
