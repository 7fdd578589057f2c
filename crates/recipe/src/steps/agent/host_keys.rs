//! Who makes SSH's host keys in an image that has none.
//!
//! Debian's package makes them when it is installed, and never again until release 13; cloud-init
//! makes them at an instance's first boot, but does not run at all where it finds no datasource.
//! Other distributions have a unit for it, or a line in SSH's own. Debian 13 has a unit that runs at a machine's
//! first boot only, as systemd knows it by the machine ID: where that is empty or set, it never runs
//! (`ConditionFirstBoot=` in systemd.unit(5), machine-id(5)). Where nobody is left the agent does it ([`AgentConfig::host_keys`](hardtack_credentials::AgentConfig::host_keys)).

use hardtack_guest::Stage;

use crate::StepError;

/// Who makes host keys before SSH starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Nobody needs to: the image has some.
    Present,
    /// A unit or an init script of the distribution.
    Distribution,
    /// cloud-init, where it finds a datasource.
    CloudInit,
}

const SSHD: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];
const KEYGEN: &str = "/usr/bin/ssh-keygen";
const UNITS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Fedora and its kin, Debian 13, Arch.
const KEY_UNITS: [&str; 4] =
    ["sshd-keygen.target", "sshd-keygen@.service", "sshd-keygen.service", "sshdgenkeys.service"];
/// SUSE and OpenRC have a line there.
const SSH_UNITS: [&str; 2] = ["ssh.service", "sshd.service"];
const INIT_SCRIPTS: [&str; 4] =
    ["/etc/init.d/sshd", "/etc/rc.d/init.d/sshd", "/etc/init.d/ssh", "/etc/init/ssh.conf"];
const CLOUD_INIT: [&str; 5] = [
    "/usr/lib/systemd/system/cloud-init.service",
    "/lib/systemd/system/cloud-init.service",
    "/usr/lib/systemd/system/cloud-init-network.service",
    "/etc/init/cloud-init.conf",
    "/etc/init.d/cloud-init",
];
/// A unit or an init script is small; whatever is larger is none.
const LIMIT: u64 = 1 << 20;

/// Who makes them; `None`: nobody, or there is no SSH server at all. Whoever takes host keys away and gets
/// `None` sets `cx.agent.host_keys`, which brings the agent into the image.
pub fn maker(stage: &Stage<'_>) -> Result<Option<Maker>, StepError> {
    if has_keys(stage)? {
        return Ok(Some(Maker::Present));
    }
    if by_distribution(stage)? {
        return Ok(Some(Maker::Distribution));
    }
    let is_off = stage.stat("/etc/cloud/cloud-init.disabled")?.is_some();
    let by_cloud_init = !is_off && any(stage, &CLOUD_INIT)?;
    Ok(by_cloud_init.then_some(Maker::CloudInit))
}

/// Whether the image has an SSH server.
pub fn has_server(stage: &Stage<'_>) -> Result<bool, StepError> {
    any(stage, &SSHD)
}

/// Whether the agent should make them. cloud-init alone is not relied upon.
pub(super) fn are_missing(stage: &Stage<'_>) -> Result<bool, StepError> {
    let can = has_server(stage)? && stage.stat(KEYGEN)?.is_some();
    Ok(can && !matches!(maker(stage)?, Some(Maker::Present | Maker::Distribution)))
}

fn any(stage: &Stage<'_>, paths: &[&str]) -> Result<bool, StepError> {
    for path in paths {
        if stage.stat(path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_keys(stage: &Stage<'_>) -> Result<bool, StepError> {
    if stage.stat("/etc/ssh")?.is_none() {
        return Ok(false);
    }
    let entries = stage.list("/etc/ssh")?;
    Ok(entries.iter().any(|entry| entry.name.starts_with("ssh_host_") && entry.name.ends_with("_key")))
}

fn by_distribution(stage: &Stage<'_>) -> Result<bool, StepError> {
    let first_boot = is_first_boot(stage)?;
    for directory in UNITS {
        for unit in KEY_UNITS {
            // Masked units are links to /dev/null.
            let path = format!("{directory}/{unit}");
            let masked =
                stage.lstat(&path)?.is_some() && stage.read_link(&path)?.is_some_and(|to| to == "/dev/null");
            if !masked && stage.stat(&path)?.is_some() && (first_boot || !waits_for_it(stage, &path)?) {
                return Ok(true);
            }
        }
        for unit in SSH_UNITS {
            if mentions(stage, &format!("{directory}/{unit}"))? {
                return Ok(true);
            }
        }
    }
    for script in INIT_SCRIPTS {
        if mentions(stage, script)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether systemd will take the next boot for the machine's first one.
fn is_first_boot(stage: &Stage<'_>) -> Result<bool, StepError> {
    const MACHINE_ID: &str = "/etc/machine-id";
    Ok(stage.stat(MACHINE_ID)?.is_none() || text(stage, MACHINE_ID)?.trim() == "uninitialized")
}

/// Whether a unit runs at a first boot only.
fn waits_for_it(stage: &Stage<'_>, unit: &str) -> Result<bool, StepError> {
    Ok(text(stage, unit)?
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ConditionFirstBoot=").map(str::trim))
        .next_back()
        .is_some_and(|value| ["1", "yes", "true", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))))
}

/// What is in a small file; nothing for anything else.
fn text(stage: &Stage<'_>, path: &str) -> Result<String, StepError> {
    let known = stage.stat(path)?;
    if known.is_none_or(|known| known.kind != hardtack_guest::FileType::Regular || known.size > LIMIT) {
        return Ok(String::new());
    }
    let text = stage.read_limited(path, LIMIT)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whether a unit or script calls a program that makes keys.
fn mentions(stage: &Stage<'_>, path: &str) -> Result<bool, StepError> {
    Ok(text(stage, path)?
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .any(|line| line.contains("keygen") || line.contains("gen-keys")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hardtack_guest::MemoryTree;

    use super::*;

    fn ssh() -> MemoryTree {
        MemoryTree::new().file("/usr/sbin/sshd", "").file(KEYGEN, "").file("/etc/ssh/sshd_config", "")
    }

    fn look(tree: &MemoryTree) -> (Option<Maker>, bool) {
        let stage = Stage::new(tree);
        (maker(&stage).unwrap(), are_missing(&stage).unwrap())
    }

    #[test]
    fn somebody_makes_them_or_the_agent_does() {
        assert_eq!(look(&ssh()), (None, true));
        assert_eq!(look(&MemoryTree::new()), (None, false), "no SSH at all");
        assert_eq!(look(&ssh().file("/etc/ssh/ssh_host_rsa_key", "x")), (Some(Maker::Present), false));
        let cloud = ssh().file("/lib/systemd/system/cloud-init.service", "");
        assert_eq!(look(&cloud), (Some(Maker::CloudInit), true));
        assert_eq!(look(&cloud.file("/etc/cloud/cloud-init.disabled", "")), (None, true));
        for unit in KEY_UNITS {
            let tree = ssh().file(&format!("/usr/lib/systemd/system/{unit}"), "");
            assert_eq!(look(&tree), (Some(Maker::Distribution), false), "{unit}");
        }
        let suse = ssh().file(
            "/usr/lib/systemd/system/sshd.service",
            "[Service]\nExecStartPre=/usr/sbin/sshd-gen-keys-start\n",
        );
        assert_eq!(look(&suse), (Some(Maker::Distribution), false));
        let debian = ssh().file(
            "/lib/systemd/system/ssh.service",
            "# no ssh-keygen here\nExecStartPre=/usr/sbin/sshd -t\n",
        );
        assert_eq!(look(&debian), (None, true));
    }

    #[test]
    fn a_unit_for_the_first_boot_makes_none_where_there_is_no_such_boot() {
        let unit = "[Unit]\nConditionFirstBoot=yes\n[Service]\nExecStart=ssh-keygen -A\n";
        let image = || ssh().file("/usr/lib/systemd/system/sshd-keygen.service", unit);
        assert_eq!(look(&image()), (Some(Maker::Distribution), false), "no ID at all");
        for (id, made) in [
            ("uninitialized\n", Some(Maker::Distribution)),
            ("", None),
            ("00112233445566778899aabbccddeeff\n", None),
        ] {
            assert_eq!(look(&image().file("/etc/machine-id", id)), (made, made.is_none()), "{id:?}");
        }
        let other = ssh().file("/usr/lib/systemd/system/sshd-keygen.service", unit.replace("yes", "no"));
        assert_eq!(look(&other.file("/etc/machine-id", "")), (Some(Maker::Distribution), false));
    }

    #[test]
    fn a_masked_unit_makes_none() {
        let tree = ssh().link("/etc/systemd/system/sshd-keygen.service", "/dev/null").file("/dev/null", "");
        assert_eq!(look(&tree), (None, true));
    }
}
