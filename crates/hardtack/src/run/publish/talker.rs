//! What libraries tell of a run, for people: notes, progress, and what is waited for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hardtack_publish::Teller;

use crate::progress::Progress;
use crate::{talk, terminal};

/// Less is no stage of work that anybody waits for.
const SMALL: u64 = 1 << 20;
/// A log has a line of a long step at most this often.
const QUIET: Duration = Duration::from_secs(60);

/// Tells people on standard error.
#[derive(Default)]
pub(crate) struct Talker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: BTreeMap<String, (Progress, Instant)>,
    /// What was last said of a wait, and when; whether the line is still open.
    waiting: Option<(String, Instant)>,
    open: bool,
}

impl Talker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends a line that a wait rewrites.
    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = std::io::stderr().write_all(b"\n");
        }
    }
}

impl Teller for Talker {
    fn note(&self, text: &str) {
        self.state().close();
        talk::note(text);
    }

    fn progress(&self, step: &str, done: u64, total: u64) {
        let mut state = self.state();
        state.close();
        if done >= total {
            if let Some((progress, _)) = state.steps.remove(step).filter(|_| total >= SMALL) {
                progress.finish(total);
            }
            return;
        }
        let (progress, said) =
            state.steps.entry(step.to_owned()).or_insert_with(|| (Progress::start(step), Instant::now()));
        progress.at(done, total);
        if !terminal::is_watched() && said.elapsed() >= QUIET {
            *said = Instant::now();
            let percent = (u128::from(done) * 100).checked_div(total.into()).unwrap_or(100);
            talk::line(&format!("{step}: {percent} %"));
        }
    }

    fn waiting(&self, text: &str) {
        let mut state = self.state();
        let watched = terminal::is_watched();
        match &state.waiting {
            // On a terminal each change is shown; a log has what is new, and a sign of life each minute.
            Some((said, at)) if said == text && (watched || at.elapsed() < QUIET) => return,
            Some((_, at)) if !watched && at.elapsed() < QUIET => return,
            _ => {}
        }
        state.waiting = Some((text.to_owned(), Instant::now()));
        if watched {
            state.open = true;
            let safe: String = text.chars().filter(|char| !char.is_control()).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[K{safe}");
        } else {
            talk::line(text);
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.state().close();
    }
}
