//! Consoles of instances: the newest and the kept part put together, watched until the credentials are there.
//!
//! Clouds give a window of 64 KiB. What was kept may be empty for minutes and may be the beginning only; the newest part
//! is refused on old types and unknown to Eucalyptus. A [`Console`] joins whatever windows it is given.
//!
//! Sources: the EC2 API reference on `GetConsoleOutput` ("the most recent 64 KB", `Latest` on Nitro alone); for Eucalyptus
//! its node controller, which gives the last 64 KiB of the file that the hypervisor writes.

mod advice;
mod lines;
mod merge;
#[cfg(test)]
pub(crate) mod script;
pub(crate) mod stuck;
mod watch;

use std::time::Duration;

use hardtack_credentials::console::LOG_LIMIT;

use crate::machine::{Machine, Part};
use merge::Merged;

pub use advice::advice;
pub use lines::last_lines;
pub use watch::watch;

/// All that an instance's console is known to have said.
#[derive(Clone, Debug)]
pub struct Console(Merged);

impl Default for Console {
    fn default() -> Self {
        Self(Merged::new(LOG_LIMIT))
    }
}

impl Console {
    /// Takes a window in: where it overlaps with what is known the rest is added, else it stands behind a mark of
    /// what was lost.
    pub fn take(&mut self, window: &[u8]) {
        self.0.take(window, Part::Latest);
    }

    /// The same for a window that may be older than what is known: without an overlap it stands before the newest.
    pub fn take_part(&mut self, window: &[u8], part: Part) {
        self.0.take(window, part);
    }

    /// All of it, at most what [`hardtack_credentials::console::LOG_LIMIT`] allows.
    pub fn text(&self) -> &[u8] {
        self.0.text()
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// All of it.
    pub timeout: Duration,
    /// Whether the block must be there; without, what there is now is all.
    pub wait: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The instance, as it was seen last.
    pub machine: Machine,
    /// Its console.
    pub console: Console,
    /// Whether an intact credentials block is in it.
    pub credentials: bool,
}
