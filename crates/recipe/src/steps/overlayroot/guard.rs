//! What the initramfs is told about the disk: how it is known, whether it may be erased, what becomes of a failure.
//!
//! The configuration lies on the root, where `overlay.sh` reads it as overlayroot reads its own: an edit needs no new
//! initramfs.

use hardtack_guest::Set;

use crate::model::{FindDisk, OnFailure, OverlayMode, OverlayrootStep};
use crate::{Context, StepError};

/// Read by the initramfs.
const PATH: &str = "/etc/hardtack/overlay.conf";
/// Keeps cloud-init's last stage, with its scripts, from a machine without its overlay.
const CLOUD_FINAL: &str = "/etc/systemd/system/cloud-final.service.d/hardtack-overlay.conf";
const CLOUD_FINAL_TEXT: &str = "\
# Written by hardtack (step overlayroot, on_failure: login-only): the initramfs leaves this file where there is no overlay.
[Unit]
ConditionPathExists=!/run/initramfs/hardtack-overlay
";

/// True when the initramfs is to look for the disk, watch over it, or act on a failure.
pub(super) fn is_wanted(settings: &OverlayrootStep) -> bool {
    settings.mode != OverlayMode::Tmpfs || settings.on_failure.is_some()
}

/// Writes what the initramfs reads, or takes away what an earlier recipe has left.
pub(super) fn write(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if is_wanted(settings) {
        cx.stage.mkdir("/etc/hardtack", Set::all(0o755, 0, 0))?;
        cx.stage.write(PATH, text(settings), Set::all(0o644, 0, 0))?;
    } else {
        cx.stage.remove(PATH)?;
    }
    let is_there = cx.stage.stat("/etc/cloud/cloud.cfg")?.is_some();
    if settings.on_failure == Some(OnFailure::LoginOnly) && is_there {
        cx.stage.write(CLOUD_FINAL, CLOUD_FINAL_TEXT, Set::default())?;
    } else {
        cx.stage.remove(CLOUD_FINAL)?;
    }
    Ok(())
}

/// Lines `NAME=VALUE`, not read by a shell as such.
fn text(settings: &OverlayrootStep) -> String {
    let random = settings.mode == OverlayMode::Crypt && settings.pass.is_none();
    let find = settings.find.as_ref().map(|find| match find {
        FindDisk::Ephemeral(number) => format!("ephemeral {number}"),
        FindDisk::Ebs(name) => format!("ebs {name}"),
        FindDisk::Serial(serial) => format!("serial {serial}"),
    });
    let lines = [
        ("mode", settings.mode.as_str().to_owned()),
        ("dev", settings.dev.clone().unwrap_or_default()),
        ("find", find.unwrap_or_default()),
        ("timeout", settings.timeout.to_string()),
        ("key", if random { "random" } else { "" }.to_owned()),
        ("wipe", u8::from(settings.wipe).to_string()),
        ("on_failure", settings.on_failure.map(OnFailure::as_str).unwrap_or_default().to_owned()),
    ];
    let mut text = "# Written by hardtack (step overlayroot) for the initramfs.\n".to_owned();
    for (name, value) in lines {
        if !value.is_empty() {
            text.push_str(&format!("{name}={value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
