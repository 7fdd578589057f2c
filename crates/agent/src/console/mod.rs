//! The serial consoles: which there are, and writing one text to them whole.
//!
//! Which: the kernel's own list (/sys/class/tty/console/active) and the usual ports where there is
//! hardware behind them. Never a virtual terminal: what is shown there stays on a screen that
//! others see, and no cloud hands it out.

mod quiet;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub(crate) use write::{print, print_whole};

use crate::host::Host;

/// Ports that a cloud may connect without telling the kernel.
const USUAL: [&str; 3] = ["ttyS0", "ttyAMA0", "hvc0"];
/// The kernel keeps a handful; a longer list is not one.
const MOST: usize = 16;

/// One console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Console {
    /// Its name below /dev.
    pub(crate) name: String,
    /// The kernel itself writes to it; otherwise a guess of ours that may fail to open.
    pub(crate) active: bool,
}

/// The consoles to print on, the kernel's preferred one (the last of its list) first.
pub(crate) fn find(host: &Host) -> Vec<Console> {
    let active = host.first_line("/sys/class/tty/console/active").unwrap_or_default();
    let mut consoles: Vec<Console> = active
        .split_whitespace()
        .rev()
        .filter(|name| is_serial(name))
        .map(|name| Console { name: name.to_owned(), active: true })
        .collect();
    for name in USUAL {
        if has_hardware(host, name) {
            consoles.push(Console { name: name.to_owned(), active: false });
        }
    }
    let mut seen: Vec<Console> = Vec::new();
    for console in consoles {
        if seen.len() < MOST && !seen.iter().any(|other| other.name == console.name) {
            seen.push(console);
        }
    }
    seen
}

/// Everything but virtual terminals (`tty0`, `tty1`…) and the console that swallows everything
/// (`ttynull`), and nothing that is not a plain name.
fn is_serial(name: &str) -> bool {
    let virtual_terminal = name
        .strip_prefix("tty")
        .is_some_and(|rest| rest.is_empty() || rest.bytes().all(|byte| byte.is_ascii_digit()));
    !virtual_terminal
        && !name.starts_with("ttynull")
        && name != "console"
        && !name.starts_with('.')
        && !name.contains('/')
}

/// The 8250 driver makes `ttyS0` on every machine; `type` is 0 (PORT_UNKNOWN) when no chip answered.
fn has_hardware(host: &Host, name: &str) -> bool {
    let sys = format!("/sys/class/tty/{name}");
    host.exists(&sys) && host.first_line(&format!("{sys}/type")).is_none_or(|kind| kind != "0")
}
