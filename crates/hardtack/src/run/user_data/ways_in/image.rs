//! What an image asks of those who want in, and what its recipe promised.

use hardtack_credentials::{AccountConfig, AgentConfig};
use hardtack_guest::sshd::{self, Config, Version};
use hardtack_guest::{Stage, accounts};
use hardtack_login::service;
use hardtack_modules::Machine as _;
use hardtack_userdata::{Map, Value};

use super::super::image_config;
use super::super::machine::GuestMachine;
use crate::error::CliError;
use crate::talk;

const AGENT_CONFIG: &str = "/etc/hardtack/agent.json";
/// The recipe's part of cloud-init's configuration.
pub(super) const SNIPPET: &str = "/etc/cloud/cloud.cfg.d/95-hardtack.cfg";

/// The image before the user-data.
pub(super) struct Facts {
    /// The configuration of cloud-init in the image.
    pub(super) config: Map,
    /// The name of cloud-init's default user.
    pub(super) default_user: Option<String>,
    /// What the build told the agent; `None` in an image that no build has touched.
    pub(super) agent: Option<AgentConfig>,
    /// Who reads user-data in it.
    pub(super) reader: Reader,
    /// The release of its sshd; `None` where the package database has none.
    pub(super) sshd: Option<Version>,
}

/// Who reads user-data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// cloud-init.
    CloudInit,
    /// coreos-cloudinit.
    CoreOs,
    /// cloud-init is there and switched off.
    Disabled,
    /// Nobody.
    Nobody,
}

impl Facts {
    pub(super) fn read(machine: &GuestMachine<'_>, stage: &Stage<'_>) -> Result<Self, CliError> {
        let config = image_config::of_image(machine);
        let agent = agent_config(machine);
        let reader = if machine.exists("/usr/bin/cloud-init") {
            if machine.exists("/etc/cloud/cloud-init.disabled") {
                Reader::Disabled
            } else {
                Reader::CloudInit
            }
        } else if machine.exists("/usr/bin/coreos-cloudinit") {
            Reader::CoreOs
        } else {
            Reader::Nobody
        };
        let default_user = default_user(&config);
        Ok(Self { config, default_user, agent, reader, sshd: sshd::installed(stage)? })
    }

    /// True where a recipe made the image ask for several factors.
    pub(super) fn asks_for_factors(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.mfa.is_some())
    }

    /// True when the recipe set the password of `name`, or has the agent make one at first boot.
    pub(super) fn recipe_set_password(&self, name: &str) -> bool {
        let accounts = self.agent.iter().flat_map(|agent| &agent.accounts);
        let set =
            accounts.filter(|account| account.name == name).any(|account| !account.password_hash.is_empty());
        set || self.makes_password(name)
    }

    /// True when the agent makes a password for `name`, whatever has locked it before: SSH comes later.
    pub(super) fn makes_password(&self, name: &str) -> bool {
        let accounts = self.agent.iter().flat_map(|agent| &agent.accounts);
        accounts.filter(|account| account.name == name).any(|account| account.random_password.is_some())
    }

    /// The accounts that the agent makes, keys and all, where nobody else has: they are to be enrolled.
    pub(super) fn makes(&self) -> impl Iterator<Item = &AccountConfig> {
        let enrolled = |agent: &AgentConfig, name: &String| {
            agent.mfa.as_ref().is_some_and(|mfa| mfa.users.contains(name))
        };
        self.agent.iter().flat_map(move |agent| {
            agent.accounts.iter().filter(move |account| enrolled(agent, &account.name))
        })
    }

    /// The one of them that is called so.
    pub(super) fn made(&self, name: &str) -> Option<&AccountConfig> {
        self.makes().find(|account| account.name == name)
    }

    /// True when the agent makes a secret for `name` at first boot.
    pub(super) fn enrols(&self, name: &str) -> bool {
        let Some(mfa) = self.agent.as_ref().and_then(|agent| agent.mfa.as_ref()) else { return false };
        mfa.others == "enrol" || mfa.users.iter().any(|user| user == name)
    }
}

/// What the build told the agent, where it is what this program writes.
pub(in crate::run::user_data) fn agent_config(machine: &GuestMachine<'_>) -> Option<AgentConfig> {
    let read = serde_json::from_slice(&machine.read(AGENT_CONFIG)?);
    if read.is_err() {
        talk::note(&format!(
            "{AGENT_CONFIG} of the image is not what this hardtack writes: what its recipe promised is not judged; \
             build the image again"
        ));
    }
    read.ok()
}

/// `system_info.default_user.name`.
pub(super) fn default_user(config: &Map) -> Option<String> {
    let info = config.get(&hardtack_userdata::Key::text("system_info"))?;
    info.get("default_user")?.get("name").and_then(Value::as_text).map(str::to_owned)
}

/// sshd's configuration on `stage`, with what its unit says in the command line; `None` without an sshd.
pub(super) fn sshd_config(stage: &Stage<'_>, version: Option<Version>) -> Result<Option<Config>, CliError> {
    let Some(version) = version else { return Ok(None) };
    let started = service::started(stage)?;
    Ok(Some(Config::load_started(stage, version, &started.options, &started.file)?))
}

/// True when the second field of shadow(5) is one that a password fits.
pub(super) fn has_password(stage: &Stage<'_>, name: &str) -> Result<bool, CliError> {
    let field = accounts::password_field(stage, name)?.unwrap_or_default();
    Ok(accounts::is_crypt_hash(&field))
}
