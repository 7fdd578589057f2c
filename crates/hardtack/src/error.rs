//! Errors of the program: what is printed, and the exit code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | the answer is no (a verb that asks a question: no block was found, a check has findings, a test failed) |
//! | 2 | wrong usage, a recipe that does not check, or no credentials |
//! | 3 | the input is refused: damaged, unsupported, or a step that cannot be done on it |
//! | 4 | local input or output: a missing file, a full disk, an existing output |
//! | 5 | a remote service |

use std::error::Error;
use std::path::Path;

/// The answer is no.
pub(crate) const NO: u8 = 1;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;
/// The input is refused.
pub(crate) const REFUSED: u8 = 3;
/// Local input or output.
pub(crate) const LOCAL_IO: u8 = 4;
/// A remote service.
pub(crate) const REMOTE: u8 = 5;

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    code: u8,
    message: String,
    hints: Vec<String>,
    source: Option<Box<dyn Error>>,
    broken_pipe: bool,
    /// The message is a picture of its own (a recipe's findings), and is printed as it is.
    rendered: bool,
    /// The same command comes to the same end again.
    over: bool,
}

impl CliError {
    /// Wrong usage (exit code 2).
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// An input that is refused (exit code 3).
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    /// A file of the host that cannot be used (exit code 4).
    pub(crate) fn io(path: &Path, action: &str, source: std::io::Error) -> Self {
        let message = format!("{}: cannot {action}", path.display());
        Self { source: Some(Box::new(source)), ..Self::new(LOCAL_IO, message) }
    }

    /// Output that cannot be written to a stream.
    pub(crate) fn stream(source: std::io::Error) -> Self {
        let broken_pipe = source.kind() == std::io::ErrorKind::BrokenPipe;
        Self { broken_pipe, source: Some(Box::new(source)), ..Self::new(LOCAL_IO, "cannot write the output") }
    }

    /// Any error, with its exit code.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
            source: None,
            broken_pipe: false,
            rendered: false,
            over: false,
        }
    }

    /// A picture of findings, which is printed as it is (exit code 2).
    pub(crate) fn rendered(picture: impl Into<String>) -> Self {
        Self { rendered: true, ..Self::new(USAGE, picture) }
    }

    /// The same where the answer is no (exit code 1).
    pub(crate) fn rendered_no(picture: impl Into<String>) -> Self {
        Self { rendered: true, ..Self::new(NO, picture) }
    }

    /// Names the file that an error is about, unless it does already.
    pub(crate) fn within(mut self, path: &Path) -> Self {
        let name = path.display().to_string();
        if !self.message.contains(&name) {
            self.message = format!("{name}: {}", self.message);
        }
        self
    }

    /// Takes secrets out of the message.
    pub(crate) fn redacted(mut self, secrets: &[String]) -> Self {
        self.message = hardtack_recipe::redact(&self.message, secrets);
        for hint in &mut self.hints {
            *hint = hardtack_recipe::redact(hint, secrets);
        }
        self
    }

    /// Says the same in other words.
    pub(crate) fn rephrased(mut self, words: impl Fn(&str) -> String) -> Self {
        self.message = words(&self.message);
        for hint in &mut self.hints {
            *hint = words(hint);
        }
        self
    }

    /// Says what to do about it; what was said before stands before it.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// The same command comes to the same end again: what it made is undone first.
    pub(crate) fn over(mut self) -> Self {
        self.over = true;
        self
    }

    /// Whether it is so.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        self.code
    }

    /// Somebody stopped reading our output; that is no error of ours.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    /// The text for people: the message, what lies behind it, and what to do.
    pub(crate) fn report(&self) -> String {
        if self.rendered {
            return self.message.clone();
        }
        let mut text = format!("hardtack: {}", self.message);
        let mut source = self.source.as_deref();
        while let Some(error) = source {
            let said = error.to_string();
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            source = error.source();
        }
        text.push('\n');
        for hint in &self.hints {
            text.push_str("hint: ");
            text.push_str(hint);
            text.push('\n');
        }
        text
    }
}

impl From<hardtack_disk::Error> for CliError {
    fn from(error: hardtack_disk::Error) -> Self {
        let code = if error.is_refusal() { REFUSED } else { LOCAL_IO };
        let message = error.to_string();
        Self { source: error.source().map(|source| source.to_string().into()), ..Self::new(code, message) }
    }
}

impl From<hardtack_bundle::Error> for CliError {
    fn from(error: hardtack_bundle::Error) -> Self {
        if let hardtack_bundle::Error::Disk(error) = error {
            return error.into();
        }
        let code = match (error.is_usage(), error.is_refusal()) {
            (true, _) => USAGE,
            (_, true) => REFUSED,
            _ => LOCAL_IO,
        };
        let message = error.to_string();
        Self { source: error.source().map(|source| source.to_string().into()), ..Self::new(code, message) }
    }
}

impl From<hardtack_cloud::Error> for CliError {
    fn from(error: hardtack_cloud::Error) -> Self {
        Self::new(code_of(&error), error.to_string())
    }
}

/// The exit code of a cloud's error.
fn code_of(error: &hardtack_cloud::Error) -> u8 {
    use hardtack_cloud::Error;
    match error {
        Error::Usage(_) | Error::Credentials(_) => USAGE,
        Error::File { .. } => LOCAL_IO,
        Error::Transport { .. } | Error::Service { .. } | Error::Answer { .. } | Error::State(_) => REMOTE,
    }
}

impl From<hardtack_publish::Error> for CliError {
    fn from(error: hardtack_publish::Error) -> Self {
        use hardtack_publish::Error;
        let message = error.to_string();
        let code = match error {
            Error::Cloud(error) => return error.into(),
            Error::Disk(error) => return error.into(),
            Error::Bundle(error) => return error.into(),
            Error::Local(error) => return error.into(),
            Error::Usage(_) => USAGE,
            Error::Refused(_) => REFUSED,
            Error::Object { source, .. } => code_of(&source),
            Error::No(_) => NO,
            Error::File { .. } => LOCAL_IO,
        };
        Self::new(code, message)
    }
}

impl From<hardtack_local::Error> for CliError {
    fn from(error: hardtack_local::Error) -> Self {
        use hardtack_local::Error;
        let code = match error {
            Error::Disk(error) => return error.into(),
            Error::Usage(_) => USAGE,
            Error::Refused(_) => REFUSED,
            Error::File { .. } => LOCAL_IO,
        };
        Self::new(code, error.to_string())
    }
}

impl From<hardtack_guest::Error> for CliError {
    fn from(error: hardtack_guest::Error) -> Self {
        match error {
            hardtack_guest::Error::Disk(error) => error.into(),
            other => Self::refused(other.to_string()),
        }
    }
}

impl From<hardtack_recipe::LoadError> for CliError {
    fn from(error: hardtack_recipe::LoadError) -> Self {
        Self { rendered: true, ..Self::new(error.exit_code(), format!("{}\n", error.render().trim_end())) }
    }
}

impl From<hardtack_recipe::StepError> for CliError {
    fn from(error: hardtack_recipe::StepError) -> Self {
        use hardtack_recipe::StepError;
        let message = error.to_string();
        let (code, hint) = match error {
            StepError::Guest { source, .. } => return Self { message, ..Self::from(source) },
            StepError::Usage { hint, .. } => (USAGE, hint),
            StepError::Refused { hint, .. } => (REFUSED, hint),
            StepError::Local { hint, .. } => (LOCAL_IO, hint),
            StepError::Remote { hint, .. } => (REMOTE, hint),
            _ => (REFUSED, None),
        };
        Self { hints: hint.into_iter().collect(), ..Self::new(code, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_walks_the_chain_and_ends_with_the_hint() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = CliError::io(Path::new("a.qcow2"), "open", missing).hint("check the name");
        assert_eq!(error.exit_code(), LOCAL_IO);
        assert_eq!(
            error.report(),
            "hardtack: a.qcow2: cannot open: entity not found\nhint: check the name\n"
        );
    }
}
