//! Carrying out what modules decide ([`hardtack_modules::Action`]), one action after the other.

mod files;
mod live;
mod run;

use hardtack_datasource::Found;
use hardtack_http::Transport;
use hardtack_modules::{Action, Distro, Facts, Machine, Outcome};

use crate::error::AgentError;
use crate::host::Host;
use crate::log::Log;
use crate::record::Record;

/// What actions need.
pub(crate) struct Execution<'a> {
    /// The machine, for writing.
    pub(crate) host: &'a Host,
    /// The same, for questions that modules ask, too.
    pub(crate) machine: &'a dyn Machine,
    pub(crate) distro: &'a Distro,
    pub(crate) facts: &'a Facts,
    /// The whole configuration, for what an action alone does not tell: where an entry of `runcmd` ends.
    pub(crate) config: &'a hardtack_userdata::Map,
    /// What the data source said.
    pub(crate) found: &'a Found,
    pub(crate) log: &'a Log,
    pub(crate) web: &'a dyn Transport,
    pub(crate) record: &'a mut Record,
    /// The module whose actions these are.
    pub(crate) module: &'static str,
    /// Passwords that were made in this run, until they are printed: `user:password`.
    pub(crate) passwords: Vec<(String, String)>,
}

/// Carries out what a module decided. Returns what failed, in sentences without secrets; after the
/// first failure the rest is left, unless the module says otherwise.
pub(crate) fn carry_out(cx: &mut Execution<'_>, outcome: &Outcome) -> Vec<String> {
    let mut failures = Vec::new();
    for action in &outcome.actions {
        if let Err(error) = act(cx, action) {
            failures.push(error.to_string());
            if !outcome.keep_going {
                break;
            }
        }
    }
    failures
}

fn act(cx: &mut Execution<'_>, action: &Action) -> Result<(), AgentError> {
    match action {
        Action::Write { path, content, mode, owner } => {
            files::write(cx, path, &content.bytes, *mode, owner.as_ref())
        }
        Action::Append { path, content, mode, owner } => {
            files::append(cx, path, &content.bytes, *mode, owner.as_ref())
        }
        Action::Directory { path, mode, owner } => files::directory(cx, path, *mode, owner.as_ref()),
        Action::Link { path, target } => files::link(cx, path, target),
        Action::Remove { path } => files::remove(cx, path),
        Action::Run { argv, stdin, environment, optional } => {
            let done = run::run(cx, argv, stdin.as_ref().map(|content| &content.bytes[..]), environment);
            match done {
                Err(error) if *optional => {
                    cx.log.warn(&error.to_string());
                    Ok(())
                }
                done => done,
            }
        }
        Action::Fetch { url, .. } => Err(AgentError::text(format!("{url}: cannot be fetched"))),
        Action::Post { url, .. } => Err(AgentError::text(format!("{url}: cannot be told"))),
        Action::Console { text } => {
            if text.secret {
                cx.log.console(&text.bytes);
            } else {
                cx.log.output(&text.bytes);
            }
            Ok(())
        }
        Action::Live { what, details } => live::live(cx, what, details),
    }
}
