//! `hardtack console`: the newest intact block of a log, and what people do with it.

mod input;
mod keys;
mod picture;
mod show;

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use hardtack_credentials::console::{Found, ReadError, Reading, read};
use hardtack_credentials::{Block, UserCredentials, UserPart, base32, time, totp};

use crate::args::ConsoleArgs;
use crate::error::CliError;
use crate::terminal::Terminal;

pub(crate) use picture::Picture;
pub(crate) use show::user as show_user;

/// The answer is no: there is no block, or no secret in it.
const NO: u8 = 1;
/// Seconds that a clock may be off before a code can fail.
const CLOCK_TOLERANCE: u64 = 30;
const LOST_AND_FOUND: &str = "docs/lost-and-found.md says what to do";

/// Runs `hardtack console`.
pub(crate) fn run(arguments: &ConsoleArgs) -> Result<u8, CliError> {
    let log = input::read(&arguments.file)?;
    let surroundings = Surroundings {
        terminal: Terminal::of_stdout(),
        now: SystemTime::now(),
        written: log.written.unwrap_or_else(SystemTime::now),
    };
    console(
        arguments,
        &log.bytes,
        &surroundings,
        &mut std::io::stdout().lock(),
        &mut std::io::stderr().lock(),
    )
}

/// What the verb knows besides the log.
pub(crate) struct Surroundings {
    /// Where standard output goes.
    pub(crate) terminal: Terminal,
    /// The host's clock.
    pub(crate) now: SystemTime,
    /// When the log was last written to; now, when it is read from a pipe.
    pub(crate) written: SystemTime,
}

fn console(
    arguments: &ConsoleArgs,
    log: &[u8],
    around: &Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, CliError> {
    // Whatever is wrong with the arguments is told before anything is written.
    let picture = arguments.qr.as_deref().map(|path| Picture::at(path, arguments.force)).transpose()?;
    let host = arguments.host.as_deref().map(keys::host).transpose()?;
    let reading = read(log).map_err(unreadable)?;
    tell_others(&reading, err).map_err(CliError::stream)?;
    let found = &reading.newest;
    let users = chosen(&found.block, arguments.user.as_deref())?;
    if let (Some(path), Some(host)) = (&arguments.known_hosts, &host) {
        keys::add(path, host, &found.block.host_keys, err)?;
    }
    if let Some(picture) = picture {
        picture.write(&only(&users, "--qr")?.otpauth, err)?;
    }
    if arguments.code {
        warn_about_clock(found, around, err).map_err(CliError::stream)?;
        code(only(&users, "--code")?, around.now, out, err).map_err(CliError::stream)?;
    } else if arguments.json {
        writeln!(out, "{}", found.json).map_err(CliError::stream)?;
    } else {
        show::block(&found.block, &users, around.terminal, out).map_err(CliError::stream)?;
    }
    out.flush().map_err(CliError::stream)?;
    Ok(0)
}

fn unreadable(error: ReadError) -> CliError {
    match error {
        ReadError::NoBlock { .. } => CliError::new(NO, error.to_string()).hint(
            "the machine prints it when SSH answers; until then, or when the console's buffer was \
             lost, read the console again or reboot the machine",
        ),
        ReadError::Damaged { .. } => CliError::refused(error.to_string()).hint(
            "read the console again, or reboot: the block is printed at every boot until a code was accepted",
        ),
        ReadError::Contradiction { .. } => CliError::refused(error.to_string())
            .hint("trust neither; log in on another way and compare the host keys"),
        ReadError::TooLong { .. } => {
            CliError::refused(error.to_string()).hint("give it the log's end (tail -c 1M)")
        }
    }
}

/// Counts what was found besides the newest block.
fn tell_others(reading: &Reading, err: &mut dyn Write) -> std::io::Result<()> {
    if reading.older > 0 {
        writeln!(err, "hardtack: {} older block(s) in the log, not shown", reading.older)?;
    }
    if let Some(last) = reading.damaged.last() {
        let count = reading.damaged.len();
        writeln!(
            err,
            "hardtack: {count} damaged block(s) in the log; the last, on line {}: {}",
            last.line, last.why
        )?;
    }
    if reading.damaged_after() {
        writeln!(err, "hardtack: warning: the newest block is damaged; this is the intact one before it")?;
    }
    Ok(())
}

/// The user that was asked for, else all.
fn chosen<'a>(block: &'a Block, name: Option<&str>) -> Result<Vec<&'a UserCredentials>, CliError> {
    let users: Vec<&UserCredentials> = block.users.iter().filter_map(UserPart::plain).collect();
    let Some(name) = name else { return Ok(users) };
    let chosen: Vec<&UserCredentials> = users.iter().copied().filter(|user| user.name == name).collect();
    if chosen.is_empty() && !users.is_empty() {
        let text = format!("the block holds nothing for user \"{name}\", only for {}", names(&users));
        return Err(CliError::usage(text));
    }
    Ok(chosen)
}

/// The one user whose secret an option is about.
fn only<'a>(users: &[&'a UserCredentials], option: &str) -> Result<&'a UserCredentials, CliError> {
    match users {
        [user] => Ok(user),
        [] => {
            let text = "the newest block holds fingerprints only: a code was accepted, and no secret is printed again";
            Err(CliError::new(NO, text).hint(LOST_AND_FOUND))
        }
        several => {
            let text = format!("{option} is about one user; choose with --user: {}", names(several));
            Err(CliError::usage(text))
        }
    }
}

fn names(users: &[&UserCredentials]) -> String {
    users.iter().map(|user| user.name.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

fn code(
    user: &UserCredentials,
    now: SystemTime,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<()> {
    let unix = seconds(now);
    // The reader has checked that the secret is base32.
    let key = base32::decode(&user.secret).unwrap_or_default();
    writeln!(out, "{}", totp::code(&key, unix))?;
    writeln!(err, "hardtack: valid for {} more seconds, and once", totp::seconds_left(unix))
}

/// A code depends on both clocks. The guest's is known for the moment of printing only, and that
/// moment only by when the log was written; a slow clock and an old print look the same there,
/// unless the guest says that it is synchronised.
fn warn_about_clock(found: &Found, around: &Surroundings, err: &mut dyn Write) -> std::io::Result<()> {
    let Some(guest) = time::parse_utc(&found.block.time) else { return Ok(()) };
    let written = seconds(around.written);
    let said = |unix| time::format_utc(unix);
    if guest > written.saturating_add(CLOCK_TOLERANCE) {
        let ahead = guest - written;
        writeln!(
            err,
            "hardtack: warning: the guest's clock was {ahead} s ahead: it said {}, and the log was written at {}; \
             its codes differ from these ({LOST_AND_FOUND})",
            said(guest),
            said(written)
        )
    } else if written > guest.saturating_add(CLOCK_TOLERANCE) && found.synchronised != Some(true) {
        let behind = written - guest;
        writeln!(
            err,
            "hardtack: warning: the guest's clock said {}, {behind} s before the log was last written at {}, and is not \
             known to be synchronised; if the log is not older than that, it is slow and the code fails ({LOST_AND_FOUND})",
            said(guest),
            said(written)
        )
    } else {
        Ok(())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
