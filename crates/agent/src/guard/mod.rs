//! The guard: does a login still ask for what the recipe promised?
//!
//! User-data, packages and cloud agents change sshd's configuration, the unit that starts it, and PAM's stacks.
//! So the machine is judged at every boot before SSH (`hardtack-guard.service`), at every start of SSH (`--gate`
//! in drop-ins), after every change (`--watch`, started by `hardtack-guard.path`) and when the block is printed.
//! The rules are those of the build: [`hardtack_login::Promise`], and sshd's own word (`sshd -T`).
//!
//! What is promised and not kept is a weakness. With `on_drift: stop-ssh` SSH is stopped and does not start;
//! who has not logged in yet is cut off, sessions go on. What cannot be read cannot be judged, and counts as a weakness. What fails in the guard itself
//! (it crashes, does not end, cannot write its result) never keeps SSH from starting: that would lock people out
//! for our mistake.

mod connections;
mod effective;
mod gate;
mod judge;
mod ssh;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::fs::File;
use std::process::ExitCode;

use hardtack_credentials::AgentConfig;
use hardtack_login::Weakness;

use crate::enrol::identity::{self, Identity, Known};
use crate::enrol::outcome::Outcome;
use crate::host::Host;
use crate::{again, config, console, journal};

pub(crate) use state::{State, Verdict, current};

/// What `hardtack-agent guard` is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Once, and act.
    Once,
    /// SSH is about to start: the exit status says whether it may.
    Gate,
    /// The gate's own child: before sshd starts.
    Judge,
    /// The gate's own child, before the server of one connection: without asking sshd, which any client could have
    /// done as often as it likes.
    Connection,
    /// Files have changed: once, and again until they rest.
    Watch,
}

impl Mode {
    /// `--gate` and the like.
    pub(crate) fn named(option: &str) -> Option<Self> {
        match option {
            "gate" => Some(Self::Gate),
            "judge" => Some(Self::Judge),
            "connection" => Some(Self::Connection),
            "watch" => Some(Self::Watch),
            _ => None,
        }
    }
}

/// The exit status by which SSH is refused.
const REFUSED: u8 = 3;

/// Runs the command.
pub(crate) fn command(host: &Host, mode: Mode, now: fn() -> u64) -> ExitCode {
    if mode == Mode::Gate {
        return gate::run(host);
    }
    let config = match config::load(host) {
        Ok(config) => config,
        Err(error) => {
            journal::say(&format!("nothing can be judged: {error}"));
            return ExitCode::SUCCESS;
        }
    };
    match mode {
        Mode::Watch => watch::run(host, &config, now),
        Mode::Judge | Mode::Connection => {
            let state = judge_only(host, &config, mode == Mode::Judge, now());
            if state.ssh_held {
                return ExitCode::from(REFUSED);
            }
        }
        Mode::Once | Mode::Gate => {
            look(host, &config, now());
        }
    }
    ExitCode::SUCCESS
}

/// Judges, acts, keeps the result, and tells the consoles what is new since the block was printed.
pub(crate) fn look(host: &Host, config: &AgentConfig, now: u64) -> State {
    look_unless(host, config, now, &|| false)
}

/// The same, after a change; nothing is done when there is another one meanwhile.
fn look_unless(host: &Host, config: &AgentConfig, now: u64, changed: &dyn Fn() -> bool) -> State {
    let lock = state::lock(host);
    let state = judge::judge(host, config, Some(changed), now);
    if state.is_stale {
        return state;
    }
    let ended = if state.ssh_held { connections::end(host) } else { Vec::new() };
    act(host, state, &ended, lock)
}

/// Judges by the files alone, and stops SSH where that is enough for it. All else is left to [`look`]: that nothing
/// is wrong, sshd has to say too. Nobody is waited for before the listener is gone.
fn look_at_files(host: &Host, config: &AgentConfig, now: u64) {
    let state = judge::judge(host, config, None, now);
    if state.ssh_held {
        let ended = connections::end(host);
        act(host, state, &ended, state::lock(host));
    }
}

/// Acts on what was found. `ended`: units whose listeners are gone already.
fn act(host: &Host, mut state: State, ended: &[String], lock: Option<File>) -> State {
    let before = current(host).unwrap_or_default();
    state.take_over(&before);
    let mut stop = if state.ssh_held { ssh::to_stop(host) } else { Vec::new() };
    stop.extend(ended.iter().filter(|unit| !stop.contains(unit)).cloned().collect::<Vec<_>>());
    stop.retain(|unit| !unit.contains('@'));
    state.hold(&stop);
    let release = state.release();
    let news = state.news(again::printed(host).as_ref());
    state.keep(host);
    drop(lock);
    state.say(&before);
    if !stop.is_empty() {
        ssh::stop(host, &stop);
    }
    if !release.is_empty() {
        ssh::start(host, &release);
    }
    if let Some(text) = news
        && let Err(error) = console::print(host, &text)
    {
        journal::say(&error.to_string());
    }
    state
}

/// Judges and keeps the result: a unit of SSH's is being started, and its start is what is decided on.
fn judge_only(host: &Host, config: &AgentConfig, ask: bool, now: u64) -> State {
    let mut state = judge::judge(host, config, ask.then_some(&|| false), now);
    let lock = state::lock(host);
    let before = current(host).unwrap_or_default();
    state.take_over(&before);
    if state.ssh_held {
        state.hold(&ssh::own_unit(host).into_iter().collect::<Vec<_>>());
    }
    // One server for each connection: what is known already is not written for each.
    if !state.says_the_same(&before) {
        state.keep(host);
        state.say(&before);
    }
    drop(lock);
    state
}

/// Secrets of another machine that are still there: whoever has its old console log could log in.
fn enrolment(host: &Host, config: &AgentConfig) -> Vec<Weakness> {
    let weakness = |what: String, hint: &str| Weakness { what, hint: hint.to_owned(), ..Weakness::default() };
    if let Some(outcome) = Outcome::noted(host) {
        let hint = "remove that file (root), then run hardtack-agent enrol and hardtack-agent guard";
        return outcome.foreign.into_iter().map(|what| weakness(what, hint)).collect();
    }
    // The enrolment has not come to its end, or nobody can read what it came to.
    match identity::compare(host, &Identity::of(host, config)) {
        Known::Other(why) => vec![weakness(
            format!(
                "the secrets on this disk were made for another machine ({why}), and the enrolment failed"
            ),
            "run hardtack-agent enrol and hardtack-agent guard (root)",
        )],
        Known::New | Known::Same(_) => Vec::new(),
    }
}
