//! Passwords (`cloudinit/config/cc_set_passwords.py`; `cloudinit/distros/__init__.py`: `unlock_passwd`).

use super::Details;
use crate::error::AgentError;
use crate::execute::Execution;
use crate::execute::run::{self, PATIENCE, Program};
use crate::random;

/// `unlock-password`. The program that unlocks says why not on its standard error, and may still succeed: then the
/// account has no password at all, and the other one says so to the machine.
pub(super) fn unlock_password(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let unlock: Vec<&str> = details.need("run")?.split(' ').collect();
    let done = run::capture(cx.host, cx.log, &program(&unlock, None))?;
    if !matches!(done.status.code(), Some(0 | 3)) {
        return Err(run::failure(unlock.first().copied().unwrap_or_default(), &done, None));
    }
    if !done.complained {
        return Ok(());
    }
    // The empty password is written '' for people; the program gets it as cloud-init gives it.
    let empty: Vec<&str> = details.need("if-refused")?.split(' ').collect();
    let done = run::capture(cx.host, cx.log, &program(&empty, None))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(run::failure(empty.first().copied().unwrap_or_default(), &done, None))
    }
}

/// `random-passwords`: makes and sets them.
pub(super) fn random_passwords(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let mut made = Vec::new();
    for user in details.all("user") {
        made.push((user.to_owned(), password()?));
    }
    let input: String = made.iter().map(|(user, password)| format!("{user}:{password}\n")).collect();
    // They are shown whether or not they could be set, as they are there.
    cx.passwords.extend(made);
    let done = run::capture(cx.host, cx.log, &program(&["chpasswd"], Some(input.as_bytes())))?;
    if done.status.success() { Ok(()) } else { Err(run::failure("chpasswd", &done, Some(input.as_bytes()))) }
}

/// A password from the operating system's randomness.
fn password() -> Result<String, AgentError> {
    let mut failed = None;
    let password = hardtack_modules::passwords::random(&mut |below| {
        let mut bytes = [0; 8];
        if let Err(error) = random::fill(&mut bytes) {
            failed = Some(error);
        }
        // 2^64 is so much more than any alphabet that the remainder favours nobody.
        let below = u64::try_from(below).unwrap_or(1).max(1);
        usize::try_from(u64::from_le_bytes(bytes) % below).unwrap_or(0)
    });
    match failed {
        None => Ok(password),
        Some(error) => Err(AgentError::text(format!("no password is made: {error}"))),
    }
}

/// `print-random-passwords`: on the console, and in no file and no journal.
pub(super) fn print_random_passwords(
    cx: &mut Execution<'_>,
    _details: &Details<'_>,
) -> Result<(), AgentError> {
    let passwords = std::mem::take(&mut cx.passwords);
    if passwords.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = passwords.iter().map(|(user, password)| format!("{user}:{password}")).collect();
    let text = format!("Set the following 'random' passwords\n\n{}\n", lines.join("\n"));
    if !cx.log.console(text.as_bytes()) {
        cx.log.warn(
            "the random passwords are shown nowhere: the machine has no console that can be written to",
        );
    }
    Ok(())
}

fn program<'a>(argv: &'a [&'a str], stdin: Option<&'a [u8]>) -> Program<'a> {
    Program { argv, stdin, patience: Some(PATIENCE), ..Program::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn passwords_differ_and_have_all_kinds() {
        let (one, two) = (super::password().unwrap(), super::password().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 20);
        assert!(
            one.bytes().any(|byte| byte.is_ascii_digit())
                && one.bytes().any(|byte| byte.is_ascii_punctuation())
        );
    }
}
