//! What enrolment came to in this boot, for `status` and the guard: `/run/hardtack/enrolment.json`, 0600, no secrets.

use serde::{Deserialize, Serialize};

use crate::accounts::replace_unsynced;
use crate::config::{RUNTIME, directory};
use crate::error::AgentError;
use crate::host::Host;

/// Where it is kept.
pub(crate) const PATH: &str = "/run/hardtack/enrolment.json";

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    /// The format's version, 1.
    pub(crate) version: u32,
    /// Why another machine's secrets were dropped in this boot, if they were.
    pub(crate) dropped: Option<String>,
    /// Sentences about secrets of another machine that could not be dropped and work: SSH must not start.
    pub(crate) foreign: Vec<String>,
    /// Everybody whom the agent looks after.
    pub(crate) users: Vec<UserOutcome>,
    /// Sentences about the rest: users who do not exist, an operator's secret that nobody can have.
    pub(crate) notes: Vec<String>,
}

/// One user's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UserOutcome {
    pub(crate) name: String,
    /// `fresh`: nobody has used the secret; `used`; `operator`: the operator has it; `failed`.
    pub(crate) state: String,
    /// Why it failed, or why it is withheld.
    pub(crate) reason: Option<String>,
    /// How the block had it: `sealed`, `plain`, `withheld`, or nothing before and without.
    pub(crate) printed: Option<String>,
}

impl Outcome {
    /// What this boot has noted so far; nothing where that cannot be read.
    pub(crate) fn load(host: &Host) -> Self {
        Self::noted(host).unwrap_or_default()
    }

    /// The same; `None` where nothing was noted, or nobody can read it.
    pub(crate) fn noted(host: &Host) -> Option<Self> {
        serde_json::from_slice(&host.read(PATH).ok()??).ok()
    }

    /// Writes it, whole.
    pub(crate) fn save(&mut self, host: &Host) -> Result<(), AgentError> {
        self.version = 1;
        directory(host, RUNTIME)?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| AgentError::text(format!("{PATH} cannot be written: {error}")))?;
        replace_unsynced(&host.path(PATH), format!("{text}\n").as_bytes(), 0o600)
    }

    /// Notes what became of a user.
    pub(crate) fn user(&mut self, name: &str, state: &str, reason: Option<String>) {
        let user = self.entry(name);
        user.state = state.to_owned();
        user.reason = reason;
    }

    /// Notes how the block had the user.
    pub(crate) fn printed(&mut self, name: &str, how: &str, reason: Option<String>) {
        let user = self.entry(name);
        user.printed = Some(how.to_owned());
        if reason.is_some() {
            user.reason = reason;
        }
    }

    fn entry(&mut self, name: &str) -> &mut UserOutcome {
        let at = self.users.iter().position(|user| user.name == name).unwrap_or_else(|| {
            self.users.push(UserOutcome { name: name.to_owned(), ..UserOutcome::default() });
            self.users.len() - 1
        });
        &mut self.users[at]
    }
}
