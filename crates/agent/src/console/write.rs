//! Writing one text to a console, whole.
//!
//! The text goes out in one write(2): the terminal layer holds its lock for the length of a call,
//! so that systemd's status lines and cloud-init, which write to the same console, come before or
//! after it. Then tcdrain(3) until the last bit has left.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::{OutputModes, isatty, tcdrain, tcgetattr};

use super::quiet::Quiet;
use super::watch::Watch;
use super::{Console, find};
use crate::error::AgentError;
use crate::host::Host;
use crate::journal;

/// 16 KiB at 9600 baud need 17 s. A console that nobody reads (flow control, a full pipe) blocks
/// for ever, and must not hold the boot.
const PATIENCE: Duration = Duration::from_secs(45);
/// A print that was disturbed is repeated, but not for ever.
const TRIES: u32 = 3;
/// Who cut in may need a moment to come to its end.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints `text` (lines ended by `\n`) on every serial console.
///
/// # Errors
/// When there is none, or none took the text.
pub(crate) fn print(host: &Host, text: &str) -> Result<(), AgentError> {
    print_whole(host, text).map(|_| ())
}

/// As [`print`]; `false` when something is known to have cut into the last try on one of them.
pub(crate) fn print_whole(host: &Host, text: &str) -> Result<bool, AgentError> {
    let consoles = find(host);
    if consoles.is_empty() {
        return Err(AgentError::text(
            "there is no serial console to print on: give the machine one (ttyS0, ttyAMA0, hvc0) or boot with console=ttyS0",
        ));
    }
    let quiet = Quiet::new(host);
    let mut printed = 0;
    let mut whole = true;
    let mut failed = Vec::new();
    for console in &consoles {
        match one(host, console, text, &quiet) {
            Ok(arrived) => {
                printed += 1;
                whole &= arrived;
            }
            Err(error) if console.active => failed.push(format!("{}: {error}", console.name)),
            // A port that the kernel does not use itself and that does not work is not there.
            Err(error) => journal::say(&format!("{} is not used: {error}", console.name)),
        }
    }
    for failure in &failed {
        journal::say(&format!("nothing was printed on {failure}"));
    }
    match printed {
        0 => Err(AgentError::text(format!(
            "no serial console took the text ({})",
            consoles.iter().map(|console| console.name.as_str()).collect::<Vec<_>>().join(", ")
        ))),
        _ => Ok(whole),
    }
}

/// Whether it arrived whole, as far as can be seen from here.
fn one(host: &Host, console: &Console, text: &str, quiet: &Quiet<'_>) -> Result<bool, AgentError> {
    for attempt in 1..=TRIES {
        let watch = Watch::start(host, &console.name);
        within(PATIENCE, host.path(&format!("/dev/{}", console.name)), text.to_owned())?;
        match watch.disturbed(host, &console.name, quiet.level(), console.active) {
            None => return Ok(true),
            Some(what) => {
                journal::say(&format!("{}: {what} meanwhile (print {attempt} of {TRIES})", console.name));
                if attempt < TRIES {
                    thread::sleep(PAUSE);
                }
            }
        }
    }
    // Its checksum tells the reader whether the last one is whole; the end of the boot is quieter.
    Ok(false)
}

/// Writes in a thread of its own, since a blocked console cannot be waited for otherwise. A thread
/// that is still blocked ends with the program.
fn within(patience: Duration, path: PathBuf, text: String) -> Result<(), AgentError> {
    let (done, outcome) = mpsc::channel();
    let shown = path.clone();
    thread::spawn(move || {
        let _ = done.send(write(&path, &text));
    });
    match outcome.recv_timeout(patience) {
        Ok(result) => result.map_err(|error| AgentError::io("write to", &shown, error)),
        Err(_) => Err(AgentError::text(format!(
            "{}: not written within {} s; nobody reads it",
            shown.display(),
            patience.as_secs()
        ))),
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // NONBLOCK only for opening, which else waits for a carrier.
    let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
    let mut file = OpenOptions::new().write(true).custom_flags(flags.bits() as i32).open(path)?;
    let blocking = fcntl_getfl(&file)? - OFlags::NONBLOCK;
    fcntl_setfl(&file, blocking)?;
    let text = line_ends(&file, text);
    file.write_all(text.as_bytes())?;
    match tcdrain(&file) {
        // Tests write to a plain file.
        Ok(()) | Err(Errno::NOTTY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A terminal in its usual mode puts the carriage returns in by itself. Its mode is not changed:
/// others write to it too.
fn line_ends(file: &File, text: &str) -> String {
    let adds_returns =
        tcgetattr(file).is_ok_and(|mode| mode.output_modes.contains(OutputModes::OPOST | OutputModes::ONLCR));
    // Begin on a line of our own, whatever stood there.
    let text = format!("\n{}\n", text.trim_end_matches('\n'));
    if adds_returns || !isatty(file) { text } else { text.replace('\n', "\r\n") }
}
