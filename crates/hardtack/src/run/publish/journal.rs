//! The journal of a run: opened, named when the run ends badly, finished.

use std::path::{Path, PathBuf};

use hardtack_cloud::Environment;
use hardtack_publish::journal::{Header, Journal};
use serde_json::Value;

use crate::error::CliError;
use crate::signals;

/// A journal that is open.
pub(crate) struct Session {
    /// The journal.
    pub(crate) journal: Journal,
    path: PathBuf,
    /// What people are told to do to go on.
    again: String,
}

/// `NAME` and `suffix` in the current directory, when no other file is named.
pub(crate) fn default_path(given: Option<&Path>, name: &str, suffix: &str) -> PathBuf {
    let file: String = name.chars().map(|char| if matches!(char, '/' | '\0') { '-' } else { char }).collect();
    // A name may begin with a hyphen or a dot; a path that begins with a directory does not look like an option.
    given.map_or_else(|| Path::new(".").join(format!("{file}.{suffix}")), Path::to_owned)
}

impl Session {
    /// Opens or begins the journal. From now on Ctrl-C names it.
    pub(crate) fn open(path: &Path, header: &Header, environment: &Environment) -> Result<Self, CliError> {
        Self::open_named(path, header, environment, "run the same command again to go on where it was")
    }

    /// The same; `again` says how to go on.
    pub(crate) fn open_named(
        path: &Path,
        header: &Header,
        environment: &Environment,
        again: &str,
    ) -> Result<Self, CliError> {
        let journal = Journal::open(path, header, environment)?;
        signals::name_journal(path, again);
        Ok(Self { journal, path: path.to_owned(), again: again.to_owned() })
    }

    /// What an earlier run with this journal came to.
    pub(crate) fn result(&self) -> Option<Value> {
        self.journal.result()
    }

    /// Runs `work`, and finishes the journal with what it gives. When it fails: without anything made the journal is
    /// removed again, else the error says how to go on.
    pub(crate) fn run(
        self,
        work: impl FnOnce(&Journal) -> Result<Value, CliError>,
    ) -> Result<Value, CliError> {
        let done = work(&self.journal).and_then(|result| {
            self.journal.finish(&result)?;
            Ok(result)
        });
        match done {
            Ok(result) => Ok(result),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Ends a run that cannot go on: see [`run`](Self::run).
    pub(crate) fn failed(self, error: CliError) -> CliError {
        signals::hold();
        if self.journal.standing().is_empty() {
            // A run that has made nothing leaves nothing; that the file could not be removed is no news.
            let _ = self.journal.remove();
            return error;
        }
        let path = self.path.display();
        if error.is_over() {
            return error
                .hint(format!(
                    "take away what was made, and begin anew with what can be done: hardtack undo {path}"
                ))
                .hint(format!("or, if the cause is mended elsewhere, {}", self.again));
        }
        error.hint(self.again).hint(format!("or take away what was made: hardtack undo {path}"))
    }
}
