//! Starting the switch's process, once.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hardtack_cloud::Environment;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::place::open_lock;
use crate::Error;
use crate::instance::{Program, Short, read_small};

pub(super) const SOCKET: &str = "switch.sock";
pub(super) const LOCK: &str = "switch.lock";
const LOG: &str = "switch.log";
/// How often it is looked whether the switch answers, and how often at most.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// Under the network's lock: starts the switch where none runs, and returns when it takes connections.
pub(super) fn running(directory: &Path, program: &Program, environment: &Environment) -> Result<(), Error> {
    if is_running(directory)? && answers(directory) {
        return Ok(());
    }
    let log = directory.join(LOG);
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&log)
        .map_err(|error| Error::file(&log, "write the switch's log", error))?;
    let copy = file.try_clone().map_err(|error| Error::file(&log, "write the switch's log", error))?;
    let child = Command::new(&program.path)
        .arg("switch")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .current_dir("/")
        // An interrupt at the terminal is not for the switch.
        .process_group(0)
        .spawn();
    let mut child = child.map_err(|error| Error::file(&program.path, "start the network's switch", error))?;
    for _ in 0..LOOKS {
        if answers(directory) {
            // It outlives this process; while this one lives, somebody has to take note of its end.
            std::thread::spawn(move || child.wait());
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(failed(directory, &format!("it ended at once ({status})")));
        }
        (environment.sleep)(LOOK);
    }
    // It never worked, so nobody uses it.
    let _ = child.kill();
    let _ = child.wait();
    Err(failed(directory, "it takes no connections"))
}

fn failed(directory: &Path, why: &str) -> Error {
    let log = read_small(&directory.join(LOG)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let last = log.trim().lines().last().unwrap_or_default();
    let colon = if last.is_empty() { "" } else { ": " };
    Error::Refused(format!(
        "{}: the network's switch does not start: {why}{colon}{last}",
        directory.display()
    ))
}

fn is_running(directory: &Path) -> Result<bool, Error> {
    let file = open_lock(&directory.join(LOCK))?;
    // A look must not keep a switch from starting: shared, and for this moment.
    Ok(matches!(rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK)))
}

fn answers(directory: &Path) -> bool {
    Short::open(directory)
        .and_then(|short| short.connect(SOCKET).map_err(|error| Error::file(directory, "", error)))
        .is_ok()
}
