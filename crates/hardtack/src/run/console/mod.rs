//! `hardtack console`: the newest intact block of a log, and what people do with it.

mod identity;
mod input;
mod instances;
mod keys;
mod open;
mod picture;
mod show;
mod target;
mod words;

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use hardtack_credentials::console::{Found, ReadError, Reading, read};
use hardtack_credentials::{Block, UserCredentials, UserPart, base32, time, totp};

use crate::args::ConsoleArgs;
use crate::error::CliError;
use crate::keys::passphrase::{Ask, Source, Tty};
use crate::terminal::Terminal;
use identity::Identity;

pub(crate) use instances::tell_last;
pub(crate) use open::LoginKey;
pub(crate) use picture::Picture;
pub(crate) use show::user as show_user;
pub(crate) use words::place as place_words;

/// The answer is no: there is no block, or no secret in it.
const NO: u8 = 1;
/// Seconds that a clock may be off before a code can fail.
const CLOCK_TOLERANCE: u64 = 30;
/// What to do about two blocks of one boot.
const TRUST_NEITHER: &str = "trust neither; log in on another way and compare the host keys";
const LOST_AND_FOUND: &str = "docs/lost-and-found.md says what to do";

/// Runs `hardtack console`.
pub(crate) fn run(arguments: &ConsoleArgs) -> Result<u8, CliError> {
    match target::kind(&arguments.targets)? {
        target::Kind::File(path) => {
            target::check_file(arguments, path)?;
            let log = input::read(path)?;
            if arguments.raw {
                print_raw(&log.bytes)?;
                return Ok(0);
            }
            on_process(arguments, &log.bytes, &Surroundings::of_process(words::word(path), log.printed))?;
            Ok(0)
        }
        target::Kind::Instances => instances::run(arguments),
    }
}

/// Shows the newest block of an instance's console as `hardtack console INSTANCE` does, with the command that logs in.
///
/// `instance` is what stands behind `hardtack console` to read it again (`i-… --on aws`), `log` its console, `host` where
/// SSH answers. Sealed parts are opened with `identities`; nobody is asked for a passphrase without a terminal. Returns those
/// of them that log in.
pub(crate) fn show_block(
    instance: &str,
    log: &[u8],
    host: Option<(String, u16)>,
    identities: &[PathBuf],
) -> Result<Vec<LoginKey>, CliError> {
    let arguments = ConsoleArgs { identity: identities.to_vec(), ..ConsoleArgs::default() };
    let around = Surroundings::of_process(instance.to_owned(), PrintedAt::Since(None));
    on_process(&arguments, log, &Surroundings { host, ..around })
}

/// Looks at the keys of `--identity` before something is begun that needs them at its end.
pub(crate) fn check_identities(identities: &[PathBuf]) -> Result<(), CliError> {
    identities.iter().try_for_each(|path| Identity::check(path))
}

/// The newest block's object for programs, as `hardtack console --json` prints it; see [`show_block`].
pub(crate) fn block_json(log: &[u8], identities: &[PathBuf]) -> Result<serde_json::Value, CliError> {
    let arguments = ConsoleArgs { identity: identities.to_vec(), json: true, ..ConsoleArgs::default() };
    let around = Surroundings::of_process(String::new(), PrintedAt::Since(None));
    let mut out = Vec::new();
    console(&arguments, log, &around, &mut Tty, &mut out, &mut std::io::stderr().lock())?;
    serde_json::from_slice(&out).map_err(|_| CliError::refused("the block is no JSON"))
}

/// The text as it came.
fn print_raw(text: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).map_err(CliError::stream)
}

/// With the process's streams and terminal. Returns the keys that opened and log in.
fn on_process(arguments: &ConsoleArgs, log: &[u8], around: &Surroundings) -> Result<Vec<LoginKey>, CliError> {
    let (out, err) = (&mut std::io::stdout().lock(), &mut std::io::stderr().lock());
    console(arguments, log, around, &mut Tty, out, err)
}

/// What the verb knows besides the log.
pub(crate) struct Surroundings {
    /// Where standard output goes.
    pub(crate) terminal: Terminal,
    /// The host's clock.
    pub(crate) now: SystemTime,
    /// When the block was printed, as far as that is known.
    pub(crate) printed: PrintedAt,
    /// Where the user's keys are; only public halves are looked at.
    pub(crate) ssh_directory: Option<PathBuf>,
    /// What stands behind `hardtack console` to read the log again, as words of a command line.
    pub(crate) again: String,
    /// Where SSH answers, if that is known.
    pub(crate) host: Option<(String, u16)>,
}

/// When a block was printed, by the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrintedAt {
    /// When its file was last written to, if nothing came behind it.
    With(SystemTime),
    /// At any time until now; not before the machine was started, where that is known. Consoles and pipes do not tell
    /// more.
    Since(Option<SystemTime>),
}

impl Surroundings {
    /// Of this process.
    fn of_process(again: String, printed: PrintedAt) -> Self {
        Self {
            terminal: Terminal::of_stdout(),
            now: SystemTime::now(),
            printed,
            ssh_directory: std::env::home_dir().map(|home| home.join(".ssh")),
            again,
            host: None,
        }
    }
}

fn console(
    arguments: &ConsoleArgs,
    log: &[u8],
    around: &Surroundings,
    person: &mut dyn Ask,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Vec<LoginKey>, CliError> {
    // Whatever is wrong with the arguments is told before anything is written.
    let picture = arguments.qr.as_deref().map(|path| Picture::at(path, arguments.force)).transpose()?;
    let host = match (&arguments.host, &around.host) {
        (Some(host), _) => Some(keys::host(host)?),
        (None, Some(place)) if arguments.known_hosts.is_some() => Some(keys::host(&words::address(place))?),
        _ => None,
    };
    let mut source = Source::new(arguments.passphrase_file.as_deref(), person)?;
    let mut identities: Vec<Identity> =
        arguments.identity.iter().map(|path| Identity::read(path)).collect::<Result<_, _>>()?;
    let reading = read(log).map_err(unreadable)?;
    tell_others(&reading, err).map_err(CliError::stream)?;
    let found = &reading.newest;
    let user = arguments.user.as_deref();
    chosen(&found.block, user)?;
    let opened = if identities.is_empty() {
        None
    } else {
        Some(open::open(&reading, user, &mut identities, &mut source, err)?)
    };
    let (block, keys) = match &opened {
        Some((block, keys)) => (block, keys.as_slice()),
        None => (&found.block, [].as_slice()),
    };
    let parts = chosen(block, user)?;
    tell_drift(block, err).map_err(CliError::stream)?;
    if let (Some(path), Some(host)) = (&arguments.known_hosts, &host) {
        keys::add(path, host, &block.host_keys, err)?;
    }
    if let Some(picture) = picture {
        picture.write(&only(&parts, "--qr", opened.is_some())?.otpauth, err)?;
    }
    if arguments.code {
        let user = only(&parts, "--code", opened.is_some())?;
        warn_about_clock(found, around, err).map_err(CliError::stream)?;
        code(user, around.now, out, err).map_err(CliError::stream)?;
    } else if arguments.json {
        // What was not opened is printed as it came, with members that this release does not know.
        let json = opened.as_ref().map_or_else(|| found.json.clone(), |(block, _)| block.json());
        writeln!(out, "{json}").map_err(CliError::stream)?;
    } else {
        show::block(block, &parts, around, keys, out).map_err(CliError::stream)?;
    }
    out.flush().map_err(CliError::stream)?;
    Ok(opened.map_or_else(Vec::new, |(_, keys)| keys))
}

/// The machine is not what its recipe promised: said also to whoever reads standard output by program.
fn tell_drift(block: &Block, err: &mut dyn Write) -> std::io::Result<()> {
    for drift in &block.drift {
        let drift = show::plain(drift);
        writeln!(err, "hardtack: WARNING: the machine asks for less than its recipe promised: {drift}")?;
    }
    Ok(())
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
        ReadError::Contradiction { .. } => CliError::refused(error.to_string()).hint(TRUST_NEITHER),
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
fn chosen<'a>(block: &'a Block, name: Option<&str>) -> Result<Vec<&'a UserPart>, CliError> {
    let users: Vec<&UserPart> = block.users.iter().collect();
    let Some(name) = name else { return Ok(users) };
    let chosen: Vec<&UserPart> = users.iter().copied().filter(|user| user.name() == name).collect();
    if chosen.is_empty() && !users.is_empty() {
        let text = format!("the block holds nothing for user \"{name}\", only for {}", names(&users));
        return Err(CliError::usage(text));
    }
    Ok(chosen)
}

/// The one user whose secret an option is about. Where keys were given, the one that they opened.
fn only<'a>(users: &[&'a UserPart], option: &str, opened: bool) -> Result<&'a UserCredentials, CliError> {
    let mut readable = users.iter().filter_map(|part| part.plain()).filter(|user| !user.secret.is_empty());
    let part = match (users, readable.next(), readable.next()) {
        ([part], ..) => part,
        ([], ..) => {
            let text = "the newest block holds fingerprints only: a code was accepted, and no secret is printed again";
            return Err(CliError::new(NO, text).hint(LOST_AND_FOUND));
        }
        (_, Some(user), None) if opened => return Ok(user),
        (several, ..) => {
            let text = format!("{option} is about one user; choose with --user: {}", names(several));
            return Err(CliError::usage(text));
        }
    };
    let name = part.name().escape_debug();
    match part {
        UserPart::Plain(user) if !user.secret.is_empty() => Ok(user),
        UserPart::Plain(_) => {
            let text = format!("the block has no one-time code for {name}, only a password");
            Err(CliError::new(NO, text).hint("without --code and --qr it is shown"))
        }
        UserPart::Sealed(sealed) => {
            let text = format!("{name}'s part of the block cannot be read: {}", open::sealed_to(sealed));
            Err(CliError::new(NO, text).hint("--identity KEY opens it, KEY being the file of a private key"))
        }
        UserPart::Withheld(part) => {
            Err(CliError::new(NO, format!("nothing was printed for {name}: {}", show::plain(&part.withheld))))
        }
    }
}

fn names(users: &[&UserPart]) -> String {
    users.iter().map(|user| user.name().escape_debug().to_string()).collect::<Vec<_>>().join(", ")
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

/// A code depends on both clocks. The guest's is known for the moment of printing only, and that moment only within
/// bounds: nothing is printed after the log was read, nor before the machine was started. Of a file it is taken to be when
/// it was last written; a slow clock and an old print look the same there, unless the guest says that it is synchronised.
fn warn_about_clock(found: &Found, around: &Surroundings, err: &mut dyn Write) -> std::io::Result<()> {
    let Some(guest) = time::parse_utc(&found.block.time) else { return Ok(()) };
    let (earliest, latest, verb) = match around.printed {
        PrintedAt::With(written) => (Some(seconds(written)), seconds(written), "written"),
        PrintedAt::Since(started) => (started.map(seconds), seconds(around.now), "read"),
    };
    let said = |unix| time::format_utc(unix);
    if guest > latest.saturating_add(CLOCK_TOLERANCE) {
        let ahead = guest - latest;
        return writeln!(
            err,
            "hardtack: warning: the guest's clock was {ahead} s ahead: it said {}, and the log was {verb} at {}; \
             its codes differ from these ({LOST_AND_FOUND})",
            said(guest),
            said(latest)
        );
    }
    let Some(earliest) = earliest else { return Ok(()) };
    if earliest <= guest.saturating_add(CLOCK_TOLERANCE) || found.synchronised == Some(true) {
        return Ok(());
    }
    let behind = earliest - guest;
    let (what, if_so) = match around.printed {
        PrintedAt::With(_) => ("the log was last written", "if the log is not older than that"),
        PrintedAt::Since(_) => ("the instance was started", "if the block is not of an earlier start"),
    };
    writeln!(
        err,
        "hardtack: warning: the guest's clock said {}, {behind} s before {what} at {}, and is not \
         known to be synchronised; {if_so}, it is slow and the code fails ({LOST_AND_FOUND})",
        said(guest),
        said(earliest)
    )
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
