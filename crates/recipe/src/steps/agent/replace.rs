//! Mode `replace`: the agent under cloud-init's names, and the way back.
//!
//! Our units stand in /etc/systemd/system, where they win over those of a package; what the package
//! starts besides is masked. `cloud-init` and `cloud-id` become links to the agent: through a diversion
//! where dpkg is, so that the package can be checked, upgraded and removed as before. What stood at a
//! path of ours is kept below [`KEPT`] and put back when a later build asks for mode `companion`.
//!
//! The names, their order and their conditions: cloud-init's `systemd/*.tmpl` and Debian's units of 22.4.

use hardtack_guest::dpkg::diversions::{distrib, divert, undivert};
use hardtack_guest::{FileType, Set};

use super::{PROGRAM, STEP};
use crate::{Context, StepError};

#[cfg(test)]
mod tests;

const SYSTEM: &str = "/etc/systemd/system";
const KEPT: &str = "/var/lib/hardtack/replaced";
const TOOLS: [&str; 2] = ["/usr/bin/cloud-init", "/usr/bin/cloud-id"];
/// No program of cloud-init is larger: they are short scripts.
const TOOL_LIMIT: u64 = 16 << 20;
const DISABLED: &str = "/etc/cloud/cloud-init.disabled";

macro_rules! unit {
    ($name:literal) => {
        ($name, include_str!(concat!("../../units/replace/", $name)))
    };
}

/// The units that are the same everywhere.
pub(super) const UNITS: [(&str, &str); 6] = [
    unit!("cloud-config.service"),
    unit!("cloud-config.target"),
    unit!("cloud-final.service"),
    unit!("cloud-init-local.service"),
    unit!("cloud-init-main.service"),
    unit!("cloud-init.target"),
];
/// The network's stage: before sysinit.target where what makes the network is, as on Debian…
pub(super) const NETWORK: (&str, &str) = unit!("cloud-init-network.service");
/// …and after basic.target elsewhere.
pub(super) const NETWORK_LATE: &str = include_str!("../../units/replace/cloud-init-network-late.service");
const SSHD_AT: &str = include_str!("../../units/replace/sshd-at.conf");

/// What a target wants.
const WANTED: [(&str, &str); 6] = [
    ("cloud-init.target", "cloud-config.service"),
    ("cloud-init.target", "cloud-final.service"),
    ("cloud-init.target", "cloud-init-local.service"),
    ("cloud-init.target", "cloud-init-main.service"),
    ("cloud-init.target", "cloud-init-network.service"),
    ("multi-user.target", "cloud-init.target"),
];

/// What stands at a path of ours.
enum Place {
    File(&'static str),
    Link(String),
}

/// Installs the units and tools. `again` when the image already has them from an earlier build.
pub(super) fn install(cx: &mut Context<'_, '_>, again: bool) -> Result<(), StepError> {
    for (path, place) in places(cx)? {
        if !again {
            keep(cx, &path)?;
        }
        match place {
            Place::File(text) => write(cx, &path, text.into(), Set::all(0o644, 0, 0))?,
            Place::Link(target) => cx.stage.symlink(&path, &target)?,
        }
    }
    for (link, target) in wants() {
        // A link of the package does the same: systemd goes by its name.
        if cx.stage.lstat(&link)?.is_none() {
            cx.stage.symlink(&link, &target)?;
        }
    }
    for tool in TOOLS {
        install_tool(cx, tool)?;
    }
    if cx.stage.lstat(DISABLED)?.is_some() {
        cx.warn(
            STEP,
            format!(
                "{DISABLED} is in the image, so the agent applies no user-data; remove it in a `files` step"
            ),
        );
    }
    Ok(())
}

/// Takes everything back that [`install`] did in an earlier build.
pub(super) fn undo(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for (link, target) in wants() {
        if cx.stage.read_link(&link)?.as_deref() == Some(target.as_str()) {
            cx.stage.remove(&link)?;
        }
    }
    for (path, _) in places(cx)? {
        cx.stage.remove(&path)?;
        rename(cx, &format!("{KEPT}{path}"), &path)?;
    }
    cx.stage.remove(&format!("{SYSTEM}/sshd@.service.d/hardtack.conf"))?;
    for tool in TOOLS {
        if is_ours(cx, tool)? {
            cx.stage.remove(tool)?;
        }
        let beside = distrib(tool);
        if has_dpkg(cx)? {
            undivert(cx.stage, tool, &beside)?;
            rename(cx, &beside, tool)?;
        } else {
            rename(cx, &format!("{KEPT}{tool}"), tool)?;
        }
    }
    cx.stage.remove(KEPT)?;
    Ok(())
}

/// Every path of ours with what stands there, except wants and tools.
fn places(cx: &Context<'_, '_>) -> Result<Vec<(String, Place)>, StepError> {
    let mut places: Vec<(String, Place)> =
        UNITS.iter().map(|(name, text)| (format!("{SYSTEM}/{name}"), Place::File(text))).collect();
    let (network, early) = NETWORK;
    let network = format!("{SYSTEM}/{network}");
    places.push((format!("{SYSTEM}/cloud-init.service"), Place::Link(network.clone())));
    if has_dpkg(cx)? {
        places.push((network, Place::File(early)));
    } else {
        places.push((network, Place::File(NETWORK_LATE)));
        places.push((format!("{SYSTEM}/sshd@.service.d/hardtack.conf"), Place::File(SSHD_AT)));
    }
    let mut masked = vec![
        format!("{SYSTEM}/cloud-init-hotplugd.service"),
        format!("{SYSTEM}/cloud-init-hotplugd.socket"),
        // It runs ds-identify, and starts our units only where that finds something.
        "/etc/systemd/system-generators/cloud-init-generator".to_owned(),
    ];
    for directory in ["/usr/lib/udev/rules.d", "/lib/udev/rules.d"] {
        for entry in cx.stage.list(directory)? {
            let rule = format!("/etc/udev/rules.d/{}", entry.name);
            if entry.name.ends_with("cloud-init-hook-hotplug.rules") && !masked.contains(&rule) {
                masked.push(rule);
            }
        }
    }
    places.extend(masked.into_iter().map(|path| (path, Place::Link("/dev/null".to_owned()))));
    Ok(places)
}

fn wants() -> impl Iterator<Item = (String, String)> {
    WANTED.iter().map(|(by, name)| (format!("{SYSTEM}/{by}.wants/{name}"), format!("{SYSTEM}/{name}")))
}

fn install_tool(cx: &mut Context<'_, '_>, tool: &str) -> Result<(), StepError> {
    if has_dpkg(cx)? {
        let beside = distrib(tool);
        divert(cx.stage, tool, &beside)?;
        if !is_ours(cx, tool)? {
            if kind(cx, tool)?.is_some() && kind(cx, &beside)?.is_some() {
                return Err(StepError::refused(
                    STEP,
                    format!("{tool} cannot move to {beside}, which exists"),
                )
                .hint("look which of the two is needed, and remove the other in a `files` step"));
            }
            rename(cx, tool, &beside)?;
        }
    } else {
        if !is_ours(cx, tool)? {
            keep(cx, tool)?;
        }
        if cx.stage.lstat(&format!("{KEPT}{tool}"))?.is_some() && has_rpm(cx)? {
            cx.warn(
                STEP,
                format!(
                    "{tool} becomes a link to the agent: `rpm -V cloud-init` shows it as changed, and an upgrade of \
                     cloud-init puts its own back; build again after one"
                ),
            );
        }
    }
    cx.stage.symlink(tool, PROGRAM)?;
    Ok(())
}

/// Keeps what is at `path`, if anything is.
fn keep(cx: &mut Context<'_, '_>, path: &str) -> Result<(), StepError> {
    copy(cx, path, &format!("{KEPT}{path}"))?;
    Ok(())
}

fn rename(cx: &mut Context<'_, '_>, from: &str, to: &str) -> Result<(), StepError> {
    if copy(cx, from, to)? {
        cx.stage.remove(from)?;
    }
    Ok(())
}

/// Copies a file or link with mode and owner, and says whether there was one.
fn copy(cx: &mut Context<'_, '_>, from: &str, to: &str) -> Result<bool, StepError> {
    let Some(metadata) = cx.stage.lstat(from)? else { return Ok(false) };
    match metadata.kind {
        FileType::Regular => {
            let bytes = cx.stage.read_limited(from, TOOL_LIMIT)?.unwrap_or_default();
            write(cx, to, bytes, Set::all(metadata.mode & 0o7777, metadata.uid, metadata.gid))?;
        }
        FileType::Symlink => {
            let target = cx.stage.read_link(from)?.unwrap_or_default();
            cx.stage.symlink(to, &target)?;
        }
        other => {
            let what = format!("{from} is {}, and a unit or program of ours goes there", other.describe());
            return Err(StepError::refused(STEP, what).hint("remove it in a `files` step"));
        }
    }
    Ok(true)
}

/// Writes the file `path` itself, where a link may be in its place.
fn write(cx: &mut Context<'_, '_>, path: &str, bytes: Vec<u8>, set: Set) -> Result<(), StepError> {
    if kind(cx, path)? == Some(FileType::Symlink) {
        cx.stage.remove(path)?;
    }
    cx.stage.write(path, bytes, set)?;
    Ok(())
}

fn kind(cx: &Context<'_, '_>, path: &str) -> Result<Option<FileType>, StepError> {
    Ok(cx.stage.lstat(path)?.map(|metadata| metadata.kind))
}

fn is_ours(cx: &Context<'_, '_>, tool: &str) -> Result<bool, StepError> {
    Ok(cx.stage.read_link(tool)?.as_deref() == Some(PROGRAM))
}

fn has_dpkg(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    Ok(cx.stage.stat("/var/lib/dpkg/status")?.is_some())
}

fn has_rpm(cx: &Context<'_, '_>) -> Result<bool, StepError> {
    Ok(cx.stage.stat("/var/lib/rpm")?.is_some() || cx.stage.stat("/usr/lib/sysimage/rpm")?.is_some())
}
