//! A policy-rc.d under which no maintainer script starts a service (invoke-rc.d(8): exit status
//! 101). One that the image has is put aside meanwhile and comes back, also after a power cut.

use std::fs;
use std::io::ErrorKind;

use crate::accounts::replace;
use crate::error::AgentError;
use crate::host::Host;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const ASIDE: &str = "/usr/sbin/policy-rc.d.hardtack-aside";
const OURS: &str =
    "#!/bin/sh\n# Hardtack: packages are being installed; their services start afterwards.\nexit 101\n";

/// While it lives no service starts.
pub(super) struct Held<'a>(&'a Host);

impl<'a> Held<'a> {
    pub(super) fn new(host: &'a Host) -> Result<Self, AgentError> {
        let (policy, aside) = (host.path(POLICY), host.path(ASIDE));
        match fs::rename(&policy, &aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(AgentError::io("put aside", &policy, error));
            }
            _ => {}
        }
        // From here on dropping restores.
        let held = Self(host);
        replace(&policy, OURS.as_bytes(), 0o755, None)?;
        Ok(held)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        recover(self.0);
    }
}

/// Puts things back as they were, whatever point was reached.
pub(super) fn recover(host: &Host) {
    let (policy, aside) = (host.path(POLICY), host.path(ASIDE));
    if aside.symlink_metadata().is_ok() {
        let _ = fs::rename(&aside, &policy);
    } else if fs::read(&policy).is_ok_and(|content| content == OURS.as_bytes()) {
        let _ = fs::remove_file(&policy);
    }
}
