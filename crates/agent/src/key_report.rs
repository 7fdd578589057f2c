//! What became of every key and every part of the user-data, and the few lines of it that stand on the console.
//!
//! Stages are programs of their own, so the report is made anew by each of them, from the user-data and from
//! what all stages so far have noted of their modules and commands.

use hardtack_modules::plan::{Failure, keys_of};
use hardtack_modules::schedule::Schedule;
use hardtack_modules::{Distro, KeyState};
use hardtack_userdata::redact::Redactor;
use hardtack_userdata::split::UserData;
use hardtack_userdata::{Finding, Part, PartKind, Place, Severity};

use crate::record::{self, CommandRecord, KeyRecord, PartRecord, Record};
use crate::user_data::Configuration;

/// Lines of the summary: a serial console shows 24.
const LINES: usize = 12;
/// Columns of a serial console.
const COLUMNS: usize = 80;
/// Where scripts lie: a console has no room for it.
const INSTANCE: &str = "/var/lib/cloud/instance/";
/// Where the output of programs is, unless the image's `output` says otherwise.
const OUTPUT: &str = "/var/log/cloud-init-output.log";

/// The reason of a key whose modules have all done their work on an earlier boot of this instance.
const EARLIER: &str = "done on an earlier boot";
/// In [`record::ModuleRecord::warned`]: about whatever the module reads.
pub(crate) const ALL: &str = "*";
/// The reason of keys that are read of nothing, since the user-data fails as a whole.
const WHOLE: &str = "the user-data fails as a whole, and nothing of it is applied";

/// The top-level key that a warning is about, for [`record::ModuleRecord::warned`]; empty where it does not tell.
pub(crate) fn key_about(finding: &Finding) -> String {
    finding.path.split(['.', '[']).next().unwrap_or_default().to_owned()
}

/// The keys that errors among `findings` are about, for [`record::ModuleRecord::keys`].
pub(crate) fn keys_about(findings: &[Finding]) -> Vec<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let mut keys: Vec<String> = errors
        .filter_map(|finding| finding.path.split('.').next())
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
        .collect();
    keys.dedup();
    keys
}

/// Brings `record.keys` and `record.parts` up to what `record.modules` and `record.commands` say by now.
/// Called when a stage is at its end.
pub(crate) fn update(
    record: &mut Record,
    configuration: &Configuration,
    schedule: &Schedule,
    distro: &Distro,
) {
    let redactor = Redactor::new(&[&configuration.effective, &configuration.user_config.config]);
    let keys = keys(record, configuration, schedule, distro, &redactor);
    record.keys = keys;
    record.parts = parts(configuration, &redactor);
    record.warnings = warnings(configuration, &redactor);
    // A program may print what the user-data gave it.
    for command in &mut record.commands {
        command.tail = redactor.text(&command.tail);
    }
}

fn keys(
    record: &Record,
    configuration: &Configuration,
    schedule: &Schedule,
    distro: &Distro,
    redactor: &Redactor,
) -> Vec<KeyRecord> {
    let mut failures = Vec::new();
    for module in &record.modules {
        for message in &module.errors {
            failures.push(Failure { module: &module.module, path: "", message });
        }
        for key in &module.keys {
            let about = module.errors.iter().find(|message| message.contains(key.as_str()));
            if let Some(message) = about.or(module.errors.first()) {
                failures.push(Failure { module: &module.module, path: key, message });
            }
        }
    }
    let user = &configuration.user;
    let reports = keys_of(&configuration.user_config.config, schedule, distro, &failures);
    let records = reports.into_iter().map(|report| {
        let (file, line) = locate(user, report.place);
        let ran = |name: &String| record.modules.iter().any(|module| module.module == *name);
        let ran_before = |name: &String| {
            let mut runs = record.modules.iter().filter(|module| module.module == *name).peekable();
            runs.peek().is_some() && runs.all(|module| module.state == "ran before")
        };
        let mut state = report.state.word();
        let mut reason = report.reason;
        if report.state == KeyState::Applied {
            if let Some(command) = failed_commands(record).find(|command| is_of(command, &report.key)) {
                state = KeyState::Failed.word();
                reason = Some(outcome(command));
            } else if user.failed {
                state = KeyState::Failed.word();
                reason = Some(WHOLE.to_owned());
            } else if !report.modules.iter().all(ran) {
                state = "waiting";
            } else if let Some((warning, is_done)) = warning(record, &report.modules, &report.key) {
                if !is_done {
                    state = KeyState::Ignored.word();
                }
                reason = Some(warning.to_owned());
            } else if !report.modules.is_empty() && report.modules.iter().all(ran_before) {
                reason = Some(EARLIER.to_owned());
            }
        }
        let took = record.modules.iter().filter(|module| report.modules.contains(&module.module));
        KeyRecord {
            key: report.key,
            state: state.to_owned(),
            file,
            line,
            milliseconds: took.map(|module| module.milliseconds).fold(0, u64::saturating_add),
            modules: report.modules,
            reason: reason.map(|reason| redactor.text(&reason)),
        }
    });
    records.collect()
}

/// What a module that reads `key` warns of it, and whether the module has done anything nevertheless.
fn warning<'a>(record: &'a Record, modules: &[String], key: &str) -> Option<(&'a str, bool)> {
    let ran = || record.modules.iter().filter(|module| modules.contains(&module.module));
    let mut pairs = ran().flat_map(|module| module.warned.iter().zip(&module.warnings));
    let of_key = pairs.clone().find(|(about, _)| *about == key);
    let (_, warning) = of_key.or_else(|| pairs.find(|(about, _)| *about == ALL))?;
    Some((warning.as_str(), ran().any(|module| module.actions > 0)))
}

/// Whether `command` is an entry of `key`: `runcmd[2]`.
fn is_of(command: &CommandRecord, key: &str) -> bool {
    command.name.strip_prefix(key).is_some_and(|rest| rest.starts_with('['))
}

fn failed_commands(record: &Record) -> impl Iterator<Item = &CommandRecord> {
    record.commands.iter().filter(|command| command.status != Some(0))
}

/// `runcmd[2] exited with status 3`, `scripts/part-001 exited with status 3`.
fn outcome(command: &CommandRecord) -> String {
    let name = command.name.strip_prefix(INSTANCE).unwrap_or(&command.name);
    // What could not be started is named in the note, too.
    let note =
        command.note.as_deref().map(|note| note.strip_prefix(&*command.name).unwrap_or(note).trim_start());
    match (command.status, note) {
        (Some(status), None) => format!("{name} exited with status {status}"),
        (Some(status), Some(note)) => format!("{name} exited with status {status}: {note}"),
        (None, Some(note)) if note.starts_with("cannot ") => format!("{name} {note}"),
        (None, Some(note)) => format!("{name}: {note}"),
        (None, None) => format!("{name} did not run to its end"),
    }
}

/// File and line of a place in a part, or in the user-data as a whole.
fn locate(user: &UserData, place: Place) -> (String, usize) {
    let diagnostic = user.diagnostic(&Finding::warning("", place, ""));
    (diagnostic.file, diagnostic.span.line)
}

/// Parts that nobody applies, and errors over which something of them is left out.
fn parts(configuration: &Configuration, redactor: &Redactor) -> Vec<PartRecord> {
    let user = &configuration.user;
    let told = |finding: &&Finding| finding.severity == Severity::Error && !user.is_told(finding);
    let findings: Vec<&Finding> =
        user.findings.iter().chain(&configuration.user_config.findings).filter(told).collect();
    let mut records: Vec<PartRecord> = findings
        .iter()
        .map(|finding| {
            let diagnostic = user.diagnostic(finding);
            let message = redactor.text(&finding.message);
            PartRecord { name: diagnostic.file, line: diagnostic.span.line, message }
        })
        .collect();
    for (index, part) in user.parts.iter().enumerate() {
        let Some(why) = unapplied(part) else { continue };
        if findings.iter().any(|finding| finding.place.part == index) {
            continue;
        }
        let line = part.origin.lines_before.saturating_add(1);
        let message = format!("{} ({}): {why}", part.filename, part.content_type);
        records.push(PartRecord { name: part.origin.file.clone(), line, message });
    }
    records
}

/// What is strange in parts that are applied: a variable that a template does not get, a key that is overwritten.
fn warnings(configuration: &Configuration, redactor: &Redactor) -> Vec<PartRecord> {
    let user = &configuration.user;
    let findings = user.findings.iter().chain(&configuration.user_config.findings);
    findings
        .filter(|finding| finding.severity == Severity::Warning && !user.is_told(finding))
        .map(|finding| {
            let diagnostic = user.diagnostic(finding);
            let message = redactor.text(&finding.message);
            PartRecord { name: diagnostic.file, line: diagnostic.span.line, message }
        })
        .collect()
}

/// Why nothing is done with a part.
fn unapplied(part: &Part) -> Option<&'static str> {
    match part.kind {
        PartKind::PartHandler => Some("this is Python for cloud-init's own process, and is not run"),
        PartKind::Template => Some("this template was not rendered"),
        PartKind::Include | PartKind::IncludeOnce => Some("what this part includes was not fetched"),
        PartKind::Unhandled if part.payload.is_empty() => None,
        PartKind::Unhandled => Some("nothing handles a part of this type"),
        _ => None,
    }
}

/// The summary for the console: at most 12 lines of at most 80 columns in ASCII; `None` when there was no
/// user-data to tell of.
pub(crate) fn summary(record: &Record) -> Option<String> {
    if record.keys.is_empty() && record.parts.is_empty() && record.commands.is_empty() {
        return None;
    }
    let mut details: Vec<String> = Vec::new();
    for command in failed_commands(record) {
        let what = outcome(command);
        // What never ran has printed nothing.
        let has_run = !what.contains(" cannot be run");
        details.push(if has_run { format!("{what}; output in {OUTPUT}") } else { what });
    }
    for state in ["failed", "unsupported", "ignored", "waiting"] {
        for key in record.keys.iter().filter(|key| key.state == state) {
            if state == "failed" && failed_commands(record).any(|command| is_of(command, &key.key)) {
                continue;
            }
            let reason = key.reason.as_deref().unwrap_or("its stage has not run");
            details.push(format!("{state}: {} ({}:{}): {reason}", key.key, key.file, key.line));
        }
    }
    let warned = |key: &&record::KeyRecord| {
        key.state == "applied" && key.reason.as_deref().is_some_and(|reason| reason != EARLIER)
    };
    let mut reasons: Vec<&str> = Vec::new();
    for key in record.keys.iter().filter(warned) {
        let reason = key.reason.as_deref().unwrap_or_default();
        // One disk that is missing is one line, whatever keys are about it.
        if reasons.contains(&reason) {
            continue;
        }
        reasons.push(reason);
        details.push(format!("warning: {} ({}:{}): {reason}", key.key, key.file, key.line));
    }
    for part in &record.parts {
        details.push(format!("not applied: {}:{}: {}", part.name, part.line, part.message));
    }
    for part in &record.warnings {
        details.push(format!("warning: {}:{}: {}", part.name, part.line, part.message));
    }
    let mut lines = vec![format!("hardtack: user-data: {}", counts(record))];
    let room = LINES - 2;
    let shown = if details.len() > room { room - 1 } else { details.len() };
    // Where there is room, what is long goes on in a second line.
    let mut spare = room.saturating_sub(details.len());
    for detail in details.iter().take(shown) {
        let detail = format!("  {detail}");
        match broken(&detail) {
            Some((first, second)) if spare > 0 => {
                spare -= 1;
                lines.extend([first, format!("    {second}")]);
            }
            _ => lines.push(detail),
        }
    }
    if details.len() > shown {
        lines.push(format!("  and {} more", details.len() - shown));
    }
    lines.push(format!("  everything: {}", record::PATH));
    Some(lines.iter().map(|line| fit(line) + "\n").collect())
}

/// A line that is too long in two, at the last space that fits.
fn broken(line: &str) -> Option<(String, String)> {
    if line.chars().count() <= COLUMNS {
        return None;
    }
    let (end, _) = line.char_indices().nth(COLUMNS)?;
    let first = line.get(..end)?.rfind(' ').and_then(|space| line.split_at_checked(space));
    let (first, second) = first.filter(|(first, _)| first.trim().len() > COLUMNS / 2)?;
    Some((first.to_owned(), second.trim_start().to_owned()))
}

/// `14 keys applied, 1 failed, 2 unsupported`; of user-data that is a script, how many programs ran.
fn counts(record: &Record) -> String {
    if record.keys.is_empty() {
        return match record.commands.len() {
            0 => "no configuration".to_owned(),
            1 => "no configuration, 1 program".to_owned(),
            programs => format!("no configuration, {programs} programs"),
        };
    }
    let count = |state: &str| record.keys.iter().filter(|key| key.state == state).count();
    let applied = count("applied");
    let mut text = format!("{applied} {} applied", if applied == 1 { "key" } else { "keys" });
    for state in ["failed", "unsupported", "ignored", "waiting"] {
        if count(state) > 0 {
            text.push_str(&format!(", {} {state}", count(state)));
        }
    }
    text
}

/// One line of ASCII that fits.
fn fit(line: &str) -> String {
    let plain = |character: char| match character {
        ' '..='~' => character,
        _ if character.is_whitespace() => ' ',
        _ => '?',
    };
    let mut text: String = line.chars().map(plain).take(COLUMNS + 1).collect();
    if text.len() > COLUMNS {
        text.truncate(COLUMNS - 3);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
