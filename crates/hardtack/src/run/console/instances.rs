//! `hardtack console INSTANCE…`: the consoles of instances, one after the other.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hardtack_credentials::console::{ReadError, read};
use hardtack_credentials::time;
use hardtack_launch::console::{self, Patience, Seen};
use hardtack_launch::{Machine, Machines};

use super::{NO, PrintedAt, Surroundings, on_process, unreadable, words};
use crate::args::ConsoleArgs;
use crate::error::CliError;
use crate::run::machines::{Fleet, chosen};
use crate::run::publish::Talker;
use crate::talk;

/// Lines of a console without a block that are shown.
const LAST: usize = 40;

/// Runs the verb for instances.
pub(super) fn run(arguments: &ConsoleArgs) -> Result<u8, CliError> {
    let names: Vec<String> = arguments.targets.iter().map(|target| target.display().to_string()).collect();
    Fleet::find(&arguments.place)?.with(|machines| {
        let wait = arguments.timeout.filter(|_| arguments.wait);
        let found = chosen(machines, &names, wait)?;
        if found.len() > 1 {
            check_several(arguments, found.len())?;
        }
        all(arguments, machines, &found)
    })
}

/// What can be said of one machine only.
fn check_several(arguments: &ConsoleArgs, count: usize) -> Result<(), CliError> {
    let single =
        [("--code", arguments.code), ("--qr", arguments.qr.is_some()), ("--host", arguments.host.is_some())];
    match single.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(CliError::usage(format!(
            "{name} is about one instance, and these are {count}: name one of them"
        ))),
        None => Ok(()),
    }
}

fn all(arguments: &ConsoleArgs, machines: &dyn Machines, found: &[Machine]) -> Result<u8, CliError> {
    let started = Instant::now();
    let mut code = 0;
    for machine in found {
        if found.len() > 1 && !arguments.json {
            let mut out = std::io::stdout().lock();
            writeln!(out, "==> {} <==", title(machine)).map_err(CliError::stream)?;
        }
        let left = arguments.timeout.unwrap_or(Duration::from_secs(900)).saturating_sub(started.elapsed());
        match one(arguments, machines, &machine.instance.id, left) {
            Ok(one) => code = code.max(one),
            Err(error) if found.len() == 1 || error.is_broken_pipe() => return Err(error),
            Err(error) => {
                // The others are shown all the same.
                code = code.max(error.exit_code());
                talk::line(&format!("{}: {}", machine.instance.id, error.report().trim_end()));
            }
        }
    }
    Ok(code)
}

/// `i-0123456789abcdef0 (web-1)`.
fn title(machine: &Machine) -> String {
    let instance = &machine.instance;
    let name = instance.tags.iter().find(|(key, value)| key == "Name" && !value.is_empty());
    let title = name.map_or(instance.id.clone(), |(_, name)| format!("{} ({name})", instance.id));
    super::show::plain(&title)
}

fn one(
    arguments: &ConsoleArgs,
    machines: &dyn Machines,
    id: &str,
    timeout: Duration,
) -> Result<u8, CliError> {
    let talker = Talker::default();
    let patience = Patience { timeout, wait: arguments.wait };
    let seen = console::watch(machines, id, patience, &talker)?;
    drop(talker);
    if arguments.raw {
        if seen.console.text().is_empty() {
            talk::line(&format!("hardtack: the console of {id} is empty"));
        }
        super::print_raw(seen.console.text())?;
        return Ok(0);
    }
    let again = format!("{id}{}", words::place(&arguments.place));
    if seen.credentials {
        let printed = PrintedAt::Since(started(&seen.machine));
        let around = Surroundings { host: seen.machine.host(), ..Surroundings::of_process(again, printed) };
        on_process(arguments, seen.console.text(), &around)?;
        return Ok(0);
    }
    tell_last(&seen, &again);
    match read(seen.console.text()) {
        Err(error @ (ReadError::Damaged { .. } | ReadError::Contradiction { .. })) => Err(unreadable(error)),
        _ => Ok(NO),
    }
}

/// When it was started, as `2026-11-22T08:13:00.000Z` says it.
fn started(machine: &Machine) -> Option<SystemTime> {
    let whole = machine.instance.launched.get(..19)?;
    let unix = time::parse_utc(&format!("{whole}Z"))?;
    UNIX_EPOCH.checked_add(Duration::from_secs(unix))
}

fn many(lines: usize) -> String {
    if lines == 1 { "line".to_owned() } else { format!("{lines} lines") }
}

/// What there is instead of a block: the last lines, why that may be, and how to go on.
///
/// `again` is what stands behind `hardtack console` to look again.
pub(crate) fn tell_last(seen: &Seen, again: &str) {
    let id = &seen.machine.instance.id;
    let lines = console::last_lines(seen.console.text(), LAST);
    if lines.is_empty() {
        talk::line(&format!("hardtack: the console of {id} is empty"));
    } else {
        talk::line(&format!("hardtack: the last {} of {id}'s console:", many(lines.len())));
        lines.iter().for_each(|line| talk::line(&format!("  | {line}")));
    }
    talk::line(&format!(
        "hardtack: {id} is {}, and there is no intact credentials block on its console ({} bytes)",
        super::show::plain(&seen.machine.instance.state.name),
        seen.console.text().len()
    ));
    let advice = console::advice(seen);
    if !advice.is_empty() {
        talk::line(&format!("hint: {advice}"));
    }
    talk::line(&format!("hint: to go on: hardtack console {again} --wait"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_tell_when_an_instance_was_started() {
        let mut machine = Machine::default();
        assert_eq!(started(&machine), None);
        for (text, wanted) in [
            ("2026-11-21T10:00:00.000Z", Some(1_795_255_200)),
            ("2026-11-21T10:00:00+00:00", Some(1_795_255_200)),
            ("yesterday", None),
        ] {
            machine.instance.launched = text.to_owned();
            assert_eq!(
                started(&machine),
                wanted.map(|unix| UNIX_EPOCH + Duration::from_secs(unix)),
                "{text}"
            );
        }
    }
}
