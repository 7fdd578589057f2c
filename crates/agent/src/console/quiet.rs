//! The kernel's own messages, held down while we print.
//!
//! printk writes past the terminal's lock, into the middle of a line. /proc/sys/kernel/printk
//! (proc(5)): the first number is the level below which messages reach the console; at 1 only an
//! emergency does, and that one may.

use std::fs;

use crate::host::Host;

const PRINTK: &str = "/proc/sys/kernel/printk";

/// While it lives the kernel is quiet; afterwards the level is what it was, also after an error.
pub(crate) struct Quiet<'a> {
    host: &'a Host,
    before: Option<String>,
}

impl<'a> Quiet<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        let before = level(host).filter(|level| *level > 1).map(|level| level.to_string());
        // Where it cannot be held down (a container), printing is still better than not printing.
        let before = before.filter(|_| fs::write(host.path(PRINTK), "1").is_ok());
        Self { host, before }
    }

    /// The level below which messages reach the console at this moment: it could not be held down, or somebody
    /// (`dmesg -n`, a sysctl) has raised it again.
    pub(super) fn level(&self) -> u64 {
        level(self.host).unwrap_or(1)
    }
}

fn level(host: &Host) -> Option<u64> {
    host.first_line(PRINTK)?.split_whitespace().next()?.parse().ok()
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        if let Some(level) = &self.before {
            let _ = fs::write(self.host.path(PRINTK), level);
        }
    }
}
