//! Starting QEMU until its monitor answers.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rustix::fs::FallocateFlags;

use super::{PAUSE, Supervisor, control, stop};
use crate::Error;
use crate::instance::Spec;
use crate::qemu::{self, Monitor, Start};

/// A port that was free may be somebody's when QEMU comes to it.
const TRIES: u32 = 5;
/// Until the monitor answers.
const ANSWER: Duration = Duration::from_secs(60);
/// One answer of it.
const LINE: Duration = Duration::from_secs(5);
/// What is kept of a console in any case.
const KEPT: u64 = 16 << 20;
/// And of what QEMU has to say.
const KEPT_LOG: u64 = 1 << 20;
/// What QEMU says of a port that it does not get.
const NO_PORT: &str = "host forwarding rule";
/// What it says of an option that it does not know (yet, or any more).
const NO_RECONNECT: &str = "'reconnect";

impl Supervisor<'_> {
    /// Starts QEMU; `None` where somebody asked for the end meanwhile. Free ports are chosen anew where one was taken
    /// by somebody else meanwhile.
    pub(super) fn start(&mut self, accel: &str) -> Result<Option<(Child, Monitor)>, Error> {
        let code = match self.spec.uefi {
            true => Some(qemu::firmware(&self.spec.id)?.0),
            false => None,
        };
        // The program itself, also when its file has been replaced since.
        let relay = format!("/proc/{}/exe relay metadata", std::process::id());
        for attempt in 1.. {
            let ports = self.ports(&self.report.ports)?;
            let capture = self.capture()?;
            let mut machine = qemu::of_spec(
                &self.spec,
                accel,
                &ports,
                &relay,
                code.as_deref(),
                self.private(),
                capture.as_deref(),
            );
            machine.reconnect = self.reconnect;
            match self.try_start(&machine.arguments()) {
                Ok(started) => {
                    self.report.ports = ports;
                    return Ok(started);
                }
                Err(error) if attempt < TRIES && error.to_string().contains(NO_PORT) => {
                    if let Some((taken, guest)) = self.asked_for(&error, &ports) {
                        return Err(qemu::no_port(taken, guest, false));
                    }
                    self.report.ports.clear();
                }
                Err(error) if error.to_string().contains(NO_RECONNECT) => match self.reconnect.older() {
                    Some(older) => self.reconnect = older,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The port that QEMU did not get and the guest's, if it is one that was asked for.
    fn asked_for(&self, error: &Error, ports: &BTreeMap<u16, u16>) -> Option<(u16, u16)> {
        let text = error.to_string();
        let named = |host: u16| text.contains(&format!("127.0.0.1:{host}-"));
        self.spec
            .ports
            .iter()
            .filter_map(|port| Some((port.host?, port.guest)))
            .find(|(host, _)| named(*host) && ports.values().any(|used| used == host))
    }

    fn try_start(&self, arguments: &[String]) -> Result<Option<(Child, Monitor)>, Error> {
        let log = self.directory.join("supervisor.log");
        let fail = |error| Error::file(&log, "write it", error);
        let errors = OpenOptions::new().create(true).append(true).mode(0o600).open(&log).map_err(fail)?;
        let before = errors.metadata().map_err(fail)?.len();
        // One of an earlier start would look like this one's.
        let _ = std::fs::remove_file(self.directory.join("monitor"));
        let start = Start { arguments, directory: Some(&self.directory), errors: Some(errors) };
        let mut child = start.spawn(self.environment)?;
        let deadline = (self.environment.now)().checked_add(ANSWER);
        loop {
            if let Some(status) = child.try_wait().map_err(fail)? {
                return Err(Error::Refused(format!("QEMU ended with {status}{}", said(&log, before))));
            }
            let monitor = self.short.path("monitor");
            if let Ok(connected) = Monitor::connect(&monitor, LINE) {
                let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&monitor, private).map_err(fail)?;
                let monitor = connected;
                return Ok(Some((child, monitor)));
            }
            if control::asked_to_end(&self.control) {
                stop(&mut child, self.environment);
                return Ok(None);
            }
            if deadline.is_none_or(|deadline| (self.environment.now)() >= deadline) {
                stop(&mut child, self.environment);
                let said = said(&log, before);
                return Err(Error::Refused(format!("QEMU's monitor does not answer{said}")));
            }
            (self.environment.sleep)(PAUSE / 5);
        }
    }
}

/// What QEMU has said since the log had `before` bytes.
fn said(log: &Path, before: u64) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(log)
        && file.seek(SeekFrom::Start(before)).is_ok()
    {
        let mut bytes = Vec::new();
        let _ = file.take(16 << 10).read_to_end(&mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let short: String = lines.join("; ").chars().filter(|char| !char.is_control()).take(1000).collect();
    if short.is_empty() { String::new() } else { format!(": {short}") }
}

/// The last bytes of the console, and how many there are.
pub(super) fn console(directory: &Path, most: u64) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let Ok(mut file) = std::fs::File::open(directory.join("console.log")) else { return (bytes, 0) };
    let all = file.metadata().map_or(0, |found| found.len());
    if file.seek(SeekFrom::Start(all.saturating_sub(most))).is_ok() {
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    (bytes, all)
}

/// Gives the space of a console's beginning back, so that a guest that says the same thing for ever does not fill the
/// disk; the same for what QEMU says, which a guest may provoke. The files keep their lengths, and so say how much there
/// was.
pub(super) fn trim(directory: &Path) {
    for (name, kept) in [("console.log", KEPT), ("supervisor.log", KEPT_LOG)] {
        let Ok(file) = OpenOptions::new().write(true).open(directory.join(name)) else { continue };
        let length = file.metadata().map_or(0, |found| found.len());
        if length > 2 * kept {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // A file system that cannot do it keeps all of it.
            let _ = rustix::fs::fallocate(&file, flags, 0, length - kept);
        }
    }
}

/// UEFI's variables as they are at the beginning.
pub(super) fn variables(spec: &Spec, directory: &Path) -> Result<(), Error> {
    if !spec.uefi {
        return Ok(());
    }
    let (_, from) = qemu::firmware(&spec.id)?;
    let to = directory.join("variables.fd");
    let bytes = std::fs::read(&from).map_err(|error| Error::file(&from, "read it", error))?;
    std::fs::write(&to, bytes).map_err(|error| Error::file(&to, "write it", error))
}

/// Says something in the log.
pub(super) fn log(path: &Path, text: &str) {
    if let Ok(mut log) = OpenOptions::new().append(true).open(path) {
        let _ = writeln!(log, "{text}");
    }
}

#[cfg(test)]
mod tests {
    // A test that cannot run says so.
    #![allow(clippy::unwrap_used, clippy::print_stderr)]

    use super::*;

    #[test]
    fn a_console_that_never_ends_takes_no_more_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let text = vec![b'x'; usize::try_from(2 * KEPT + 1).unwrap()];
        std::fs::write(&path, &text).unwrap();
        trim(folder.path());
        let (last, all) = console(folder.path(), KEPT);
        assert_eq!((all, last.len() as u64), (2 * KEPT + 1, KEPT));
        assert!(last.iter().all(|byte| *byte == b'x'));
        let bytes = std::fs::read(&path).unwrap();
        if bytes.first() == Some(&b'x') {
            eprintln!("SKIPPED: this file system makes no holes");
        } else {
            assert_eq!(bytes.iter().filter(|byte| **byte == b'x').count() as u64, KEPT);
        }
    }

    #[test]
    fn what_qemu_says_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("supervisor.log");
        std::fs::write(&log, "before\nqemu: no\x1b[0m memory\n\nqemu: the end\n").unwrap();
        assert_eq!(said(&log, 7), ": qemu: no[0m memory; qemu: the end");
        assert_eq!(said(&log, 1000), "");
    }
}
