//! Judging: the promise against the machine, and words for it.

use hardtack_credentials::AgentConfig;
use hardtack_credentials::block::wrap;
use hardtack_credentials::time::format_utc;
use hardtack_login::Weakness;

use super::effective;
use super::state::{State, Verdict};
use crate::accounts;
use crate::host::Host;
use crate::login_files::LoginFiles;

/// Columns of a line: 80 without the `!!! ` before it.
const WIDTH: usize = 76;

/// Looks at everything, changes nothing. `ask`: sshd itself is asked, too, unless this says that something has
/// changed meanwhile.
pub(super) fn judge(host: &Host, config: &AgentConfig, ask: Option<&dyn Fn() -> bool>, now: u64) -> State {
    let mut state = State { version: 1, time: format_utc(now), ..State::default() };
    "none".clone_into(&mut state.action);
    let Some(mfa) = &config.mfa else {
        return state;
    };
    state.on_drift.clone_from(&mfa.on_drift);
    match &config.promise {
        Some(promise) => {
            match promise.check(&LoginFiles(host)) {
                Ok(weaknesses) => weaknesses.into_iter().for_each(|weakness| state.add(weakness)),
                // Whoever makes a file unreadable must not get what a changed one would not give.
                Err(error) => state.add(Weakness {
                    what: format!("what a login asks for cannot be judged: {error}"),
                    hint: "repair or remove that file".to_owned(),
                    ..Weakness::default()
                }),
            }
            // A start that is refused anyway is refused at once: systemd tries again a few times.
            if let Some(changed) = ask
                && state.weaknesses.is_empty()
            {
                effective::judge(host, promise, &mfa.users, changed, &mut state);
            }
            state.verdict = if state.weaknesses.is_empty() { Verdict::Holds } else { Verdict::Weaker };
        }
        None => state.note(
            "agent.json says nothing of what logins must ask for: the image was built by an older hardtack; \
             build it again, and they are guarded",
        ),
    }
    let foreign = super::enrolment(host, config);
    // A secret that somebody else knows is no drift: nobody has asked only to be warned of it.
    let is_foreign = !foreign.is_empty();
    for weakness in foreign {
        state.add(weakness);
        state.verdict = Verdict::Weaker;
    }
    lost(host, &mfa.users, &mut state);
    if state.verdict == Verdict::Weaker {
        // Any word but `warn` is the strict one.
        state.ssh_held = mfa.on_drift != "warn" || is_foreign;
        if state.ssh_held { "ssh stopped" } else { "warned" }.clone_into(&mut state.action);
    }
    state
}

/// Users of the recipe whom nobody has made, as where user-data has `users` without `default`: nobody gets in
/// by them, which weakens nothing.
fn lost(host: &Host, users: &[String], state: &mut State) {
    let missing: Vec<&str> = users
        .iter()
        .filter(|name| matches!(accounts::find(host, name), Ok(None)))
        .map(String::as_str)
        .collect();
    for name in &missing {
        state.note(&format!("{name} does not exist: nobody can log in as {name}"));
    }
    if !missing.is_empty() && missing.len() == users.len() {
        state.note("none of the recipe's users exists: there is no way in");
    }
}

/// What the consoles are told when the block no longer says how things are.
pub(super) fn paragraph(state: &State) -> String {
    let bar = "!".repeat(60);
    let mut lines = vec![bar.clone()];
    let mut say = |text: &str| lines.extend(wrap(text, WIDTH).into_iter().map(|line| format!("!!! {line}")));
    if state.weaknesses.is_empty() {
        say("HARDTACK: logins ask for everything that was promised again.");
    } else {
        say("HARDTACK: LOGINS ASK FOR LESS THAN WAS PROMISED");
        for sentence in state.drift() {
            say(&sentence);
        }
        if state.ssh_held {
            say("SSH is stopped and does not start until this is repaired; sessions go on.");
        }
        say("hardtack-agent status says how things are.");
    }
    lines.push(bar);
    lines.push(String::new());
    lines.join("\n")
}
