//! Time, as an argument.

use std::time::Duration;

/// A clock that only goes forward, and the patience that goes with it.
pub trait Clock: Sync {
    /// Time since some moment that stays the same.
    fn now(&self) -> Duration;

    /// Comes back when `time` has passed.
    fn sleep(&self, time: Duration);

    /// Told when one more thread begins to live by this clock. A clock of a test, which goes on when all
    /// threads sleep, must know how many there are.
    fn enter(&self) {}

    /// Told when a thread no longer lives by this clock.
    fn leave(&self) {}
}
