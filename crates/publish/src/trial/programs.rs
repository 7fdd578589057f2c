//! Programs of this machine that look at a trial's machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use hardtack_cloud::Environment;

use super::{Check, Machine, Trial, failed, over};
use crate::Error;

/// Between two looks at a program.
const LOOK: Duration = Duration::from_millis(200);

/// Runs `command` until it ends or time is up. What it prints goes to this program's error stream.
pub(super) fn run(
    command: &[String],
    machine: &mut dyn Machine,
    trial: &Trial,
    console: &Path,
    deadline: Option<SystemTime>,
    environment: &Environment,
) -> Result<(), Error> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let id = machine.id();
    let mut prepared = Command::new(program);
    prepared
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .env("HARDTACK_INSTANCE", &id)
        .env("HARDTACK_CONSOLE", console);
    let mut ports: Vec<u16> = vec![22];
    ports.extend(trial.checks.iter().filter_map(|check| match check {
        Check::Port(port) => Some(*port),
        _ => None,
    }));
    for port in ports {
        if let Some((host, at)) = machine.port(port)? {
            prepared.env("HARDTACK_ADDRESS", host).env(format!("HARDTACK_PORT_{port}"), at.to_string());
        }
    }
    let fail = |error| Error::file(Path::new(program), "run it", error);
    let mut child = prepared.spawn().map_err(fail)?;
    loop {
        if let Some(status) = child.try_wait().map_err(fail)? {
            return if status.success() {
                Ok(())
            } else {
                Err(failed(&id, &format!("{program} ended with {status}"), console))
            };
        }
        if over(deadline, environment) {
            // It may have ended in this moment.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(&id, &format!("{program} has not ended in time"), console));
        }
        (environment.sleep)(LOOK);
    }
}
