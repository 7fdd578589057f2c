//! `hardtack-agent status`: what was applied, what failed, who is enrolled, which doors there are, and whether
//! logins still ask for what was promised.
//!
//! Everything comes from what the other commands have left in /run/hardtack and /var/lib/hardtack, and from systemd,
//! which knows how far each of their units is. Nothing is judged anew, and no secret is read.

mod collect;
#[cfg(test)]
mod tests;
mod text;
mod units;

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::enrol::outcome::Outcome;
use crate::host::Host;
use crate::record::{CommandRecord, KeyRecord, PartRecord};
use crate::{guard, journal, tasks};

/// How often is looked while it is waited.
const PAUSE: Duration = Duration::from_millis(500);
/// A boot that takes longer has stopped somewhere.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1800);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Not before the boot has ended, or this has passed.
    pub(crate) wait: Option<Duration>,
    /// For programs.
    pub(crate) json: bool,
}

/// How the machine is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// The boot has ended, and all is well.
    Done,
    /// Something failed, or logins ask for less than was promised.
    Failed,
    /// The boot has not ended.
    Running,
    /// Only root sees.
    Unknown,
}

impl State {
    fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Running => 2,
            Self::Unknown => 3,
        }
    }
}

/// What there is to say.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Overview {
    /// Of the format, 1.
    pub(crate) version: u32,
    pub(crate) state: State,
    /// Why it is not well: sentences.
    pub(crate) problems: Vec<String>,
    /// Only what everybody may know is here.
    pub(crate) partial: bool,
    pub(crate) recipe: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) hostname: String,
    pub(crate) instance_id: Option<String>,
    /// The agent's units, and how far each is.
    pub(crate) units: Vec<units::Unit>,
    pub(crate) packages: Option<Packages>,
    /// What the recipe left for the first boot, in its order.
    pub(crate) tasks: Vec<tasks::Line>,
    pub(crate) user_data: Option<UserData>,
    pub(crate) enrolment: Option<Outcome>,
    pub(crate) guard: Option<guard::State>,
    /// Ways in that ask for less, known since the build.
    pub(crate) doors: Vec<String>,
    pub(crate) overlay: Overlay,
    /// The block has arrived whole on the consoles; `None`: nothing was printed in this boot.
    pub(crate) printed_whole: Option<bool>,
}

/// Packages that were left for the boot.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Packages {
    pub(crate) ok: bool,
    pub(crate) detail: String,
}

/// What became of user-data.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct UserData {
    pub(crate) datasource: String,
    pub(crate) keys: Vec<KeyRecord>,
    /// Without what they have printed.
    pub(crate) commands: Vec<CommandRecord>,
    /// Parts that nobody applies.
    pub(crate) parts: Vec<PartRecord>,
    pub(crate) warnings: Vec<PartRecord>,
}

/// What `/` is.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Overlay {
    /// `crypt`, `tmpfs` or `device`, where the recipe asks for one.
    pub(crate) promised: Option<String>,
    pub(crate) found: Option<String>,
    pub(crate) device: Option<String>,
    /// Why it is not as promised.
    pub(crate) wrong: Option<String>,
}

/// Runs the command.
pub(crate) fn run(host: &Host, question: Question) -> ExitCode {
    let started = Instant::now();
    let overview = loop {
        let overview = collect::collect(host);
        let over = question.wait.is_none_or(|patience| started.elapsed() >= patience);
        if over || !overview.is_running() {
            break overview;
        }
        thread::sleep(PAUSE);
    };
    let text = if question.json {
        serde_json::to_string_pretty(&overview).unwrap_or_default() + "\n"
    } else {
        text::write(&overview)
    };
    // The exit status is the answer; whoever wanted the text learns why it is missing.
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        journal::say(&format!("cannot write to standard output: {error}"));
    }
    ExitCode::from(overview.state.exit_code())
}

impl Overview {
    /// Whether the boot goes on. Something may have failed already.
    fn is_running(&self) -> bool {
        self.state == State::Running || self.units.iter().any(units::Unit::is_pending)
    }
}
