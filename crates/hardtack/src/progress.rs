//! Progress: a line that is rewritten on a terminal, one plain line per stage elsewhere.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::terminal;

/// What is faster than this needs no moving line.
const SILENT: Duration = Duration::from_millis(250);
/// At most ten times a second.
const INTERVAL: Duration = Duration::from_millis(100);
const MIB: f64 = 1024.0 * 1024.0;

/// One stage of work that is measured in bytes.
pub(crate) struct Progress {
    name: String,
    started: Instant,
    watched: bool,
    last: Mutex<Instant>,
    shown: AtomicBool,
    done: AtomicU64,
}

impl Progress {
    /// Starts the stage `name` ("writing out.qcow2").
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let now = Instant::now();
        Self {
            name: name.into(),
            started: now,
            watched: terminal::is_watched(),
            last: Mutex::new(now),
            shown: AtomicBool::new(false),
            done: AtomicU64::new(0),
        }
    }

    /// Says how far it is; may be called from any thread, often.
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.done.fetch_max(done, Ordering::Relaxed);
        if !self.watched || self.started.elapsed() < SILENT {
            return;
        }
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() < INTERVAL {
            return;
        }
        *last = Instant::now();
        self.shown.store(true, Ordering::Relaxed);
        // In 128 bits: a disk may have more bytes than a hundredth of what 64 can count.
        let percent = (u128::from(done) * 100).checked_div(total.into()).unwrap_or(100);
        eprint_line(&format!("\r{}: {percent:3} %", self.name));
    }

    /// Ends the stage with one line: what was done, how much, how fast.
    pub(crate) fn finish(self, bytes: u64) {
        let seconds = self.started.elapsed().as_secs_f64();
        let mebibytes = bytes as f64 / MIB;
        let start = if self.shown.load(Ordering::Relaxed) { "\r" } else { "" };
        eprint_line(&format!(
            "{start}{}: {mebibytes:.0} MiB in {seconds:.1} s ({:.0} MiB/s)\n",
            self.name,
            mebibytes / seconds.max(0.001),
        ));
    }
}

fn eprint_line(text: &str) {
    // Progress is a courtesy; a closed standard error is no reason to stop the work.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
