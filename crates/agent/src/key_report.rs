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
/// Where the output of programs is, unless the image's `output` says otherwise.
const OUTPUT: &str = "/var/log/cloud-init-output.log";

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
        let mut state = report.state.word();
        let mut reason = report.reason;
        if report.state == KeyState::Applied {
            if let Some(command) = failed_commands(record).find(|command| is_of(command, &report.key)) {
                state = KeyState::Failed.word();
                reason = Some(outcome(command));
            } else if !report.modules.iter().all(ran) {
                state = "waiting";
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

/// Whether `command` is an entry of `key`: `runcmd[2]`.
fn is_of(command: &CommandRecord, key: &str) -> bool {
    command.name.strip_prefix(key).is_some_and(|rest| rest.starts_with('['))
}

fn failed_commands(record: &Record) -> impl Iterator<Item = &CommandRecord> {
    record.commands.iter().filter(|command| command.status != Some(0))
}

/// `runcmd[2] exited with status 3`.
fn outcome(command: &CommandRecord) -> String {
    match (command.status, &command.note) {
        (Some(status), None) => format!("{} exited with status {status}", command.name),
        (Some(status), Some(note)) => format!("{} exited with status {status}: {note}", command.name),
        (None, Some(note)) => format!("{}: {note}", command.name),
        (None, None) => format!("{} did not run to its end", command.name),
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
        details.push(format!("{}; output in {OUTPUT}", outcome(command)));
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
    for part in &record.parts {
        details.push(format!("not applied: {}:{}: {}", part.name, part.line, part.message));
    }
    let mut lines = vec![format!("hardtack: user-data: {}", counts(record))];
    let room = LINES - 2;
    let shown = if details.len() > room { room - 1 } else { details.len() };
    lines.extend(details.iter().take(shown).map(|detail| format!("  {detail}")));
    if details.len() > shown {
        lines.push(format!("  and {} more", details.len() - shown));
    }
    lines.push(format!("  everything: {}", record::PATH));
    Some(lines.iter().map(|line| fit(line) + "\n").collect())
}

/// `14 keys applied, 1 failed, 2 unsupported`.
fn counts(record: &Record) -> String {
    if record.keys.is_empty() {
        return "no configuration".to_owned();
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
