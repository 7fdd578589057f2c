//! Programs of clouds that run commands or bring keys: what they are, where they lie, what starts them.
//!
//! None of them knows the factors that sshd and PAM ask for. Names of units and paths are those of the
//! distributions' packages and, for snaps, of snapd's wrappers (`snap.NAME.APP.service`).

use hardtack_guest::sshd::Config;
use hardtack_guest::{Error, Stage};

use super::units;
use crate::system::names;

/// A program of a cloud.
#[derive(Debug)]
pub struct CloudAgent {
    /// Its name in recipes.
    pub id: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// What it lets its cloud do.
    pub power: Power,
    /// Where it lies; `*` stands for the rest of a name.
    pub paths: &'static [&'static str],
    /// Packages that bring it.
    pub packages: &'static [&'static str],
    /// What starts it.
    pub units: &'static [&'static str],
    /// Jobs of Upstart that start it.
    pub jobs: &'static [&'static str],
    /// Programs that sshd asks for keys (`AuthorizedKeysCommand`), by the end of their path.
    pub key_commands: &'static [&'static str],
}

/// What a program lets its cloud do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Commands as root: no factor is asked for.
    Commands,
    /// Keys for users, and with sudo: stands for the factor `publickey` only.
    Keys,
    /// Nothing that is known.
    Unknown,
}

impl Power {
    /// What it needs, in the words of a way in.
    #[must_use]
    pub fn with(self) -> &'static str {
        match self {
            Self::Commands => "the cloud's account: commands as root, no factor is asked for",
            Self::Keys => "the cloud's account: it gives keys, other factors are still asked for",
            Self::Unknown => "the cloud's account",
        }
    }
}

const NOBODY: CloudAgent = CloudAgent {
    id: "",
    what: "",
    power: Power::Commands,
    paths: &[],
    packages: &[],
    units: &[],
    jobs: &[],
    key_commands: &[],
};

/// All that are known.
pub const CLOUD_AGENTS: &[CloudAgent] = &[
    CloudAgent {
        id: "google-guest-agent",
        what: "Google guest agent (accounts, keys, scripts)",
        paths: &["/usr/bin/google_guest_agent", "/usr/bin/google_guest_agent_manager"],
        packages: &["google-guest-agent"],
        units: &[
            "google-guest-agent.service",
            "google-guest-agent-manager.service",
            "google-guest-compat-manager.service",
            "google-startup-scripts.service",
            "google-shutdown-scripts.service",
        ],
        jobs: &["google-guest-agent", "google-startup-scripts", "google-shutdown-scripts"],
        ..NOBODY
    },
    CloudAgent {
        id: "google-osconfig-agent",
        what: "Google OS Config agent (packages, scripts)",
        paths: &["/usr/bin/google_osconfig_agent"],
        packages: &["google-osconfig-agent"],
        units: &["google-osconfig-agent.service"],
        ..NOBODY
    },
    CloudAgent {
        id: "google-oslogin",
        what: "Google OS Login",
        power: Power::Keys,
        paths: &["/usr/bin/google_authorized_keys", "/usr/bin/google_authorized_keys_sk"],
        packages: &["google-compute-engine-oslogin"],
        key_commands: &["/google_authorized_keys", "/google_authorized_keys_sk"],
        ..NOBODY
    },
    CloudAgent {
        id: "walinuxagent",
        what: "Azure Linux agent (accounts, extensions)",
        paths: &["/usr/sbin/waagent", "/usr/bin/waagent"],
        packages: &["walinuxagent", "waagent"],
        units: &["walinuxagent.service", "waagent.service"],
        jobs: &["walinuxagent"],
        ..NOBODY
    },
    CloudAgent {
        id: "amazon-ssm-agent",
        what: "SSM agent of AWS (commands, sessions)",
        paths: &[
            "/usr/bin/amazon-ssm-agent",
            "/snap/bin/amazon-ssm-agent",
            "/var/lib/snapd/snaps/amazon-ssm-agent_*",
            "/var/lib/snapd/seed/snaps/amazon-ssm-agent_*",
        ],
        packages: &["amazon-ssm-agent"],
        units: &["amazon-ssm-agent.service", "snap.amazon-ssm-agent.amazon-ssm-agent.service"],
        jobs: &["amazon-ssm-agent"],
        ..NOBODY
    },
    CloudAgent {
        id: "ec2-instance-connect",
        what: "EC2 Instance Connect (keys)",
        power: Power::Keys,
        paths: &[
            "/usr/share/ec2-instance-connect/eic_run_authorized_keys",
            "/opt/aws/bin/eic_run_authorized_keys",
        ],
        packages: &["ec2-instance-connect"],
        units: &["ec2-instance-connect.service", "ec2-instance-connect-harvest-hostkeys.service"],
        key_commands: &["/eic_run_authorized_keys", "/eic_curl_authorized_keys"],
        ..NOBODY
    },
    CloudAgent {
        id: "qemu-guest-agent",
        what: "QEMU guest agent (commands, passwords)",
        paths: &["/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"],
        packages: &["qemu-guest-agent"],
        units: &["qemu-guest-agent.service", "qemu-ga.service"],
        jobs: &["qemu-guest-agent"],
        ..NOBODY
    },
    CloudAgent {
        id: "vmware-tools",
        what: "VMware tools (commands)",
        paths: &["/usr/bin/vmtoolsd"],
        packages: &["open-vm-tools"],
        units: &["open-vm-tools.service", "vmtoolsd.service"],
        jobs: &["open-vm-tools"],
        ..NOBODY
    },
    CloudAgent {
        id: "oracle-cloud-agent",
        what: "Oracle cloud agent",
        paths: &["/usr/libexec/oracle-cloud-agent/agent", "/snap/bin/oracle-cloud-agent"],
        packages: &["oracle-cloud-agent"],
        units: &[
            "oracle-cloud-agent.service",
            "oracle-cloud-agent-updater.service",
            "snap.oracle-cloud-agent.oracle-cloud-agent.service",
            "snap.oracle-cloud-agent.oracle-cloud-agent-updater.service",
        ],
        ..NOBODY
    },
    CloudAgent {
        id: "afterburn",
        what: "afterburn (keys)",
        power: Power::Keys,
        paths: &["/usr/bin/afterburn"],
        packages: &["afterburn"],
        units: &["afterburn-sshkeys@.service", "afterburn.service"],
        ..NOBODY
    },
    CloudAgent {
        id: "ignition",
        what: "Ignition",
        power: Power::Unknown,
        paths: &["/usr/lib/dracut/modules.d/30ignition", "/usr/bin/ignition"],
        packages: &["ignition"],
        ..NOBODY
    },
];

/// One of an image.
#[derive(Clone, Debug)]
pub struct FoundAgent {
    /// Which one.
    pub agent: &'static CloudAgent,
    /// Where its files are.
    pub places: Vec<String>,
    /// Something starts it, or sshd asks it for keys.
    pub active: bool,
}

/// Those that an image has; `sshd` are its configurations, by each way in which sshd is started.
///
/// # Errors
/// The image cannot be read.
pub fn find(stage: &Stage<'_>, sshd: &[Config]) -> Result<Vec<FoundAgent>, Error> {
    let mut found = Vec::new();
    for agent in CLOUD_AGENTS {
        let mut places = Vec::new();
        for pattern in agent.paths {
            places.extend(there(stage, pattern)?);
        }
        let asked = sshd.iter().any(|config| asks(agent, config));
        if places.is_empty() && !asked {
            continue;
        }
        let active = match agent.key_commands {
            [] => is_started(stage, agent, &places)?,
            _ => asked,
        };
        found.push(FoundAgent { agent, places, active });
    }
    Ok(found)
}

/// Whether sshd asks `agent` for keys, for anybody.
#[must_use]
pub fn asks(agent: &CloudAgent, config: &Config) -> bool {
    config
        .settings
        .iter()
        .any(|line| line.keyword == "AuthorizedKeysCommand" && names_agent(agent, &line.words))
}

/// Whether the command of a line is one of `agent`.
#[must_use]
pub fn names_agent(agent: &CloudAgent, words: &[String]) -> bool {
    let program = words.first().map(String::as_str).unwrap_or_default();
    agent.key_commands.iter().any(|end| program.ends_with(end))
}

/// What is at `pattern`.
fn there(stage: &Stage<'_>, pattern: &str) -> Result<Vec<String>, Error> {
    let Some(start) = pattern.strip_suffix('*') else {
        return Ok(stage.lstat(pattern)?.map(|_| pattern.to_owned()).into_iter().collect());
    };
    let (folder, start) = start.rsplit_once('/').unwrap_or_default();
    if stage.stat(folder)?.is_none() {
        return Ok(Vec::new());
    }
    let all = names(stage, folder)?.into_iter().filter(|name| name.starts_with(start));
    Ok(all.map(|name| format!("{folder}/{name}")).collect())
}

/// Unless everything that starts it is switched off: what starts it besides is not known.
fn is_started(stage: &Stage<'_>, agent: &CloudAgent, places: &[String]) -> Result<bool, Error> {
    let (mut off, mut on) = (0, 0);
    for unit in agent.units {
        let state = units::state(stage, unit)?;
        // A snap brings its unit when it is installed, which is at the first boot for one of the seed.
        let comes = unit.starts_with("snap.") && places.iter().any(|place| place.contains("/snap"));
        match state {
            units::State::Off => off += 1,
            units::State::On => on += 1,
            units::State::Missing if comes => on += 1,
            units::State::Missing => {}
        }
    }
    for job in agent.jobs {
        if stage.stat(&format!("/etc/init/{job}.conf"))?.is_some() {
            let text = crate::system::text(stage, &format!("/etc/init/{job}.override"))?.unwrap_or_default();
            if text.lines().any(|line| line.trim() == "manual") { off += 1 } else { on += 1 }
        }
    }
    Ok(on > 0 || off == 0)
}
