//! Words for the journal: standard error, which the units send there. Never a secret.

use std::io::Write;

/// One line.
pub(crate) fn say(text: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(std::io::stderr().lock(), "hardtack-agent: {text}");
}
