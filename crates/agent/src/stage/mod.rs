//! The four stages of a boot, as cloud-init has them: `local` before the network, `network` with it and before
//! logins, `config` and `final` after.

use crate::error::AgentError;
use crate::host::Host;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Local,
    Network,
    Config,
    Final,
}

impl Stage {
    /// The stage that `word` names.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "local" => Some(Self::Local),
            "network" => Some(Self::Network),
            "config" => Some(Self::Config),
            "final" => Some(Self::Final),
            _ => None,
        }
    }

    /// Its key in `status.json`.
    pub(crate) fn status_name(self) -> &'static str {
        match self {
            Self::Local => "init-local",
            Self::Network => "init",
            Self::Config => "modules-config",
            Self::Final => "modules-final",
        }
    }
}

/// Runs one stage.
pub(crate) fn run(_host: &Host, stage: Stage) -> Result<(), AgentError> {
    Err(AgentError::text(format!("the stage {} cannot run yet", stage.status_name())))
}
