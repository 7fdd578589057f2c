//! Small programs of the image that are asked something about disks and packages: [`run`], in the C
//! locale, with a deadline.

use std::time::Duration;

use crate::error::AgentError;
use crate::execute::run::{self, Program};
use crate::host::Host;
use crate::log::Log;

/// For what looks at a disk or asks a daemon.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// For what writes a disk: making or growing a file system on a slow one takes its time.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(1800);

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(super) struct Done {
    /// Exit status; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    /// Up to 1 MiB.
    pub(super) out: String,
    /// Its last words.
    said: Option<String>,
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
    let plain = [("LANG", "C"), ("LC_ALL", "C")];
    let environment: Vec<(String, String)> = plain
        .iter()
        .chain(environment)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let program = Program { argv, stdin, environment: &environment, patience: Some(patience) };
    let ended = run::capture_anywhere(&Log::default(), &program)?;
    Ok(Done { code: ended.status.code(), out: ended.text(), said: ended.tail.last_line() })
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
        match &self.said {
            Some(line) => format!("{status} ({line})"),
            None => status,
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
        // Something in the background keeps the output, and nobody reads what is given.
        let many = vec![b'x'; 1 << 20];
        let done = ask(&["sh", "-c", "sleep 1000 & echo $!"], &[], Some(&many), PATIENCE).unwrap();
        must(&["kill", done.out.trim()], None, PATIENCE).unwrap();
        let error = ask(&["sleep", "1000"], &[], None, Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("was ended"), "{error}");
    }
}
