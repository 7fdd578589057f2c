//! What the recipe has left for the first boot: scripts, commands, and packages from repositories.
//!
//! Each task runs once, in the order of the configuration. What became of it stands beside it in [`TASKS`]
//! (`NAME.json`): first that it has begun, on the disk before it does, then how it ended. One that had begun when
//! the machine went down is told as interrupted and left alone, since nobody knows how far it came. What programs
//! print goes into [`LOG`], which only root reads, and never to a console.

mod manager;
mod program;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use hardtack_credentials::agent_config::TASKS;
use hardtack_credentials::{AgentConfig, Task, time};
use serde::Serialize;

use crate::accounts::replace;
use crate::config::directory;
use crate::error::AgentError;
use crate::host::Host;
use crate::{console, facts, journal, overlay};

/// What tasks print, one after the other.
pub(crate) const LOG: &str = "/var/log/hardtack-tasks.log";

/// Why nothing is run.
const NO_OVERLAY: &str = "the overlay is not in force, and on_failure is login-only";

/// How a task fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Its turn has not come.
    #[default]
    Waiting,
    Running,
    /// It ended with 0.
    Done,
    Failed,
    /// The machine went down while it ran.
    Interrupted,
    /// One before it failed, and says that the others must not run then.
    Skipped,
}

/// What became of a task: `NAME.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) state: State,
    /// The boot in which it began.
    pub(crate) boot_id: String,
    pub(crate) begun: String,
    /// Exit status; `None` when a signal ended it or it never ran.
    pub(crate) status: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) milliseconds: u64,
    /// Why it never ran.
    pub(crate) note: Option<String>,
    /// The end of what it printed.
    pub(crate) tail: String,
}

/// A line of the overview. Without what it printed: that may be anything.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) state: State,
    pub(crate) status: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) milliseconds: u64,
    pub(crate) note: Option<String>,
}

impl Line {
    fn new(task: &Task, outcome: Outcome) -> Self {
        let Outcome { state, status, signal, milliseconds, note, .. } = outcome;
        Self { name: task.name.clone(), kind: task.kind.name(), state, status, signal, milliseconds, note }
    }

    /// Whether somebody has to look at it.
    pub(crate) fn is_wrong(&self) -> bool {
        matches!(self.state, State::Failed | State::Interrupted)
    }

    /// Whether it has not come to its end.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Waiting | State::Running)
    }

    /// `0002-setup.sh ended with status 7 after 0.2 s`
    pub(crate) fn text(&self) -> String {
        let seconds = format!("{}.{} s", self.milliseconds / 1000, self.milliseconds % 1000 / 100);
        let what = match (self.state, self.status, self.signal) {
            (State::Waiting, ..) => "waits".to_owned(),
            (State::Running, ..) => "runs".to_owned(),
            (State::Interrupted, ..) => "was interrupted when the machine went down".to_owned(),
            (State::Skipped, ..) if self.note.is_some() => "was left out".to_owned(),
            (State::Skipped, ..) => "was left out, since one before it failed".to_owned(),
            (State::Done, ..) => format!("done in {seconds}"),
            (_, Some(status), _) => format!("ended with status {status} after {seconds}"),
            (_, _, Some(signal)) => format!("was ended by signal {signal} after {seconds}"),
            _ => "did not run".to_owned(),
        };
        let note = self.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        format!("{} {what}{note}", self.name)
    }
}

/// How often and how long is tried, for tests.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Between two tries of a package manager that the network has failed; the next one is twice as long.
    pause: Duration,
    /// One call of a package manager.
    call: Duration,
}

/// Runs what has not run yet.
pub(crate) fn run(host: &Host, config: &AgentConfig) -> Result<(), AgentError> {
    if !host.is_live() {
        return Err(AgentError::text(
            "tasks are not run below another root: they would change the machine that is running",
        ));
    }
    let patience = Patience { pause: Duration::from_secs(15), call: Duration::from_secs(3600) };
    let ran = run_with(host, config, patience)?;
    if ran.is_empty() {
        return Ok(());
    }
    let wrong: Vec<String> = ran.iter().filter(|line| line.is_wrong()).map(Line::text).collect();
    if let Err(error) = console::print(host, &summary(&ran)) {
        journal::say(&error.to_string());
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(AgentError::text(format!("{}; {LOG} says more", wrong.join("; ")))),
    }
}

/// For the consoles: names and how they ended, nothing of what they printed.
fn summary(ran: &[Line]) -> String {
    let good = ran.iter().filter(|line| line.state == State::Done).count();
    let mut text = format!("HARDTACK: {good} of {} tasks of the first boot are done\n", ran.len());
    for line in ran.iter().filter(|line| line.state != State::Done) {
        text.push_str(&format!("HARDTACK: task {}\n", line.text()));
    }
    if good != ran.len() {
        text.push_str(&format!("HARDTACK: what they printed: {LOG}\n"));
    }
    text
}

/// The tasks of this boot, as they ended.
fn run_with(host: &Host, config: &AgentConfig, patience: Patience) -> Result<Vec<Line>, AgentError> {
    let mut ran = Vec::new();
    let mut stopped = false;
    if overlay::is_login_only(host, config) {
        journal::say(&format!("{NO_OVERLAY}: the recipe's tasks are left out"));
        return Ok(ran);
    }
    let boot_id = facts::boot_id(host);
    if !config.tasks.is_empty() {
        directory(host, TASKS)?;
    }
    for task in &config.tasks {
        let known = recorded(host, task, &boot_id);
        let outcome = match known {
            Some(outcome) if !again(task, outcome.state) => {
                // Told once, in the boot after.
                let news = outcome.state == State::Interrupted && outcome.boot_id != boot_id;
                if news {
                    let told = Outcome { boot_id: boot_id.clone(), ..outcome.clone() };
                    record(host, task, &told)?;
                    ran.push(Line::new(task, outcome.clone()));
                }
                stopped |= task.stop && outcome.state != State::Done;
                continue;
            }
            _ if stopped => Outcome { state: State::Skipped, ..Outcome::default() },
            _ => one(host, task, patience, &boot_id)?,
        };
        stopped |= task.stop && outcome.state != State::Done;
        let line = Line::new(task, outcome);
        journal::say(&format!("task {}", line.text()));
        ran.push(line);
    }
    // A second boot that has only been kept from going on has nothing new to say.
    if ran.iter().all(|line| line.state == State::Skipped) {
        ran.clear();
    }
    Ok(ran)
}

/// Whether a task that has run does so again.
fn again(task: &Task, state: State) -> bool {
    task.retry && state != State::Done
}

fn one(host: &Host, task: &Task, patience: Patience, boot_id: &str) -> Result<Outcome, AgentError> {
    let now = crate::now();
    let begun = Outcome {
        state: State::Running,
        boot_id: boot_id.to_owned(),
        begun: time::format_utc(now),
        ..Outcome::default()
    };
    record(host, task, &begun)?;
    let started = Instant::now();
    let mut outcome = begun;
    match program::Output::open(host, task, &outcome.begun) {
        Err(error) => outcome.note = Some(error.to_string()),
        Ok(mut output) => {
            let ended = if task.kind.is_program() {
                program::run(host, task, &mut output)
            } else {
                manager::run(host, task, patience, &mut output)
            };
            match ended {
                Ok((status, signal)) => (outcome.status, outcome.signal) = (status, signal),
                Err(error) => outcome.note = Some(error.to_string()),
            }
            outcome.tail = output.tail();
        }
    }
    outcome.state = if outcome.status == Some(0) { State::Done } else { State::Failed };
    outcome.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    record(host, task, &outcome)?;
    Ok(outcome)
}

/// How every task fares. Reads what [`run`] has left.
pub(crate) fn look(host: &Host, config: &AgentConfig) -> Vec<Line> {
    let boot_id = facts::boot_id(host);
    let barred = overlay::is_login_only(host, config);
    let mut stopped = barred;
    let look = |task: &Task| {
        let outcome = recorded(host, task, &boot_id).unwrap_or_else(|| Outcome {
            state: if stopped { State::Skipped } else { State::Waiting },
            note: barred.then(|| NO_OVERLAY.to_owned()),
            ..Outcome::default()
        });
        stopped |= task.stop && matches!(outcome.state, State::Failed | State::Interrupted);
        Line::new(task, outcome)
    };
    config.tasks.iter().map(look).collect()
}

fn path(task: &Task) -> String {
    format!("{TASKS}/{}.json", task.name)
}

/// What the record says. One that runs by it and began in another boot was interrupted; so was one whose record
/// is damaged.
fn recorded(host: &Host, task: &Task, boot_id: &str) -> Option<Outcome> {
    let interrupted = Outcome { state: State::Interrupted, ..Outcome::default() };
    let bytes = match host.read(&path(task)) {
        Ok(bytes) => bytes?,
        Err(_) => return Some(interrupted),
    };
    let Some(mut outcome) = parse(&bytes) else { return Some(interrupted) };
    if outcome.state == State::Running && outcome.boot_id != boot_id {
        outcome.state = State::Interrupted;
    }
    Some(outcome)
}

/// By hand, without what nobody asks of an old record: serde's own code for it has several KiB, and the agent has
/// a limit.
fn parse(bytes: &[u8]) -> Option<Outcome> {
    let record: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let text = |key: &str| record.get(key)?.as_str();
    let number = |key: &str| i32::try_from(record.get(key)?.as_i64()?).ok();
    Some(Outcome {
        state: match text("state")? {
            "running" => State::Running,
            "done" => State::Done,
            "failed" => State::Failed,
            _ => State::Interrupted,
        },
        boot_id: text("boot_id").unwrap_or_default().to_owned(),
        begun: text("begun").unwrap_or_default().to_owned(),
        status: number("status"),
        signal: number("signal"),
        milliseconds: record.get("milliseconds").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        note: text("note").map(str::to_owned),
        tail: text("tail").unwrap_or_default().to_owned(),
    })
}

fn record(host: &Host, task: &Task, outcome: &Outcome) -> Result<(), AgentError> {
    let text = serde_json::to_string(outcome).unwrap_or_default();
    replace(&host.path(&path(task)), format!("{text}\n").as_bytes(), 0o600, None)
}
