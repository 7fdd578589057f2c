//! Clocks.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// A clock that goes on when all threads that live by it sleep, and then to where the first of them wakes.
#[derive(Debug, Default)]
pub struct VirtualClock {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    threads: usize,
    sleepers: Vec<Duration>,
}

impl State {
    /// True when time went on.
    fn advance(&mut self) -> bool {
        let Some(first) = self.sleepers.iter().min().copied() else { return false };
        // Who could be awake by now is not yet, and may do something first.
        let all = self.sleepers.len() >= self.threads.max(1) && first > self.now;
        if all {
            self.now = first;
        }
        all
    }
}

impl VirtualClock {
    /// At zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.state().now
    }

    fn sleep(&self, time: Duration) {
        let mut state = self.state();
        let until = state.now.saturating_add(time);
        state.sleepers.push(until);
        while state.now < until {
            if state.advance() {
                self.changed.notify_all();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if let Some(at) = state.sleepers.iter().position(|other| *other == until) {
            state.sleepers.swap_remove(at);
        }
        // One less could have been what the others waited for.
        self.changed.notify_all();
    }

    fn enter(&self) {
        self.state().threads += 1;
    }

    fn leave(&self) {
        let mut state = self.state();
        state.threads = state.threads.saturating_sub(1);
        state.advance();
        self.changed.notify_all();
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct RealClock(Instant);

impl Default for RealClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RealClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
