//! Small programs of the image that are asked something: what they print is read, and nothing is waited for
//! without end.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::AgentError;
use crate::host::Host;

/// For what looks at a disk or asks a daemon.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// For what writes a disk: making or growing a file system on a slow one takes its time.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(1800);
/// Where services find programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// More of what a program prints is read and forgotten.
const KEPT: u64 = 1 << 20;

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(super) struct Done {
    /// Exit status; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// Below another root than `/` nothing is done to disks, packages or power: they are the running machine's.
pub(super) fn only_live(host: &Host, what: &str) -> Result<(), AgentError> {
    if host.is_live() {
        return Ok(());
    }
    Err(AgentError::text(format!(
        "{what} is left out: {} is not the running machine",
        host.path("").display()
    )))
}

/// Runs a program in the C locale and waits for it.
pub(super) fn ask(
    argv: &[&str],
    environment: &[(&str, &str)],
    stdin: Option<&[u8]>,
    patience: Duration,
) -> Result<Done, AgentError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(AgentError::text("no program is named: nothing is run"));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("LANG", "C")
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .envs(environment.iter().copied())
        .current_dir("/")
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| AgentError::text(format!("cannot run {program}: {error}")))?;
    let deadline = Instant::now() + patience;
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
    if let (Some(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
        // A program that does not read it says why by its status.
        let _ = pipe.write_all(bytes);
    }
    let out = until(&out, deadline);
    let err = until(&err, deadline);
    let code = ended(&mut child, deadline).ok_or_else(|| {
        AgentError::text(format!("{program} did not end within {} s and was stopped", patience.as_secs()))
    })?;
    Ok(Done { code, out, err })
}

/// As [`ask`]; any status but 0 is an error.
pub(super) fn must(argv: &[&str], stdin: Option<&[u8]>, patience: Duration) -> Result<Done, AgentError> {
    let done = ask(argv, &[], stdin, patience)?;
    match done.code {
        Some(0) => Ok(done),
        _ => Err(AgentError::text(format!("{}: {}", argv.join(" "), done.why()))),
    }
}

impl Done {
    /// Why it failed, in its own last words.
    pub(super) fn why(&self) -> String {
        let status =
            self.code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit status {code}"));
        let last = |text: &str| text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        match last(&self.err).or_else(|| last(&self.out)) {
            Some(line) => format!("{status} ({line})"),
            None => status,
        }
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    receiver
}

fn until(receiver: &Receiver<String>, deadline: Instant) -> String {
    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_default()
}

/// The status once it has ended; `None` when it had to be stopped.
fn ended(child: &mut Child, deadline: Instant) -> Option<Option<i32>> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.code()),
            Ok(None) if Instant::now() < deadline => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn output_and_status_come_back() {
        let done = ask(&["sh", "-c", "cat; echo no >&2; exit 3"], &[], Some(b"yes"), PATIENCE).unwrap();
        assert_eq!((done.code, done.out.as_str()), (Some(3), "yes"));
        assert_eq!(done.why(), "exit status 3 (no)");
        assert!(must(&["false"], None, PATIENCE).unwrap_err().to_string().contains("exit status 1"));
        assert!(ask(&["/no/such"], &[], None, PATIENCE).is_err());
    }

    #[test]
    fn nothing_is_waited_for_without_end() {
        let error = ask(&["sleep", "1000"], &[], None, Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("was stopped"), "{error}");
    }
}
