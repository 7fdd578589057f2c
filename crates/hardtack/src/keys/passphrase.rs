//! Passphrases: from the terminal, without echo, or from a file. Never from an argument, which
//! every user of the machine can read, and never from the environment, which every child inherits;
//! a CI job that holds one in a variable gives it as `--passphrase-file <(printf %s "$VARIABLE")`.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Unusable;
use crate::error::{CliError, NO};

/// Bytes of a passphrase; OpenSSH reads 1023.
const LIMIT: usize = 4096;
/// How often a person is asked for one passphrase.
const TRIES: usize = 3;

/// What somebody answered.
pub(crate) enum Answer {
    Given(Zeroizing<Vec<u8>>),
    /// Nothing was typed: go on without this key.
    Nothing,
    /// Ctrl-C.
    Stopped,
    /// There is nobody to ask.
    NoTerminal,
}

/// Whom to ask.
pub(crate) trait Ask {
    /// Asks once.
    fn passphrase(&mut self, prompt: &str) -> std::io::Result<Answer>;
}

/// The process's terminal, wherever its streams go.
pub(crate) struct Tty;

impl Ask for Tty {
    fn passphrase(&mut self, prompt: &str) -> std::io::Result<Answer> {
        let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            return Ok(Answer::NoTerminal);
        };
        let Ok(quiet) = Quiet::on(terminal.try_clone()?) else { return Ok(Answer::NoTerminal) };
        terminal.write_all(prompt.as_bytes())?;
        let answer = line(&mut terminal);
        drop(quiet);
        terminal.write_all(b"\n")?;
        answer
    }
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    /// Signals are off too, and Ctrl-C a letter: a program that ends here would leave no echo.
    fn on(terminal: File) -> rustix::io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// What is typed until Enter, with the keys that correct it.
fn line(terminal: &mut impl Read) -> std::io::Result<Answer> {
    let mut typed = Zeroizing::new(Vec::with_capacity(LIMIT));
    loop {
        let mut byte = [0];
        match terminal.read(&mut byte) {
            Ok(0) => return Ok(Answer::Stopped),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            b'\r' | b'\n' if typed.is_empty() => return Ok(Answer::Nothing),
            b'\r' | b'\n' => return Ok(Answer::Given(typed)),
            // Ctrl-C, Ctrl-D, Ctrl-\.
            3 | 4 | 28 => return Ok(Answer::Stopped),
            // Backspace, as terminals send it; of a character, not of a byte.
            8 | 127 => while typed.pop().is_some_and(|last| last & 0b1100_0000 == 0b1000_0000) {},
            // Ctrl-U.
            21 => typed.clear(),
            // Longer than any: not silently cut, simply wrong.
            byte if typed.len() < LIMIT => typed.push(byte),
            _ => {}
        }
    }
}

/// What a passphrase did.
pub(crate) enum Unlock<T> {
    Opened(T),
    WrongPassphrase,
    Unusable(Unusable),
}

/// Where passphrases come from.
pub(crate) enum Source<'a> {
    File(PathBuf, Zeroizing<Vec<u8>>),
    Person(&'a mut dyn Ask),
}

impl<'a> Source<'a> {
    /// The first line of `--passphrase-file`, else the person.
    pub(crate) fn new(file: Option<&Path>, person: &'a mut dyn Ask) -> Result<Self, CliError> {
        let Some(path) = file else { return Ok(Self::Person(person)) };
        let fail = |error| CliError::io(path, "read the passphrase", error);
        let mut text = Zeroizing::new(Vec::with_capacity(LIMIT + 64));
        File::open(path).and_then(|file| file.take(LIMIT as u64 + 1).read_to_end(&mut text)).map_err(fail)?;
        let end = text.iter().position(|byte| *byte == b'\n');
        if end.is_none() && text.len() > LIMIT {
            let message = format!("{}: its first line is longer than {LIMIT} bytes", path.display());
            return Err(CliError::refused(message));
        }
        if let Some(end) = end {
            text.truncate(end);
        }
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if text.is_empty() {
            return Err(CliError::refused(format!("{}: its first line is empty", path.display()))
                .hint("the passphrase stands on the first line"));
        }
        Ok(Self::File(path.to_owned(), text))
    }

    /// Takes the passphrase off the key in `path`: `attempt` tries one.
    ///
    /// # Errors
    /// The person does not want to go on; the terminal cannot be read. A key that stays locked is no error.
    pub(crate) fn unlock<T>(
        &mut self,
        path: &Path,
        attempt: impl Fn(&[u8]) -> Unlock<T>,
    ) -> Result<Result<T, Unusable>, CliError> {
        let shown = path.display().to_string();
        let mut wrong = 0;
        loop {
            let passphrase = match self {
                Self::File(file, _) if wrong > 0 => {
                    let what = format!("the passphrase in {} is not this key's", file.display());
                    let advice = "the passphrase stands on the file's first line, alone";
                    return Ok(Err(Unusable::new(what, advice)));
                }
                Self::File(_, passphrase) => passphrase.clone(),
                Self::Person(_) if wrong == TRIES => {
                    let what = format!("wrong passphrase, {TRIES} times");
                    let advice = "ssh-keygen -y -f KEY asks for it as often as you like";
                    return Ok(Err(Unusable::new(what, advice)));
                }
                Self::Person(person) => {
                    let again = if wrong > 0 { "wrong passphrase, try again; " } else { "" };
                    let prompt = format!("{again}passphrase of {}: ", shown.escape_debug());
                    let fail = |error| CliError::io(path, "ask for the key's passphrase", error);
                    match person.passphrase(&prompt).map_err(fail)? {
                        Answer::Given(passphrase) => passphrase,
                        Answer::Nothing => {
                            let advice = "give it, or another key";
                            return Ok(Err(Unusable::new("no passphrase was given", advice)));
                        }
                        Answer::Stopped => {
                            return Err(CliError::new(NO, format!("{shown}: no passphrase was given")));
                        }
                        Answer::NoTerminal => {
                            let what = "encrypted, and there is no terminal to ask for its passphrase";
                            let advice = "--passphrase-file FILE reads it from a file's first line";
                            return Ok(Err(Unusable::new(what, advice)));
                        }
                    }
                }
            };
            match attempt(&passphrase) {
                Unlock::Opened(key) => return Ok(Ok(key)),
                Unlock::WrongPassphrase => wrong += 1,
                Unlock::Unusable(unusable) => return Ok(Err(unusable)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_typed_and_corrected() {
        for (typed, wanted) in [
            (&b"secret\r"[..], Some(&b"secret"[..])),
            (b"sex\x7fcret\n", Some(b"secret")),
            (b"wrong\x15right\n", Some(b"right")),
            ("pä\u{7f}assé\n".as_bytes(), Some("passé".as_bytes())),
            (b"\x7f\x7fa\n", Some(b"a")),
        ] {
            match line(&mut &typed[..]) {
                Ok(Answer::Given(line)) => assert_eq!(Some(line.as_slice()), wanted, "{typed:?}"),
                _ => panic!("{typed:?}"),
            }
        }
        assert!(matches!(line(&mut &b"\r"[..]), Ok(Answer::Nothing)));
        for stopped in [&b"ab\x03c\n"[..], b"\x04", b"no end"] {
            assert!(matches!(line(&mut &stopped[..]), Ok(Answer::Stopped)), "{stopped:?}");
        }
    }
}
