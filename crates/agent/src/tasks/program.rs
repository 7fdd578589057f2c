//! Scripts and commands, and where what they print goes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use hardtack_credentials::Task;
use hardtack_credentials::agent_config::TASKS;
use rustix::io::Errno;

use super::LOG;
use crate::error::AgentError;
use crate::execute::run::Tail;
use crate::host::Host;

/// Where programs are found.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Exit status and signal.
pub(super) type Ended = (Option<i32>, Option<i32>);

/// The log, and where the task's part of it begins.
pub(super) struct Output {
    file: File,
    start: u64,
}

impl Output {
    /// Opens the log, 0600, and heads the task's part.
    pub(super) fn open(host: &Host, task: &Task, begun: &str) -> Result<Self, AgentError> {
        let path = host.path(LOG);
        let open = || -> std::io::Result<Self> {
            if let Some(above) = path.parent() {
                std::fs::create_dir_all(above)?;
            }
            let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path)?;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(format!("== {begun} {} {}\n", task.kind.name(), task.name).as_bytes())?;
            let start = file.metadata()?.len();
            Ok(Self { file, start })
        };
        open().map_err(|error| AgentError::io("write", &path, error))
    }

    /// A sentence of the agent's own.
    pub(super) fn say(&mut self, text: &str) {
        let _ = self.file.write_all(format!("hardtack-agent: {text}\n").as_bytes());
    }

    /// The end of what the task has printed so far.
    pub(super) fn tail(&self) -> String {
        let mut tail = Tail::default();
        let mut bytes = [0; 4096];
        let length = self.file.metadata().map_or(0, |known| known.len());
        let from = length.saturating_sub(bytes.len() as u64).max(self.start);
        let read = self.file.read_at(&mut bytes, from).unwrap_or_default();
        tail.push(bytes.get(..read).unwrap_or_default());
        tail.text()
    }

    /// Has `command` print here. It reads nothing.
    pub(super) fn give(&self, command: &mut Command) -> Result<(), AgentError> {
        let share = || self.file.try_clone().map(Stdio::from);
        let failed = |error| AgentError::text(format!("{LOG} cannot be shared: {error}"));
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", "/root")
            .env("USER", "root")
            .env("SHELL", "/bin/sh")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(share().map_err(failed)?)
            .stderr(share().map_err(failed)?);
        Ok(())
    }
}

/// As the record has it.
pub(super) fn ended(status: ExitStatus) -> Ended {
    (status.code(), status.signal())
}

/// Runs a script or a command, for as long as it wants.
pub(super) fn run(host: &Host, task: &Task, output: &mut Output) -> Result<Ended, AgentError> {
    let path = host.path(&format!("{TASKS}/{}", task.name));
    let start = |mut command: Command| -> Result<_, AgentError> {
        output.give(&mut command)?;
        Ok(command.env("HARDTACK_TASK", &task.name).status())
    };
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound if path.exists() => {
            AgentError::text("the program that its first line names is not in the image")
        }
        _ => AgentError::io("run", &path, error),
    };
    match start(Command::new(&path))? {
        Ok(status) => Ok(ended(status)),
        // No first line that the kernel knows, or a file system on which nothing may be executed.
        Err(error)
            if [Errno::NOEXEC, Errno::ACCESS]
                .iter()
                .any(|one| error.raw_os_error() == Some(one.raw_os_error())) =>
        {
            let line = first_line(&path);
            let (program, argument) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
            let mut command = Command::new(if program.is_empty() { "/bin/sh" } else { program });
            if !argument.is_empty() {
                command.arg(argument.trim());
            }
            command.arg(&path);
            start(command)?.map(ended).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// What stands behind the `#!` of the first line; empty where there is none.
fn first_line(path: &Path) -> String {
    let mut head = [0; 256];
    let read = File::open(path).and_then(|file| file.read_at(&mut head, 0)).unwrap_or_default();
    let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default());
    head.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_default().trim().to_owned()
}
