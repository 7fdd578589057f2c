//! What the streams are connected to.

use std::io::{IsTerminal, stderr, stdout};
use std::os::fd::AsFd;

pub(crate) use hardtack_inspect::text::safe;
pub(crate) use hardtack_report::visible as safe_lines;

/// What a stream can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Columns; `None` when it is no terminal.
    pub(crate) width: Option<u16>,
    /// Colours are welcome.
    pub(crate) color: bool,
}

impl Terminal {
    /// Asks standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(&stdout())
    }

    /// Asks standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::of(&stderr())
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        if !stream.is_terminal() {
            return Self { width: None, color: false };
        }
        // A serial line has no size of its own, and says 0.
        let size = rustix::termios::tcgetwinsize(stream).ok().filter(|size| size.ws_col > 0);
        let width = size.map_or(80, |size| size.ws_col);
        Self { width: Some(width), color: std::env::var_os("NO_COLOR").is_none() }
    }
}

/// True when somebody watches standard error live: a terminal that takes escapes, and not a CI system's pretended one.
pub(crate) fn is_watched() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    stderr().is_terminal() && !dumb && std::env::var_os("CI").is_none()
}
