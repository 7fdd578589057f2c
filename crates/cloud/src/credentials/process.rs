//! `credential_process`: a program of the user's that prints keys.
//!
//! Source: the SDKs' reference guide, "Process credential provider". The line is split as a shell splits it, and no
//! shell runs it. What the program says on standard error goes where Hardtack's goes; what it prints is in no message.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::Credentials;
use super::fetch::{Names, keys};
use crate::{Environment, Error};

/// A program may have to wait for somebody to touch a key.
pub(super) const LIMIT: Duration = Duration::from_secs(180);
/// How often it is looked at whether it has ended, once its output has.
const STEP: Duration = Duration::from_millis(20);
/// Keys are a few KiB.
const LONGEST: u64 = 64 * 1024;

const NAMES: Names =
    Names { id: "AccessKeyId", secret: "SecretAccessKey", token: "SessionToken", end: "Expiration" };

/// The keys that the program prints.
///
/// # Errors
/// It cannot be run, takes too long, fails, or prints something else.
pub(super) fn find(
    line: &str,
    profile: &str,
    limit: Duration,
    environment: &Environment,
) -> Result<Credentials, Error> {
    let fail =
        |what: String| Error::Credentials(format!("credential_process of the profile {profile}: {what}"));
    let words = split(line).ok_or_else(|| fail("a quote is not closed".to_owned()))?;
    let (program, arguments) = words.split_first().ok_or_else(|| fail("there is no program".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&environment.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| fail(format!("cannot run {program}: {error}")))?;
    let output = output(&mut child, limit);
    let Some((status, bytes)) = output else {
        // It may have ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
        return Err(fail(format!("{program} has not ended in {} s, and was stopped", limit.as_secs())));
    };
    if !status.success() {
        return Err(fail(format!("{program} failed ({status}); what it says stands above")));
    }
    let json: Value = serde_json::from_slice(&bytes).map_err(|_| {
        fail(format!("what {program} prints is no JSON; it prints the keys and nothing else"))
    })?;
    if json.get("Version").and_then(Value::as_u64) != Some(1) {
        return Err(fail(format!("what {program} prints has no \"Version\": 1, the only one that is known")));
    }
    keys(&json, &NAMES, &format!("credential_process of the profile {profile}"))
}

/// What the child prints and how it ends; `None` when that takes too long.
fn output(child: &mut Child, limit: Duration) -> Option<(std::process::ExitStatus, Zeroizing<Vec<u8>>)> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    // A program that it left behind may hold the pipe open: nobody waits for this thread then.
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.take(LONGEST).read_to_end(&mut bytes);
        // Nobody listens after the limit.
        let _ = sender.send(read.map(|_| bytes));
    });
    let bytes = receiver.recv_timeout(limit).ok()?.ok()?;
    let (_keep, never) = mpsc::channel::<()>();
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some((status, bytes));
        }
        if waited >= limit {
            return None;
        }
        // A wait on a channel that nobody sends to: it ends by itself.
        let _ = never.recv_timeout(STEP);
        waited += STEP;
    }
}

/// Words as a POSIX shell has them: quotes and backslashes, and nothing else. `None` where a quote is not closed.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::environment;
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        for (line, expected) in [
            ("a  b\tc", Some(vec!["a", "b", "c"])),
            ("'a b' \"c \\\" d\"e f\\ g ''", Some(vec!["a b", "c \" de", "f g", ""])),
            ("a \"\\n$X\" $(b) ; c", Some(vec!["a", "\\n$X", "$(b)", ";", "c"])),
            ("", Some(vec![])),
            ("a 'b", None),
            ("a \"b\\", None),
            ("a\\", None),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn a_program_prints_keys() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("my script");
        let run = |text: &str, limit| {
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            let line = format!("'{}' 'a b' c", path.display());
            let environment = environment(home.path(), &[("PATH", "/usr/bin:/bin"), ("SEEN", "yes")]);
            find(&line, "p", limit, &environment)
        };
        let text = "test \"$1$2$SEEN\" = 'a bcyes' || exit 9\n\
            echo '{\"Version\": 1, \"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"SECRET\", \
            \"SessionToken\": \"TOKEN\", \"Expiration\": \"2026-01-01T01:00:00Z\"}'";
        let keys = run(text, LIMIT).unwrap();
        assert_eq!((&*keys.id, &**keys.secret), ("AKID", "SECRET"));
        assert_eq!(keys.token.as_ref().map(|token| &***token), Some("TOKEN"));
        assert!(keys.expires.is_some());
        for (text, said) in [
            ("echo SECRET; exit 3", "exit status: 3"),
            ("echo SECRET", "no JSON"),
            ("echo '{\"Version\": 2, \"AccessKeyId\": \"SECRET\"}'", "\"Version\": 1"),
            ("echo '{\"Version\": 1, \"AccessKeyId\": \"SECRET\"}'", "without SecretAccessKey"),
            (
                "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": {\"SECRET\": 1}}'",
                "without",
            ),
        ] {
            let error = run(text, LIMIT).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("profile p"), "{error}");
            assert!(!error.contains("SECRET "), "{error}");
            assert!(!error.replace("SecretAccessKey", "").contains("SECRET"), "{error}");
        }
        let error = run("exec sleep 60", Duration::from_millis(100)).unwrap_err().to_string();
        assert!(error.contains("has not ended"), "{error}");
        let error = find("/nowhere/program SECRET", "p", LIMIT, &environment(home.path(), &[])).unwrap_err();
        assert!(error.to_string().contains("cannot run /nowhere/program"), "{error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
}
