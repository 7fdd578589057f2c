//! What is said to people beside the result: on standard error.

use std::io::Write;
use std::sync::Mutex;

/// Lines that are kept for somebody who says them again, while they are.
static KEPT: Mutex<Option<Vec<String>>> = Mutex::new(None);
/// So many are kept at most.
const MOST_KEPT: usize = 10_000;

/// One note, on a line of its own.
pub(crate) fn note(text: &str) {
    line(&format!("note: {text}"));
}

/// One line.
pub(crate) fn line(text: &str) {
    // Names out of images and archives are nothing that a terminal should obey.
    let safe = crate::terminal::safe_lines(text);
    keep(&safe);
    // What is said on standard error is talk; the work goes on without a listener.
    let _ = writeln!(std::io::stderr(), "{safe}");
}

/// From now on what is said is kept, too.
pub(crate) fn begin_to_keep() {
    if let Ok(mut kept) = KEPT.lock() {
        *kept = Some(Vec::new());
    }
}

/// What was said since.
pub(crate) fn end_to_keep() -> Vec<String> {
    KEPT.lock().ok().and_then(|mut kept| kept.take()).unwrap_or_default()
}

/// Keeps what was said by other means.
pub(crate) fn keep(text: &str) {
    if let Ok(mut kept) = KEPT.lock()
        && let Some(kept) = &mut *kept
        && kept.len() < MOST_KEPT
    {
        kept.extend(text.lines().map(str::to_owned));
    }
}
