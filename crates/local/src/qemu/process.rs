//! QEMU as a child process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hardtack_cloud::Environment;

use super::{QEMU, find};
use crate::Error;

/// How QEMU is started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its arguments.
    pub arguments: &'a [String],
    /// Its working directory; this process's where there is none.
    pub directory: Option<&'a Path>,
    /// Where it says what went wrong; this process's standard error where there is none.
    pub errors: Option<std::fs::File>,
}

impl Start<'_> {
    /// Starts it. It ends with the thread that calls this.
    ///
    /// # Errors
    /// It is not in PATH.
    pub fn spawn(self, environment: &Environment) -> Result<Child, Error> {
        let qemu = find(QEMU, environment).unwrap_or_else(|| PathBuf::from(QEMU));
        let mut command = match find("setpriv", environment) {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(&qemu);
                command
            }
            None => Command::new(&qemu),
        };
        for name in environment.variables.keys().filter(|name| is_secret(name)) {
            command.env_remove(name);
        }
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        if let Some(errors) = self.errors {
            command.stderr(errors);
        }
        command
            .args(self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| Error::file(&qemu, "start it", error))
    }
}

/// A variable of the environment that may hold a key or a password, which QEMU needs none of.
pub fn is_secret(name: &str) -> bool {
    const PARTS: &[&str] = &["SECRET", "TOKEN", "PASS", "PWD", "KEY", "CREDENTIAL", "AUTH"];
    let name = name.to_ascii_uppercase();
    !matches!(name.as_str(), "PWD" | "OLDPWD") && PARTS.iter().any(|part| name.contains(part))
}

/// Looks whether a port of 127.0.0.1 can be had, which the guest's port `guest` is to be found at.
///
/// # Errors
/// Somebody has it; it needs privilege.
pub fn can_listen(port: u16, guest: u16) -> Result<(), Error> {
    match std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(no_port(port, guest, error.kind() == std::io::ErrorKind::PermissionDenied)),
    }
}

/// A port that cannot be had.
pub(crate) fn no_port(port: u16, guest: u16, privileged: bool) -> Error {
    Error::Usage(match privileged {
        true => format!(
            "port {port} of 127.0.0.1 needs privilege, as ports below 1024 do (net.ipv4.ip_unprivileged_port_start); give \
             another one, as --port {}:{guest}, or let one be chosen: --port {guest}",
            8000_u16.saturating_add(port)
        ),
        false => format!(
            "port {port} of 127.0.0.1 is in use; give another one, or let one be chosen: --port {guest}"
        ),
    })
}

/// A port that nobody listens at just now.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16, Error> {
    let fail = |error| Error::file(Path::new("127.0.0.1"), "find a free port at it", error);
    Ok(TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map_err(fail)?.port())
}
