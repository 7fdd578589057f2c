//! Several host keys at once (`cloudinit/config/cc_ssh.py`, which makes one after the other).
//!
//! The module asks for one `ssh-keygen` behind the other. They have nothing to do with each other, so all of them
//! start at once: the small keys of ed25519 and ECDSA are there in an instant, and RSA takes its time beside
//! them. What they print comes in the order in which they were asked for.

use hardtack_modules::Action;

use super::Execution;
use super::run::{self, PATIENCE, Program, Started};
use crate::error::AgentError;

/// The type of the key that `action` makes.
fn kind(action: &Action) -> Option<&str> {
    let Action::Run { argv, stdin: None, .. } = action else { return None };
    match argv.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ssh-keygen", "-t", _, "-N", "", "-f", _] => argv.get(2).map(String::as_str),
        _ => None,
    }
}

fn is_about_a_key(action: &Action) -> bool {
    kind(action).is_some() || matches!(action, Action::Live { what: "redhat-host-key", .. })
}

/// How many actions at the begin of `actions` make host keys; none unless the first one does.
pub(super) fn together(cx: &Execution<'_>, actions: &[Action]) -> usize {
    if cx.module != "ssh" || actions.first().is_none_or(|first| kind(first).is_none()) {
        return 0;
    }
    actions.iter().take_while(|action| is_about_a_key(action)).count()
}

/// Makes them. A key that cannot be made is told and forgotten, as the module says.
pub(super) fn make(cx: &mut Execution<'_>, actions: &[Action]) -> Result<(), AgentError> {
    let quiet = hardtack_userdata::options::get_bool(cx.config, "ssh_quiet_keygen", false);
    let mut running: Vec<Option<Result<Started, AgentError>>> = Vec::with_capacity(actions.len());
    for action in actions {
        running.push(match action {
            Action::Run { argv, environment, .. } => {
                let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                let program = program(&argv, environment);
                Some(run::allowed(cx.host, &program).and_then(|()| run::start(&program)))
            }
            _ => None,
        });
    }
    let mut made = true;
    for (action, started) in actions.iter().zip(running) {
        let Some(started) = started else {
            // Owner and mode of the key before it.
            if made && let Err(error) = super::act(cx, action) {
                cx.log.warn(&error.to_string());
            }
            continue;
        };
        let kind = kind(action).unwrap_or_default();
        made = false;
        match started.and_then(|started| started.finish(cx.log, &program(&["ssh-keygen"], &[]))) {
            Ok(ended) if ended.status.success() => {
                made = true;
                if !quiet {
                    cx.log.output(&ended.stdout);
                }
            }
            // One that this ssh-keygen does not know is not missed.
            Ok(ended)
                if ended.status.code() == Some(1)
                    && ended.tail.text().to_lowercase().starts_with("unknown key") =>
            {
                cx.log.info(&format!("ssh-keygen makes no keys of type {kind}"));
            }
            Ok(ended) => {
                let why = run::failure("ssh-keygen", &ended, None);
                cx.log.warn(&format!("there is no host key of type {kind}: {why}"));
            }
            Err(error) => cx.log.warn(&format!("there is no host key of type {kind}: {error}")),
        }
    }
    Ok(())
}

fn program<'a>(argv: &'a [&'a str], environment: &'a [(String, String)]) -> Program<'a> {
    Program { argv, environment, patience: Some(PATIENCE), ..Program::default() }
}
