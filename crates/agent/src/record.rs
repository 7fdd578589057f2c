//! What became of everything: `/run/hardtack/report.json`, 0600, added to by every stage.

use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::host::Host;

/// Where it is kept.
pub(crate) const PATH: &str = "/run/hardtack/report.json";

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    /// The format's version, 1.
    pub(crate) version: u32,
    /// The instance.
    pub(crate) instance_id: String,
    /// `DataSourceNoCloud [seed=/dev/vdb]`.
    pub(crate) datasource: String,
    /// Every top-level key of the user-data's configuration.
    pub(crate) keys: Vec<KeyRecord>,
    /// Every module that ran.
    pub(crate) modules: Vec<ModuleRecord>,
    /// Every program that user-data asked for.
    pub(crate) commands: Vec<CommandRecord>,
    /// Parts of the user-data that nobody applies, and why.
    pub(crate) parts: Vec<PartRecord>,
    /// What is strange in user-data that is applied nevertheless.
    pub(crate) warnings: Vec<PartRecord>,
}

/// What became of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeyRecord {
    pub(crate) key: String,
    /// `applied`, `ignored`, `unsupported`, `failed`, or `waiting` before its stage.
    pub(crate) state: String,
    /// The part's file.
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// How long its modules took, together.
    pub(crate) milliseconds: u64,
    pub(crate) modules: Vec<String>,
    /// Why it is not applied.
    pub(crate) reason: Option<String>,
}

/// What became of a module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ModuleRecord {
    pub(crate) stage: String,
    pub(crate) module: String,
    /// `done`, `failed`, `ran before` (its semaphore was taken), `nothing to do`.
    pub(crate) state: String,
    pub(crate) milliseconds: u64,
    /// How many actions were carried out.
    pub(crate) actions: usize,
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// For every warning the top-level key that it is about; empty where the module cannot tell, `*` for
    /// what its actions have warned of.
    pub(crate) warned: Vec<String>,
    /// The top-level keys that the errors are about, where the module can tell.
    pub(crate) keys: Vec<String>,
}

/// What became of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CommandRecord {
    pub(crate) module: String,
    /// `runcmd[2]`, or the program's path.
    pub(crate) name: String,
    /// Exit status; `None` when a signal ended it or it never ran.
    pub(crate) status: Option<i32>,
    /// What else there is to say: the signal, why it never ran.
    pub(crate) note: Option<String>,
    pub(crate) milliseconds: u64,
    /// The end of what it printed.
    pub(crate) tail: String,
}

/// A part without an effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PartRecord {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Record {
    /// What earlier stages of this boot noted.
    pub(crate) fn load(host: &Host) -> Self {
        host.read(PATH)
            .ok()
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_else(|| Self { version: 1, ..Self::default() })
    }

    /// Writes it, whole.
    pub(crate) fn save(&self, host: &Host) -> Result<(), AgentError> {
        crate::config::directory(host, crate::config::RUNTIME)?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| AgentError::text(format!("the report cannot be written: {error}")))?;
        crate::accounts::replace(&host.path(PATH), format!("{text}\n").as_bytes(), 0o600, None)
    }
}
