//! Whether a guest under KVM comes on: a host's KVM may open, make machines, and hang every kernel.

use std::time::Duration;

/// A guest that shows nothing new for this long stands still.
const STILL: Duration = Duration::from_secs(20);
/// Later it may have nothing to say.
const EARLY: Duration = Duration::from_secs(120);

/// What a guest has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Bytes on its console.
    pub(super) console: u64,
    /// Reads and writes of its disks.
    pub(super) operations: u64,
    /// Writes alone.
    pub(super) writes: u64,
    /// Questions to the metadata service.
    pub(super) requests: u64,
}

/// What is to be thought of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// Nothing yet.
    Unknown,
    /// Its programs run.
    Runs,
    /// It stands still.
    Hangs,
    /// It is not known, and will not be.
    Over,
}

/// A watch over a guest that has just been started.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Done,
    changed: Duration,
    opinion: Option<Opinion>,
}

impl Watch {
    /// Looks at `done`, `at` after the start. `userspace`: its console tells of programs.
    pub(super) fn look(&mut self, at: Duration, done: Done, userspace: bool) -> Opinion {
        if let Some(opinion) = self.opinion {
            return opinion;
        }
        if done != self.last {
            (self.last, self.changed) = (done, at);
        }
        let opinion = if userspace || done.requests > 0 || done.writes > 0 {
            Opinion::Runs
        } else if at >= EARLY {
            Opinion::Over
        } else if at.saturating_sub(self.changed) >= STILL {
            Opinion::Hangs
        } else {
            return Opinion::Unknown;
        };
        self.opinion = Some(opinion);
        opinion
    }

    /// What it had done at last.
    pub(super) fn last(&self) -> Done {
        self.last
    }
}

/// Whether a console tells of programs: kernels hang before.
pub(super) fn tells_of_programs(console: &[u8]) -> bool {
    const SIGNS: &[&str] =
        &["systemd[1]", "Welcome to ", "login:", "cloud-init", " as init process", "Begin: "];
    let text = String::from_utf8_lossy(console);
    SIGNS.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_guest_that_stands_still_early_hangs() {
        let mut watch = Watch::default();
        let loader = Done { console: 30, operations: 400, ..Done::default() };
        assert_eq!(watch.look(seconds(2), loader, false), Opinion::Unknown);
        assert_eq!(watch.look(seconds(21), loader, false), Opinion::Unknown);
        assert_eq!(watch.look(seconds(22), loader, false), Opinion::Hangs);
        assert_eq!(watch.last(), loader);
        // An opinion stays.
        assert_eq!(watch.look(seconds(23), Done { requests: 1, ..loader }, true), Opinion::Hangs);
    }

    #[test]
    fn a_guest_that_comes_on_slowly_or_is_silent_later_does_not() {
        let mut watch = Watch::default();
        for second in 0..12 {
            let done = Done { operations: second, ..Done::default() };
            assert_eq!(watch.look(seconds(second * 10), done, false), Opinion::Unknown, "{second}");
        }
        assert_eq!(
            watch.look(seconds(120), Done { operations: 11, ..Done::default() }, false),
            Opinion::Over
        );
        for (done, userspace) in [
            (Done { requests: 1, ..Done::default() }, false),
            (Done { writes: 1, ..Done::default() }, false),
            (Done::default(), true),
        ] {
            let mut watch = Watch::default();
            assert_eq!(watch.look(seconds(1), done, userspace), Opinion::Runs);
            assert_eq!(watch.look(seconds(90), done, userspace), Opinion::Runs);
        }
    }

    #[test]
    fn loaders_and_kernels_are_no_programs() {
        assert!(!tells_of_programs(b"Booting `Debian GNU/Linux'\r\n[    0.000000] Linux version 6.1"));
        assert!(tells_of_programs(b"[    1.9] Run /init as init process\xff"));
    }
}
