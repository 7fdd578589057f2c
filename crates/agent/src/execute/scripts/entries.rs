//! Running the entries of `runcmd` and `bootcmd`, and noting what became of each.

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use super::split::{self, Entry};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::execute::run::{self, Ended, PATIENCE, Program, Tail};
use crate::log::{Filter, Seen};
use crate::record::CommandRecord;

/// More entries than this are run as a whole: their marks would be more than their output.
const MOST: usize = 2000;

/// What is known of an entry while it runs.
struct Running {
    status: Option<i32>,
    milliseconds: u64,
    tail: Tail,
}

/// Runs the script `path`, which consists of `entries`; `program` runs it as it is.
pub(super) fn run(
    cx: &mut Execution<'_>,
    name: &str,
    entries: &[Entry],
    path: &str,
    program: &Program<'_>,
) -> Result<(), AgentError> {
    let copy = if marks_are_right(cx, entries) { copy(cx, name, entries) } else { None };
    let Some(Copy { file, nonce }) = copy else {
        let done = run::show(cx.log, program);
        cx.record.commands.push(run::command_record(cx.module, name.to_owned(), &done));
        return super::succeeded(name, done);
    };
    let shell = program.argv.first().copied().unwrap_or("/bin/sh");
    let argv = [shell, file.as_str()];
    let mut done: Vec<Running> = Vec::with_capacity(entries.len());
    let mut tail = Tail::default();
    let mut whole = Tail::default();
    let mut began = Instant::now();
    let mut see = |seen: Seen<'_>| match seen {
        Seen::Output(bytes) => {
            tail.push(bytes);
            whole.push(bytes);
        }
        Seen::Mark(words) => {
            let mut words = words.split(' ').map(str::parse::<i32>);
            let number = words.next().and_then(Result::ok).and_then(|number| usize::try_from(number).ok());
            // In order, each once: a copy of the shell in the background has no part in it.
            if number != Some(done.len()) {
                return;
            }
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            began = Instant::now();
            done.push(Running {
                status: words.next().and_then(Result::ok),
                milliseconds,
                tail: std::mem::take(&mut tail),
            });
        }
    };
    cx.log.look_for(Some(Filter::new(&nonce, Some((file.clone(), path.to_owned())))), &mut |_| ());
    let ended = run::show_seen(cx.log, &Program { argv: &argv, ..*program }, &mut see);
    cx.log.look_for(None, &mut see);
    let left = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let _ = std::fs::remove_file(&file);
    let (status, milliseconds) = ended?;
    let reached = done.len();
    let mut records: Vec<CommandRecord> = Vec::with_capacity(entries.len());
    for (number, entry) in entries.iter().enumerate() {
        let mut record = CommandRecord {
            module: cx.module.to_owned(),
            name: format!("{name}[{}]", entry.index),
            ..CommandRecord::default()
        };
        if let Some(running) = done.get(number) {
            record.status = running.status;
            record.milliseconds = running.milliseconds;
            record.tail = running.tail.text();
        } else if number == reached {
            // The one that ended the shell.
            record.status = status.code();
            record.note = Some(match status.signal() {
                Some(signal) => format!("the script was ended by signal {signal} here"),
                None => "the script ended here".to_owned(),
            });
            record.milliseconds = left;
            record.tail = tail.text();
        } else {
            record.note = Some("not reached: the script ended before".to_owned());
        }
        records.push(record);
    }
    cx.record.commands.extend(records);
    let ended = Ended { status, milliseconds, stdout: Vec::new(), complained: false, tail: whole };
    super::succeeded(name, Ok(ended))
}

/// Whether the shell finds that every entry stands on its own.
fn marks_are_right(cx: &Execution<'_>, entries: &[Entry]) -> bool {
    if entries.is_empty() || entries.len() > MOST || !split::may_be_marked(entries) {
        return false;
    }
    split::probes(entries).iter().all(|(script, right)| {
        let argv = ["/bin/sh", "-n"];
        let program = Program {
            argv: &argv,
            stdin: Some(script.as_bytes()),
            patience: Some(PATIENCE),
            ..Program::default()
        };
        run::capture_anywhere(cx.log, &program).is_ok_and(|ended| ended.status.success() == *right)
    })
}

/// A copy with marks.
struct Copy {
    file: String,
    nonce: String,
}

/// Writes it, for root alone. Where that does not work the script runs as it is.
fn copy(cx: &Execution<'_>, name: &str, entries: &[Entry]) -> Option<Copy> {
    let mut random = [0; 8];
    crate::random::fill(&mut random).ok()?;
    let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let pipe = format!("/proc/{}/fd/{}", std::process::id(), cx.log.writer_number().ok()?);
    let directory = format!("{}/entries", crate::config::RUNTIME);
    crate::config::directory(cx.host, crate::config::RUNTIME).ok()?;
    crate::config::directory(cx.host, &directory).ok()?;
    let file = cx.host.path(&format!("{directory}/{nonce}-{name}"));
    let text = split::marked(entries, &nonce, &pipe);
    crate::accounts::replace(&file, text.as_bytes(), 0o600, None).ok()?;
    Some(Copy { file: file.to_str()?.to_owned(), nonce })
}
