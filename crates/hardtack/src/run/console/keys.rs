//! `--known-hosts`: the machine's keys into OpenSSH's file.

use std::fs::{DirBuilder, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use hardtack_credentials::HostKey;
use hardtack_credentials::known_hosts::{HostName, additions};
use hardtack_disk::AtomicFile;

use crate::error::CliError;

pub(super) fn host(text: &str) -> Result<HostName, CliError> {
    HostName::parse(text).map_err(|error| CliError::usage(format!("--host: {error}")))
}

/// Makes `.ssh` where it is missing, as ssh itself does. Another directory is more likely a slip.
fn directory(path: &Path) -> Result<(), CliError> {
    let Some(parent) = path.parent().filter(|parent| parent.ends_with(".ssh")) else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(parent) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(CliError::io(parent, "make the directory", error))
        }
        _ => Ok(()),
    }
}

/// Adds what is missing. The file is replaced in one step and keeps its mode; a new one is 0600.
pub(super) fn add(
    path: &Path,
    host: &HostName,
    keys: &[HostKey],
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let fail = |action: &'static str| move |error| CliError::io(path, action, error);
    let (existing, mode): (Vec<u8>, Option<Permissions>) = match std::fs::read(path) {
        Ok(bytes) => {
            let metadata = std::fs::metadata(path).map_err(fail("look at the file"))?;
            (bytes, Some(metadata.permissions()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(fail("read the known hosts")(error)),
    };
    let additions = additions(&String::from_utf8_lossy(&existing), host, keys);
    for line in &additions.stale {
        let place = format!("{}:{line}", path.display());
        let text =
            format!("hardtack: warning: {place}: another key of {}, of an earlier machine?", host.as_str());
        let advice = format!("if so: ssh-keygen -R '{}' -f {}, then again", host.as_str(), path.display());
        writeln!(err, "{text}\nhint: {advice}").map_err(CliError::stream)?;
    }
    if !additions.lines.is_empty() {
        let mut content = existing;
        if content.last().is_some_and(|last| *last != b'\n') {
            content.push(b'\n');
        }
        for line in &additions.lines {
            content.extend_from_slice(line.as_bytes());
            content.push(b'\n');
        }
        directory(path)?;
        let file = AtomicFile::create(path)?;
        file.file().write_all(&content).map_err(fail("write the known hosts"))?;
        if let Some(mode) = mode {
            file.file().set_permissions(mode).map_err(fail("keep the file's mode"))?;
        }
        file.commit(true)?;
    }
    let count = additions.lines.len();
    writeln!(err, "hardtack: {count} host key(s) of {} added to {}", host.as_str(), path.display())
        .map_err(CliError::stream)
}
