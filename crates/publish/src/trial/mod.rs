//! `install --test FILE`: one machine is started of an image and looked at, before the image is announced.
//!
//! [`Trial`] says what is looked for, [`Machine`] is what is looked at: an instance of a [cloud](on_cloud), or
//! [QEMU](on_qemu) on this machine. Whatever comes of it, the machine is stopped.

mod cloud;
mod programs;
mod qemu;
mod seed;

use std::io::Read as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hardtack_cloud::Environment;

use crate::{Error, Teller};

pub use cloud::on_cloud;
pub use qemu::{LocalMachine, check_qemu, on_qemu};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// A port that does not answer in this time does not answer.
const ANSWER: Duration = Duration::from_secs(5);
/// SSH's servers speak first.
const SSH: u16 = 22;

/// What is tried.
#[derive(Clone)]
pub struct Trial {
    /// User-data of the machine. It may have secrets.
    pub user_data: Vec<u8>,
    /// The type of a cloud's instance.
    pub instance_type: String,
    /// The key pair.
    pub key_name: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// Ids of security groups.
    pub groups: Vec<String>,
    /// A public address: yes, no, or as the subnet says.
    pub public_address: Option<bool>,
    /// All of it together.
    pub timeout: Duration,
    /// All of them must pass.
    pub checks: Vec<Check>,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let checks: Vec<String> = self.checks.iter().map(Check::describe).collect();
        formatter.debug_struct("Trial").field("checks", &checks).finish_non_exhaustive()
    }
}

/// Looks for something in the text of a console.
pub type Finder = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// One check.
#[derive(Clone)]
pub enum Check {
    /// The console says something.
    Console {
        /// What, for people: "the console says /login:/".
        what: String,
        /// Finds it.
        found: Finder,
    },
    /// A TCP port answers.
    Port(u16),
    /// A program of this machine ends with 0. It runs when all else has passed.
    Run(Vec<String>),
}

impl Check {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Console { what, .. } => what.clone(),
            Self::Port(port) => format!("port {port} answers"),
            Self::Run(command) => {
                let program = command.first().map_or("", String::as_str);
                format!("the program {program} ends with 0")
            }
        }
    }
}

/// A machine that is looked at.
pub trait Machine {
    /// `i-…`, or the image's id.
    fn id(&self) -> String;

    /// All that its console has said so far.
    fn console(&mut self) -> Result<String, Error>;

    /// Why it is not there any more, if that is so.
    fn ended(&mut self) -> Result<Option<String>, Error>;

    /// Where a port of it is found from here.
    fn port(&mut self, port: u16) -> Result<Option<(String, u16)>, Error>;
}

/// Looks at `machine` until every check has passed. Its console is kept in `console`, which its owner alone can read.
pub(crate) fn watch(
    machine: &mut dyn Machine,
    trial: &Trial,
    console: &Path,
    environment: &Environment,
    tell: &dyn Teller,
) -> Result<(), Error> {
    let deadline = (environment.now)().checked_add(trial.timeout);
    let (mut open, programs): (Vec<&Check>, Vec<&Check>) =
        trial.checks.iter().partition(|check| !matches!(check, Check::Run(_)));
    loop {
        let said = machine.console()?;
        keep(console, &said)?;
        let mut left = Vec::new();
        for check in open {
            if !passes(check, &said, machine)? {
                left.push(check);
            }
        }
        open = left;
        let Some(next) = open.first().map(|check| check.describe()) else { break };
        let id = machine.id();
        if let Some(why) = machine.ended()? {
            return Err(failed(&id, &format!("it ended ({why}) before {next}"), console));
        }
        if over(deadline, environment) {
            let seconds = trial.timeout.as_secs();
            return Err(failed(&id, &format!("after {seconds} s it is not so that {next}"), console));
        }
        let (passed, all) = (trial.checks.len() - open.len() - programs.len(), trial.checks.len());
        tell.waiting(&format!("{id}: {passed} of {all} checks have passed; looking whether {next}"));
        (environment.sleep)(PAUSE);
    }
    for check in programs {
        if let Check::Run(command) = check {
            programs::run(command, machine, trial, console, deadline, environment)?;
        }
    }
    tell.note(&format!("{}: all checks have passed: {}", machine.id(), trial.checks.len()));
    // It may hold credentials, and nobody needs it any more.
    let _ = std::fs::remove_file(console);
    Ok(())
}

/// Where the console's text is kept during a run with this journal: beside it, and never in its place.
pub fn console_of(journal: &Path) -> PathBuf {
    let extension = journal.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("console" | "seed" | "serial") => journal.with_extension("test.console"),
        _ => journal.with_extension("console"),
    }
}

fn failed(id: &str, what: &str, console: &Path) -> Error {
    Error::No(format!("{id} fails the test: {what}; its console is in {}", console.display()))
}

fn over(deadline: Option<SystemTime>, environment: &Environment) -> bool {
    deadline.is_some_and(|deadline| (environment.now)() >= deadline)
}

fn passes(check: &Check, console: &str, machine: &mut dyn Machine) -> Result<bool, Error> {
    match check {
        Check::Console { found, .. } => Ok(found(console)),
        Check::Port(port) => {
            Ok(machine.port(*port)?.is_some_and(|(host, at)| answers(&host, at, *port == SSH)))
        }
        Check::Run(_) => Ok(true),
    }
}

/// Somebody is behind the port. QEMU's own network takes every connection, and ends those that nobody takes in the
/// machine; so a connection must last, or bring something.
fn answers(host: &str, port: u16, speaks_first: bool) -> bool {
    let Ok(mut addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.any(|address| {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, ANSWER) else { return false };
        if stream.set_read_timeout(Some(ANSWER)).is_err() {
            return false;
        }
        match stream.read(&mut [0; 1]) {
            Ok(count) => count > 0,
            Err(error) => {
                let waits =
                    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                waits && !speaks_first
            }
        }
    })
}

/// Writes the console's text where people find it.
fn keep(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let fail = |error| Error::file(path, "write the console's text", error);
    let options = || {
        let mut options = std::fs::OpenOptions::new();
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
        options
    };
    let mut file = options().open(path).map_err(fail)?;
    // One that an earlier program left may be open to all.
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests;
