//! What is said to people beside the result: on standard error.

use std::io::Write;

/// One note, on a line of its own.
pub(crate) fn note(text: &str) {
    line(&format!("note: {text}"));
}

/// One line.
pub(crate) fn line(text: &str) {
    // Names out of images and archives are nothing that a terminal should obey.
    let safe = crate::terminal::safe_lines(text);
    // What is said on standard error is talk; the work goes on without a listener.
    let _ = writeln!(std::io::stderr(), "{safe}");
}
