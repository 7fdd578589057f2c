//! What is shown while jobs run: each line with its job's name; on a terminal, below them, how far all are.

use std::io::Write as _;
use std::sync::Mutex;

use hardtack_matrix::{Outcome, Verdict};
use hardtack_yaml::diagnostic::width;

use crate::terminal::{self, Terminal, safe, safe_lines};

/// Standard error, shared by all jobs.
pub(super) struct Screen {
    watched: bool,
    width: usize,
    state: Mutex<State>,
}

struct State {
    all: usize,
    done: usize,
    failed: usize,
    running: Vec<String>,
}

impl Screen {
    /// For so many jobs.
    pub(super) fn new(all: usize) -> Self {
        Self {
            watched: terminal::is_watched(),
            width: Terminal::of_stderr().width.map_or(80, usize::from),
            state: Mutex::new(State { all, done: 0, failed: 0, running: Vec::new() }),
        }
    }

    /// A job begins.
    pub(super) fn began(&self, name: &str) {
        self.show("", |state| state.running.push(safe(name)));
    }

    /// A line of a job.
    pub(super) fn say(&self, name: &str, line: &str) {
        self.show(&format!("[{}] {}\n", safe(name), safe_lines(line)), |_| {});
    }

    /// A job is over.
    pub(super) fn ended(&self, name: &str, outcome: &Outcome) {
        let took = outcome.took.as_secs_f64();
        let what = match outcome.verdict {
            Verdict::Done => format!("done in {took:.1} s"),
            Verdict::Failed(code) => format!("FAILED after {took:.1} s: exit code {code}"),
            Verdict::Killed(_) => outcome.error().unwrap_or_default(),
        };
        let name = safe(name);
        self.show(&format!("[{name}] {what}\n"), |state| {
            state.done += 1;
            state.failed += usize::from(outcome.verdict != Verdict::Done);
            state.running.retain(|running| *running != name);
        });
    }

    /// Nothing more is to come.
    pub(super) fn close(&self) {
        if self.watched {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }

    fn show(&self, text: &str, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        let mut out = String::new();
        if self.watched {
            let failed = if state.failed > 0 { format!(", {} failed", state.failed) } else { String::new() };
            let line = format!("{} of {} done{failed}; {}", state.done, state.all, state.running.join(", "));
            let line = fitting(&line, self.width.saturating_sub(1));
            out = format!("\r\x1b[K{text}{line}");
        } else {
            out += text;
        }
        // What is said on standard error is talk; the work goes on without a listener.
        let _ = std::io::stderr().write_all(out.as_bytes());
    }
}

/// As much of a line as so many columns have room for.
fn fitting(line: &str, most: usize) -> &str {
    let mut wide = 0;
    let end = line.char_indices().find(|(_, character)| {
        wide += width(*character);
        wide > most
    });
    end.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_measured_in_columns() {
        assert_eq!(fitting("日本語", 5), "日本");
        assert_eq!(fitting("日本語", 6), "日本語");
        assert_eq!(fitting("abc", 2), "ab");
    }
}
