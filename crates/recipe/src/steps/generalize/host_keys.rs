//! `ssh-hostkeys`: who makes them again, and those that stay.

use hardtack_guest::Stage;
use hardtack_guest::glob::glob;

use super::STEP;
use crate::steps::agent::host_keys::{has_server, maker};
use crate::{Context, StepError};

const OURS: &str = "/etc/systemd/system/multi-user.target.wants/hardtack-host-keys.service";

/// Without host keys sshd does not start, so somebody must make them.
pub(super) fn check(optional: bool, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let made = !has_server(cx.stage)?
        || maker(cx.stage)?.is_some()
        || cx.agent.host_keys
        || cx.stage.lstat(OURS)?.is_some();
    if made {
        return Ok(());
    }
    let what =
        "SSH's host keys are taken away, and nothing in this image makes new ones: sshd would not start";
    if optional {
        cx.warn(STEP, what);
        return Ok(());
    }
    Err(StepError::refused(STEP, what).hint(
        "add step `agent`, which makes them at the first boot, or leave the keys with `without: [ssh-hostkeys]`",
    ))
}

/// Host keys that sshd_config names elsewhere stay: nothing makes them again.
pub(super) fn warn_of_others(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for key in named(cx.stage)? {
        if !key.starts_with("/etc/ssh/") || !key.contains("_host_") {
            cx.warn(
                STEP,
                format!(
                    "the host key {key} stays, and all machines of this image have it: nothing makes it again"
                ),
            );
        }
    }
    Ok(())
}

/// The values of `HostKey` for files that are there.
fn named(stage: &Stage<'_>) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    let mut files = vec!["/etc/ssh/sshd_config".to_owned()];
    files.extend(glob(stage, "/etc/ssh/sshd_config.d/*.conf")?);
    for file in files {
        let text = stage.read(&file)?.unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut words = line.split(|character: char| character.is_whitespace() || character == '=');
            if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("HostKey")) {
                continue;
            }
            let Some(path) = words.find(|word| !word.is_empty()) else { continue };
            let path = path.trim_matches('"');
            if path.starts_with('/')
                && stage.stat(path)?.is_some()
                && !found.iter().any(|known| known == path)
            {
                found.push(path.to_owned());
            }
        }
    }
    Ok(found)
}
