//! Files, directories and links.

use hardtack_modules::Owner;

use super::Execution;
use crate::error::AgentError;

/// Writes a file whole.
pub(super) fn write(
    cx: &Execution<'_>,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
    _owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let full = cx.host.path(path);
    if let Some(above) = full.parent() {
        std::fs::create_dir_all(above).map_err(|error| AgentError::io("create", above, error))?;
    }
    crate::accounts::replace(&full, bytes, mode.unwrap_or(0o644), None)
}

/// Writes at the end of a file.
pub(super) fn append(
    cx: &Execution<'_>,
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
    owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let mut whole = cx.host.read(path)?.unwrap_or_default();
    whole.extend_from_slice(bytes);
    write(cx, path, &whole, mode, owner)
}

/// Makes a directory and those above it.
pub(super) fn directory(
    cx: &Execution<'_>,
    path: &str,
    _mode: u32,
    _owner: Option<&Owner>,
) -> Result<(), AgentError> {
    let full = cx.host.path(path);
    std::fs::create_dir_all(&full).map_err(|error| AgentError::io("create", &full, error))
}

/// Makes a symbolic link in place of what is there.
pub(super) fn link(cx: &Execution<'_>, path: &str, target: &str) -> Result<(), AgentError> {
    remove(cx, path)?;
    let full = cx.host.path(path);
    std::os::unix::fs::symlink(target, &full).map_err(|error| AgentError::io("link", &full, error))
}

/// Removes a file, if it is there.
pub(super) fn remove(cx: &Execution<'_>, path: &str) -> Result<(), AgentError> {
    let full = cx.host.path(path);
    match std::fs::remove_file(&full) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(AgentError::io("remove", &full, error))
        }
        _ => Ok(()),
    }
}
