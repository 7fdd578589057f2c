//! How many calls are on their way at once: fewer after "too many calls", more again while all goes well.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets so many through at once.
pub(super) struct Gate {
    most: usize,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Clone, Copy, Debug)]
struct State {
    limit: usize,
    inside: usize,
    good: usize,
}

impl Gate {
    /// At most `most`.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, state: Mutex::new(State { limit: most, inside: 0, good: 0 }), moved: Condvar::new() }
    }

    /// Waits for a place, and does `work`. `throttled` says whether its result means "too many calls".
    pub(super) fn through<T>(&self, work: impl FnOnce() -> T, throttled: impl FnOnce(&T) -> bool) -> T {
        let mut state = self.state();
        while state.inside >= state.limit {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.inside += 1;
        drop(state);
        let result = work();
        let mut state = self.state();
        state.inside -= 1;
        if throttled(&result) {
            state.limit = (state.limit / 2).max(1);
            state.good = 0;
        } else {
            state.good += 1;
            if state.good >= state.limit && state.limit < self.most {
                state.limit += 1;
                state.good = 0;
            }
        }
        drop(state);
        self.moved.notify_all();
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_narrows_when_throttled_and_widens_slowly() {
        let gate = Gate::new(8);
        let limit = |bad: bool| {
            gate.through(|| (), |()| bad);
            gate.state().limit
        };
        assert_eq!((limit(true), limit(true), limit(true), limit(true)), (4, 2, 1, 1));
        assert_eq!((limit(false), limit(false), limit(false)), (2, 2, 3));
        for _ in 0..100 {
            limit(false);
        }
        assert_eq!(gate.state().limit, 8);
    }
}
