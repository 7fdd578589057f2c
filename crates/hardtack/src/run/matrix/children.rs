//! The processes that build, and what they say.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hardtack_matrix::{Job, Matrix, Outcome, Verdict};
use serde_json::Value;

use super::screen::Screen;
use super::sources::Sources;
use crate::error::CliError;
use crate::run::hidden;
use crate::signals;

/// The longest line of a job that is shown; the rest of it is the next one.
const LONGEST_LINE: u64 = 16 << 10;
/// So much of what a job says is kept: its end.
const MOST_LOG: usize = 256 << 10;
/// A plan of so many bytes is kept; the rest of it is not.
const MOST_OUTPUT: u64 = 64 << 20;

/// What is to be built, and how.
pub(super) struct Children<'a> {
    pub(super) matrix: &'a Matrix,
    /// The numbers of the jobs.
    pub(super) chosen: &'a [usize],
    pub(super) at_once: usize,
    /// Options for all of them.
    pub(super) passed_on: Vec<OsString>,
    pub(super) plan: bool,
    /// Plans are JSON.
    pub(super) json: bool,
}

impl Children<'_> {
    /// Runs all jobs and gives what became of them, in the order of the file.
    pub(super) fn run(self) -> Result<Vec<Outcome>, CliError> {
        let program = hidden::program()?.path;
        let screen = Screen::new(self.chosen.len());
        let sources = Sources::default();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(self.chosen.len()));
        // A process ends with the thread that started it (`signals::end_with_parent`), so these wait for theirs.
        std::thread::scope(|scope| {
            for _ in 0..self.at_once.clamp(1, self.chosen.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let Some(&index) = self.chosen.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            return;
                        };
                        let Some(job) = self.matrix.jobs.get(index) else { continue };
                        screen.began(&job.name);
                        let outcome = self.one(index, job, Command::new(&program), &screen, &sources);
                        screen.ended(&job.name, &outcome);
                        if let Ok(mut done) = done.lock() {
                            done.push(outcome);
                        }
                    }
                });
            }
        });
        screen.close();
        let mut outcomes = done.into_inner().unwrap_or_default();
        outcomes.sort_by_key(|outcome: &Outcome| outcome.index);
        Ok(outcomes)
    }

    fn one(
        &self,
        index: usize,
        job: &Job,
        mut command: Command,
        screen: &Screen,
        sources: &Sources,
    ) -> Outcome {
        let began = Instant::now();
        let mut outcome = Outcome {
            index,
            verdict: Verdict::Failed(crate::error::LOCAL_IO),
            took: began.elapsed(),
            size: None,
            report: Value::Null,
            log: String::new(),
        };
        let ran = sources.check(job).and_then(|()| {
            self.tell(job, &mut command);
            self.watch(job, &mut command, screen)
        });
        match ran {
            Ok(said) => {
                outcome.verdict = match (said.status.code(), said.status.signal()) {
                    (Some(0), _) => Verdict::Done,
                    (Some(code), _) => Verdict::Failed(u8::try_from(code).unwrap_or(u8::MAX)),
                    (None, signal) => Verdict::Killed(signal.unwrap_or_default()),
                };
                outcome.log = said.log;
                let text = String::from_utf8_lossy(&said.output);
                outcome.report = match self.plan && !self.json {
                    true => Value::String(text.into_owned()),
                    false => serde_json::from_str(&text).unwrap_or_default(),
                };
            }
            Err(error) => {
                outcome.verdict = Verdict::Failed(error.exit_code());
                outcome.log = error.report();
                outcome.log.lines().for_each(|line| screen.say(&job.name, line));
            }
        }
        if outcome.verdict == Verdict::Done && !self.plan {
            outcome.size = std::fs::metadata(&job.output).ok().map(|found| found.len());
        }
        outcome.took = began.elapsed();
        outcome
    }

    /// The command line of a job. Secrets are not in it: they come from the environment.
    fn tell(&self, job: &Job, command: &mut Command) {
        command.arg("build").args(&self.passed_on);
        match job.row {
            Some(row) => {
                command.arg(format!("--row={row}"));
            }
            None => {
                let equal = |name: &str, path: &std::path::Path| {
                    let mut argument = OsString::from(name);
                    argument.push(path);
                    argument
                };
                command.arg(equal("--source=", &job.source));
                if !self.plan {
                    command.arg(equal("--output=", &job.output));
                }
                command.args(job.set.iter().map(|(name, value)| format!("--set={name}={value}")));
            }
        }
        if self.plan {
            command.arg("--plan");
        }
        if self.json || !self.plan {
            command.arg("--json");
        }
        command.arg(format!("--parent={}", std::process::id()));
        command.arg("--").arg(&job.recipe);
    }

    fn watch(&self, job: &Job, command: &mut Command, screen: &Screen) -> Result<Said, CliError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = std::path::PathBuf::from(command.get_program());
        let mut child = signals::start(command)
            .map_err(|error| CliError::io(&program, "start this program again", error))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (output, log) = std::thread::scope(|scope| {
            let output = scope.spawn(|| output.map(collect).unwrap_or_default());
            let log = errors.map(|errors| follow(errors, &job.name, screen)).unwrap_or_default();
            (output.join().unwrap_or_default(), log)
        });
        let status =
            signals::wait(&mut child).map_err(|error| CliError::io(&program, "wait for it", error))?;
        Ok(Said { status, output, log })
    }
}

/// What a process came to.
struct Said {
    status: ExitStatus,
    output: Vec<u8>,
    log: String,
}

/// The beginning of what somebody writes, until it ends.
fn collect(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is what there is.
    let _ = from.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    bytes
}

/// Shows lines as they come, and keeps the end of them.
fn follow(from: impl Read, name: &str, screen: &Screen) -> String {
    let mut from = BufReader::new(from);
    let (mut kept, mut length) = (VecDeque::new(), 0);
    loop {
        let mut line = Vec::new();
        match from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        screen.say(name, &line);
        length += line.len() + 1;
        kept.push_back(line);
        while length > MOST_LOG {
            let Some(first) = kept.pop_front() else { break };
            length -= first.len() + 1;
        }
    }
    kept.iter().map(|line| line.as_str().to_owned() + "\n").collect()
}
