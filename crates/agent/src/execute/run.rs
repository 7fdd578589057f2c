//! Programs (`cloudinit/subp.py`).
//!
//! What user-data asks for prints where people look, as it comes; what the agent needs for itself is quiet
//! unless it fails. Nobody waits for the end of output: a program is over when it has ended, whatever it left in
//! the background. (cloud-init waits for the end where it captures output, and then hangs.)

use std::io::{ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hardtack_modules::Content;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::Execution;
use crate::error::AgentError;
use crate::host::Host;
use crate::log::{Log, Seen};
use crate::record::CommandRecord;

/// How long a program of the agent's own may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// How much of a program's output is kept.
const TAIL: usize = 2 << 10;
/// How much of the output of a program of the agent's own is kept.
const MOST: usize = 1 << 20;
/// Where services find programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A kernel that cannot tell of a program's end is asked so often.
const LOOK: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(60);

/// Modules whose programs print for people, as with `capture=False` in cloud-init.
const SHOWN: [&str; 6] =
    ["bootcmd", "consume_data", "package_update_upgrade_install", "ca_certs", "locale", "ssh_import_id"];
/// Those of them whose programs user-data itself brings: each is in the report.
const OF_USERS: [&str; 2] = ["bootcmd", "consume_data"];

/// What to run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Program<'a> {
    pub(crate) argv: &'a [&'a str],
    pub(crate) stdin: Option<&'a [u8]>,
    pub(crate) environment: &'a [(String, String)],
    /// `None`: as long as it wants.
    pub(crate) patience: Option<Duration>,
}

/// What a program came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) milliseconds: u64,
    /// Up to 1 MiB.
    pub(crate) stdout: Vec<u8>,
    /// It said something on its standard error, where that was kept.
    pub(crate) complained: bool,
    /// The end of it, for messages; of both outputs where they were shown.
    pub(crate) tail: Tail,
}

impl Ended {
    /// Its standard output.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The last bytes of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(TAIL);
        self.0.extend_from_slice(bytes.get(from..).unwrap_or_default());
        let surplus = self.0.len().saturating_sub(TAIL);
        self.0.drain(..surplus);
    }

    pub(crate) fn text(&self) -> String {
        // A character that was cut is left out.
        let cut = self.0.len() == TAIL;
        let skip = self.0.iter().take(3).take_while(|byte| cut && (**byte & 0xc0) == 0x80).count();
        String::from_utf8_lossy(self.0.get(skip..).unwrap_or_default()).into_owned()
    }

    /// The last line that says something.
    pub(crate) fn last_line(&self) -> Option<String> {
        self.text().lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

/// Carries out [`Action::Run`](hardtack_modules::Action::Run).
pub(super) fn run(
    cx: &mut Execution<'_>,
    argv: &[String],
    stdin: Option<&Content>,
    environment: &[(String, String)],
) -> Result<(), AgentError> {
    if cx.module == "bootcmd" && super::scripts::bootcmd(cx, argv, environment)? {
        return Ok(());
    }
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let shown = SHOWN.contains(&cx.module);
    let program = Program {
        argv: &argv,
        stdin: stdin.map(|content| &content.bytes[..]),
        environment,
        patience: (!shown).then_some(PATIENCE),
    };
    let name = argv.first().copied().unwrap_or_default().to_owned();
    let done = allowed(cx.host, &program)
        .and_then(|()| if shown { show(cx.log, &program) } else { capture_anywhere(cx.log, &program) });
    if OF_USERS.contains(&cx.module) {
        cx.record.commands.push(command_record(cx.module, name.clone(), &done));
    }
    let ended = done?;
    if ended.status.success() {
        return Ok(());
    }
    if OF_USERS.contains(&cx.module) {
        return Err(failed(&name, &ended));
    }
    let secret = stdin.filter(|content| content.secret).map(|content| &content.bytes[..]);
    Err(failure(&name, &ended, secret))
}

/// One sentence on a program of the user-data that failed. What it printed stands in the output's file and in the
/// report, and not here: this goes into the status, which is everybody's to read.
pub(super) fn failed(name: &str, ended: &Ended) -> AgentError {
    AgentError::text(format!("{name} {}", how(ended.status)))
}

/// One sentence on a program that failed; without what it printed, where that repeats a secret it was given.
pub(crate) fn failure(name: &str, ended: &Ended, secret: Option<&[u8]>) -> AgentError {
    let said = ended.tail.last_line().filter(|line| !secret.is_some_and(|secret| repeats(line, secret)));
    let how = how(ended.status);
    AgentError::text(match said {
        Some(line) => format!("{name} {how}: {line}"),
        None => format!("{name} {how}"),
    })
}

/// Whether a line has a word of a secret in it.
fn repeats(line: &str, secret: &[u8]) -> bool {
    let secret = String::from_utf8_lossy(secret);
    secret.lines().map(|entry| entry.split_once(':').map_or(entry, |(_, word)| word)).any(|word| {
        let word = word.trim();
        !word.is_empty() && line.contains(word)
    })
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "has not ended".to_owned(),
    }
}

/// A line of the report.
pub(super) fn command_record(module: &str, name: String, done: &Result<Ended, AgentError>) -> CommandRecord {
    let mut record = CommandRecord { module: module.to_owned(), name, ..CommandRecord::default() };
    match done {
        Ok(ended) => {
            record.status = ended.status.code();
            record.note = ended.status.signal().map(|signal| format!("ended by signal {signal}"));
            record.milliseconds = ended.milliseconds;
            record.tail = ended.tail.text();
        }
        Err(error) => record.note = Some(error.to_string()),
    }
    record
}

/// Runs a program whose output goes where people look.
pub(crate) fn show(log: &Log, program: &Program<'_>) -> Result<Ended, AgentError> {
    let mut tail = Tail::default();
    let (status, milliseconds) = show_seen(log, program, &mut |seen| {
        if let Seen::Output(bytes) = seen {
            tail.push(bytes);
        }
    })?;
    Ok(Ended { status, milliseconds, stdout: Vec::new(), complained: false, tail })
}

/// The same; `see` sees what comes.
pub(super) fn show_seen(
    log: &Log,
    program: &Program<'_>,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<(ExitStatus, u64), AgentError> {
    // What is there already is not this program's.
    log.forward(&mut |_| ());
    let (out, error) = log.writers().map_err(|error| cannot(program, &error))?;
    let started = Instant::now();
    let mut child = spawn(program, out.into(), error.into())?;
    let status = wait(log, program, &mut child, &mut [], see)?;
    // More than a pipe holds: what comes behind that is of something left in the background.
    log.forward(see);
    Ok((status, milliseconds(started)))
}

/// Runs a program and keeps what it prints, up to 1 MiB.
pub(crate) fn capture(host: &Host, log: &Log, program: &Program<'_>) -> Result<Ended, AgentError> {
    allowed(host, program)?;
    capture_anywhere(log, program)
}

/// The same, also where `/` is not the machine that is worked on.
pub(super) fn capture_anywhere(log: &Log, program: &Program<'_>) -> Result<Ended, AgentError> {
    start(program)?.finish(log, program)
}

/// Below another root than `/` nothing is run: it would change the machine that is running.
pub(super) fn allowed(host: &Host, program: &Program<'_>) -> Result<(), AgentError> {
    if host.is_live() {
        return Ok(());
    }
    let name = program.argv.first().copied().unwrap_or_default();
    Err(AgentError::text(format!(
        "{name} is not run: {} is not the running machine",
        host.path("").display()
    )))
}

/// A program whose output is kept.
pub(super) struct Started {
    child: Child,
    out: Option<PipeReader>,
    error: Option<PipeReader>,
    started: Instant,
}

/// Starts a program whose output is kept.
pub(super) fn start(program: &Program<'_>) -> Result<Started, AgentError> {
    let pipe = || -> std::io::Result<_> {
        let (reader, writer) = std::io::pipe()?;
        let flags = fcntl_getfl(&reader)? | OFlags::NONBLOCK;
        fcntl_setfl(&reader, flags)?;
        Ok((reader, writer))
    };
    let (out, out_writer) = pipe().map_err(|error| cannot(program, &error))?;
    let (error, error_writer) = pipe().map_err(|error| cannot(program, &error))?;
    let started = Instant::now();
    let child = spawn(program, out_writer.into(), error_writer.into())?;
    Ok(Started { child, out: Some(out), error: Some(error), started })
}

impl Started {
    /// Waits for its end.
    pub(super) fn finish(self, log: &Log, program: &Program<'_>) -> Result<Ended, AgentError> {
        self.finish_seen(log, program, &mut |_| ())
    }

    /// The same; `output` sees all of its standard output, also what is not kept.
    pub(super) fn finish_seen(
        mut self,
        log: &Log,
        program: &Program<'_>,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Ended, AgentError> {
        let mut stdout = Vec::new();
        let mut tail = Tail::default();
        let mut errors = Tail::default();
        let mut pipes = [self.out.take(), self.error.take()];
        let mut see = |index: usize, bytes: &[u8]| {
            tail.push(bytes);
            if index == 0 {
                output(bytes);
                let room = MOST.saturating_sub(stdout.len()).min(bytes.len());
                stdout.extend_from_slice(bytes.get(..room).unwrap_or_default());
            } else {
                errors.push(bytes);
            }
        };
        let status = {
            let mut quiet = |_: Seen<'_>| ();
            wait_with(log, program, &mut self.child, &mut pipes, &mut see, &mut quiet)?
        };
        // What is wrong stands on the standard error, if anything stands there.
        let complained = !errors.0.is_empty();
        let tail = if errors.last_line().is_some() { errors } else { tail };
        Ok(Ended { status, milliseconds: milliseconds(self.started), stdout, complained, tail })
    }
}

fn milliseconds(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn cannot(program: &Program<'_>, error: &std::io::Error) -> AgentError {
    let name = program.argv.first().copied().unwrap_or_default();
    AgentError::text(format!("{name} cannot be run: {error}"))
}

/// Starts a program: at the root directory, with the agent's own environment, which is a service's.
fn spawn(program: &Program<'_>, out: Stdio, error: Stdio) -> Result<Child, AgentError> {
    let Some((name, arguments)) = program.argv.split_first() else {
        return Err(AgentError::text("there is no program to run"));
    };
    let mut command = Command::new(name);
    command
        .args(arguments)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(if program.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(out)
        .stderr(error);
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", PATH);
    }
    let mut child = command.spawn().map_err(|error| cannot(program, &error))?;
    if let (Some(bytes), Some(mut pipe)) = (program.stdin, child.stdin.take()) {
        let bytes = bytes.to_vec();
        if bytes.len() <= 4096 {
            // Fits into any pipe.
            let _ = pipe.write_all(&bytes);
        } else {
            // It may print much before it reads.
            std::thread::spawn(move || pipe.write_all(&bytes));
        }
    }
    Ok(child)
}

fn wait(
    log: &Log,
    program: &Program<'_>,
    child: &mut Child,
    pipes: &mut [Option<PipeReader>],
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<ExitStatus, AgentError> {
    wait_with(log, program, child, pipes, &mut |_, _| (), see)
}

/// Waits for the end of `child`, reading what comes through `pipes` and through the log's.
fn wait_with(
    log: &Log,
    program: &Program<'_>,
    child: &mut Child,
    pipes: &mut [Option<PipeReader>],
    see: &mut dyn FnMut(usize, &[u8]),
    see_log: &mut dyn FnMut(Seen<'_>),
) -> Result<ExitStatus, AgentError> {
    let started = Instant::now();
    let end = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let end: Option<OwnedFd> = end.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let mut killed = false;
    loop {
        let left = program.patience.map_or(LONG, |patience| patience.saturating_sub(started.elapsed()));
        let status = child.try_wait().map_err(|error| cannot(program, &error))?;
        if status.is_none() {
            let others: Vec<BorrowedFd<'_>> =
                end.iter().map(AsFd::as_fd).chain(pipes.iter().flatten().map(AsFd::as_fd)).collect();
            log.wait(&others, if end.is_some() { left.min(LONG) } else { left.min(LOOK) });
        }
        for (index, pipe) in pipes.iter_mut().enumerate() {
            drain(pipe, &mut |bytes| see(index, bytes));
        }
        log.forward(see_log);
        if let Some(status) = status {
            if killed {
                return Err(AgentError::text(format!(
                    "{} was ended: it had not come to an end within {} s",
                    program.argv.first().copied().unwrap_or_default(),
                    program.patience.unwrap_or_default().as_secs()
                )));
            }
            return Ok(status);
        }
        if !killed && program.patience.is_some_and(|patience| started.elapsed() >= patience) {
            killed = true;
            let _ = child.kill();
        }
    }
}

/// Reads what is there; at the end the pipe is put away.
fn drain(pipe: &mut Option<PipeReader>, see: &mut dyn FnMut(&[u8])) {
    let mut buffer = [0; 16 << 10];
    for _ in 0..16 {
        let Some(reader) = pipe else { return };
        match reader.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(count) => see(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
