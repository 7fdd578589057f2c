//! The instance: whose user-data this is, and what the machine knows of it across boots
//! (`/var/lib/cloud/instance`, as cloud-init lays it out: `cloudinit/stages.py`, `cloudinit/helpers.py`).

mod semaphore;

pub(crate) use semaphore::{has_run, take};

use std::os::unix::fs::symlink;

use hardtack_datasource::Found;

use crate::accounts::replace;
use crate::error::AgentError;
use crate::host::Host;
use crate::log::Log;

/// cloud-init's directory.
pub(crate) const CLOUD: &str = "/var/lib/cloud";
/// The link to the instance's directory.
pub(crate) const LINK: &str = "/var/lib/cloud/instance";
/// What lives for a boot.
pub(crate) const RUN: &str = "/run/cloud-init";
/// What the data source said, for later stages and boots; 0600, since it holds user-data.
const FOUND: &str = "/var/lib/cloud/instance/datasource.json";
/// The same where no disk takes it, for this boot.
const AFLOAT: &str = "/run/hardtack/datasource.json";
/// `previous-instance-id` of a machine's first boot.
const NONE_BEFORE: &str = "NO_PREVIOUS_INSTANCE_ID";

/// The machine's instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// What the data source said.
    pub(crate) found: Found,
    /// True when the machine had another instance's id before, or none.
    pub(crate) is_new: bool,
}

/// What an earlier stage or boot adopted.
pub(crate) fn load(host: &Host) -> Option<Instance> {
    let found = cached(host)?;
    let previous = host.first_line(&format!("{CLOUD}/data/previous-instance-id"));
    let is_new = previous.as_deref() != Some(found.instance_id.as_str());
    Some(Instance { found, is_new })
}

/// What the data source said when it was last asked.
pub(crate) fn cached(host: &Host) -> Option<Found> {
    // Larger than what `Host` reads: user-data of 1 MiB in base64, twice.
    let read = |path: &str| serde_json::from_slice(&std::fs::read(host.path(path)).ok()?).ok();
    read(AFLOAT).or_else(|| read(FOUND))
}

/// The machine becomes the instance of `found`: directories, the link, and the notes that others read. On a disk that
/// takes nothing, full or read-only, the identity holds for this boot alone: nobody is kept out for want of a note.
pub(crate) fn adopt(host: &Host, found: Found, log: &Log) -> Result<Instance, AgentError> {
    let error = match take_over(host, &found) {
        Ok(is_new) => return Ok(Instance { found, is_new }),
        Err(error) => error,
    };
    log.error(&format!("{error}; the machine is {} for this boot alone", found.instance_id));
    crate::config::directory(host, crate::config::RUNTIME)?;
    replace(&host.path(AFLOAT), as_json(&found)?.as_bytes(), 0o600, None)?;
    Ok(Instance { found, is_new: true })
}

fn as_json(found: &Found) -> Result<String, AgentError> {
    serde_json::to_string(found)
        .map_err(|error| AgentError::text(format!("what the data source said cannot be kept: {error}")))
}

/// Makes directories, link and notes. True when the machine was another instance before, or none.
fn take_over(host: &Host, found: &Found) -> Result<bool, AgentError> {
    // The id becomes a directory's name.
    let name = found.instance_id.replace('/', "_");
    if matches!(name.as_str(), "" | "." | "..") || name.bytes().any(|byte| byte == 0) {
        return Err(AgentError::text(format!("{:?} cannot be the id of an instance", found.instance_id)));
    }
    let directory = format!("{CLOUD}/instances/{name}");
    for path in [
        directory.clone(),
        format!("{directory}/handlers"),
        format!("{directory}/scripts"),
        format!("{directory}/sem"),
    ] {
        make(host, &path)?;
    }
    let link = host.path(LINK);
    // `/var/lib/cloud/instances/ID`; in a tree of tests what stands for it there.
    let target = host.path(&directory);
    if !std::fs::read_link(&link).is_ok_and(|known| known == target) {
        let _ = std::fs::remove_file(&link);
        symlink(&target, &link).map_err(|error| AgentError::io("link", &link, error))?;
    }
    let previous =
        host.first_line(&format!("{CLOUD}/data/instance-id")).unwrap_or_else(|| NONE_BEFORE.to_owned());
    let is_new = previous != found.instance_id;
    let shown = format!("{}: {}", found.class_name(), found.shown);
    let before = host.first_line(&format!("{LINK}/datasource")).unwrap_or_else(|| shown.clone());
    note(host, &format!("{LINK}/datasource"), &shown)?;
    note(host, &format!("{CLOUD}/data/previous-datasource"), &before)?;
    note(host, &format!("{CLOUD}/data/instance-id"), &found.instance_id)?;
    note(host, &format!("{CLOUD}/data/previous-instance-id"), &previous)?;
    note(host, &format!("{RUN}/.instance-id"), &found.instance_id)?;
    replace(&host.path(FOUND), as_json(found)?.as_bytes(), 0o600, None)?;
    Ok(is_new)
}

/// The directories that cloud-init makes at every start.
pub(crate) fn directories(host: &Host) -> Result<(), AgentError> {
    for name in [
        "",
        "/data",
        "/handlers",
        "/instances",
        "/scripts",
        "/scripts/per-boot",
        "/scripts/per-instance",
        "/scripts/per-once",
        "/scripts/vendor",
        "/seed",
        "/sem",
    ] {
        make(host, &format!("{CLOUD}{name}"))?;
    }
    make(host, RUN)?;
    make(host, &format!("{RUN}/sem"))
}

/// A directory that everybody may look into.
fn make(host: &Host, path: &str) -> Result<(), AgentError> {
    use std::os::unix::fs::DirBuilderExt;
    let full = host.path(path);
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&full);
    rustix::process::umask(mask);
    made.map_err(|error| AgentError::io("create", &full, error))
}

/// A file with one line, for everybody.
fn note(host: &Host, path: &str, line: &str) -> Result<(), AgentError> {
    replace(&host.path(path), format!("{line}\n").as_bytes(), 0o644, None)
}
