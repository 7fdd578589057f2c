//! Some requests at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Requests under way at the same time.
pub(crate) const TOGETHER: usize = 16;

/// What `ask` gives for each of `items`, in their order; `None` of it is left out.
pub(crate) fn together<T: Sync, R: Send>(items: &[T], ask: impl Fn(&T) -> Option<R> + Sync) -> Vec<(&T, R)> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    if let Some(answer) = ask(item) {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|(index, _)| *index);
    found.into_iter().filter_map(|(index, answer)| items.get(index).map(|item| (item, answer))).collect()
}
