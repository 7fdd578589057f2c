//! The gate: SSH is about to start, and systemd asks by `ExecStartPre=` whether it may.
//!
//! A child judges. Only its one exit status refuses; whatever else becomes of it (a crash, no end, no memory)
//! lets SSH start and is told, since it is the guard's fault and not the machine's.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, fstat};

use super::REFUSED;
use crate::host::Host;
use crate::journal;

/// systemd gives a start 90 s.
const PATIENCE: Duration = Duration::from_secs(45);
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Whether SSH may start.
pub(super) fn run(host: &Host) -> ExitCode {
    match child(host, PATIENCE) {
        Ok(Some(code)) if code == i32::from(REFUSED) => {
            say(
                "SSH does not start: logins would ask for less than promised (hardtack-agent status); repair it, \
                 then systemctl reset-failed ssh.socket ssh.service; systemctl start ssh",
            );
            ExitCode::from(REFUSED)
        }
        Ok(Some(0)) => ExitCode::SUCCESS,
        Ok(code) => {
            let how = code.map_or_else(|| "crashed".to_owned(), |code| format!("ended with status {code}"));
            say(&format!("SSH starts unguarded: the guard {how}"));
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&format!("SSH starts unguarded: the guard {why}"));
            ExitCode::SUCCESS
        }
    }
}

/// The exit status of the child, `None` when a signal ended it.
fn child(host: &Host, patience: Duration) -> Result<Option<i32>, String> {
    let cannot = |error: std::io::Error| format!("cannot be run: {error}");
    let program = std::env::current_exe().map_err(cannot)?;
    let mut child = Command::new(program)
        .arg("--root")
        .arg(host.path("/"))
        .args(["guard", if is_connection() { "--connection" } else { "--judge" }])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(if is_connection() { Stdio::null() } else { Stdio::inherit() })
        .spawn()
        .map_err(cannot)?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if started.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", patience.as_secs()));
            }
            Err(error) => return Err(cannot(error)),
        }
    }
}

/// Whether standard input is a socket, as in `ssh@.service`: then standard error may lead to the client.
fn is_connection() -> bool {
    fstat(std::io::stdin()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket)
}

/// One line for the journal, whatever standard error is.
pub(super) fn say(text: &str) {
    if !is_connection() {
        journal::say(text);
        return;
    }
    let mut message = Vec::new();
    let _ = write!(
        message,
        "PRIORITY=2\nSYSLOG_IDENTIFIER=hardtack-agent\nMESSAGE={}\n",
        super::state::plain(text)
    );
    if let Ok(socket) = UnixDatagram::unbound() {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to(&message, JOURNAL);
    }
}
