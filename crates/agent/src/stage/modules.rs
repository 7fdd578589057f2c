//! Modules of a stage, in order, each as often as it may (`cloudinit/config/modules.py`).

use std::time::Instant;

use hardtack_datasource::Found;
use hardtack_http::Transport;
use hardtack_modules::schedule::{Schedule, Scheduled};
use hardtack_modules::{Distro, Facts, Frequency, Machine, Outcome, Request, Stage};
use hardtack_userdata::{Finding, Part, Severity};

use crate::execute::{self, Execution};
use crate::host::Host;
use crate::instance;
use crate::log::Log;
use crate::record::{ModuleRecord, Record};
use crate::user_data::Configuration;

/// Modules that cloud-init runs, and notes as having run, though no key of theirs is in the configuration
/// (`activate_by_schema_keys` is empty).
const ALWAYS_RUN: [&str; 13] = [
    "seed_random",
    "mounts",
    "set_hostname",
    "users_groups",
    "ssh",
    "set_passwords",
    "ssh_import_id",
    "locale",
    "scripts_vendor",
    "scripts_per_instance",
    "scripts_user",
    "ssh_authkey_fingerprints",
    "keys_to_console",
];

/// What the modules of a stage run with.
pub(crate) struct Run<'a> {
    pub(crate) host: &'a Host,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) distro: &'a Distro,
    pub(crate) facts: &'a Facts,
    pub(crate) found: &'a Found,
    pub(crate) configuration: &'a Configuration,
    pub(crate) log: &'a Log,
    pub(crate) web: &'a dyn Transport,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// Runs the modules of `stage`. Returns what failed, as cloud-init words it in `status.json`.
pub(crate) fn run(cx: &Run<'_>, stage: Stage, record: &mut Record) -> Vec<String> {
    let schedule = Schedule::new(&cx.configuration.effective, cx.machine, cx.distro, cx.facts);
    let mut failures = Vec::new();
    for scheduled in schedule.iter().filter(|scheduled| scheduled.stage == stage) {
        failures.extend(one(cx, &scheduled, record));
    }
    failures
}

/// Runs the module `name` alone, whatever its stage; `None` when there is none of that name.
pub(crate) fn single(
    cx: &Run<'_>,
    name: &str,
    frequency: Option<Frequency>,
    record: &mut Record,
) -> Option<Vec<String>> {
    let schedule = Schedule::new(&cx.configuration.effective, cx.machine, cx.distro, cx.facts);
    let name = name.replace('-', "_");
    let name = name.strip_prefix("cc_").unwrap_or(&name);
    let mut scheduled = schedule.iter().find(|scheduled| scheduled.module.name == name)?;
    scheduled.frequency = frequency.unwrap_or(scheduled.frequency);
    Some(one(cx, &scheduled, record))
}

fn one(cx: &Run<'_>, scheduled: &Scheduled<'_>, record: &mut Record) -> Vec<String> {
    let started = Instant::now();
    let name = scheduled.module.name;
    let mut entry = ModuleRecord {
        stage: stage_name(scheduled.stage).to_owned(),
        module: name.to_owned(),
        ..ModuleRecord::default()
    };
    // What runs before the network is no module of cloud-init's own list, and has no semaphore there.
    let semaphore = (scheduled.stage != Stage::Local).then(|| format!("config_{name}"));
    if let Some(semaphore) = &semaphore
        && instance::has_run(cx.host, semaphore, scheduled.frequency)
    {
        entry.state = "ran before".to_owned();
        record.modules.push(entry);
        return Vec::new();
    }
    let request = Request {
        config: scheduled.config,
        parts: cx.configuration.parts(),
        machine: cx.machine,
        distro: cx.distro,
        facts: cx.facts,
    };
    let mut outcome = (scheduled.module.run)(&request);
    if name == hardtack_modules::scripts::CONSUME {
        take(cx, name, Frequency::Instance);
        outcome.actions.extend(vendor_scripts(&request, &cx.configuration.vendor_parts).actions);
    }
    let keys = scheduled.module.keys;
    let asked_for = keys.is_empty()
        || scheduled.config.iter().any(|(key, _)| key.as_text().is_some_and(|key| keys.contains(&key)));
    if outcome.actions.is_empty() && outcome.findings.is_empty() && !asked_for {
        if let Some(semaphore) = semaphore.filter(|_| ALWAYS_RUN.contains(&name)) {
            take(cx, &semaphore, scheduled.frequency);
        }
        return Vec::new();
    }
    if let Some(semaphore) = &semaphore {
        take(cx, semaphore, scheduled.frequency);
    }
    let told_before = cx.log.told().len();
    let failures = carry_out(cx, name, &outcome, record);
    let while_running = cx.log.told().len().saturating_sub(told_before);
    entry.actions = outcome.actions.len();
    entry.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    entry.state = match (failures.is_empty(), outcome.actions.is_empty()) {
        (false, _) => "failed",
        (true, true) => "nothing to do",
        (true, false) => "done",
    }
    .to_owned();
    let warnings = messages(&outcome.findings, Severity::Warning);
    entry.warnings = warnings.iter().map(|warning| cx.log.redacted(warning)).collect();
    let warned = outcome.findings.iter().filter(|finding| finding.severity == Severity::Warning);
    entry.warned = warned.map(crate::key_report::key_about).collect();
    entry.errors.clone_from(&failures);
    entry.keys = crate::key_report::keys_about(&outcome.findings);
    for warning in &entry.warnings {
        cx.log.warn(&format!("{name}: {warning}"));
    }
    // What actions have warned of stands in the log by now: a disk that is not there, a program that may fail.
    let told = cx.log.told();
    let said = told.get(told_before..).unwrap_or_default().iter().take(while_running);
    for (_, warning) in said {
        entry.warnings.push(warning.clone());
        entry.warned.push(crate::key_report::ALL.to_owned());
    }
    for failure in &failures {
        cx.log.error(&format!("{name} failed: {failure}"));
    }
    cx.log.info(&format!("{name}: {}, {} ms", entry.state, entry.milliseconds));
    record.modules.push(entry);
    // One for a module, however much of it failed.
    let all = failures.join("; ");
    (!failures.is_empty()).then(|| format!("('{name}', RuntimeError({all:?}))")).into_iter().collect()
}

/// Notes that a module runs now.
fn take(cx: &Run<'_>, semaphore: &str, frequency: Frequency) {
    if let Err(error) = instance::take(cx.host, semaphore, frequency, cx.now) {
        cx.log.warn(&error.to_string());
    }
}

/// Carries out what the module decided; then its own errors count, too.
fn carry_out(cx: &Run<'_>, module: &'static str, outcome: &Outcome, record: &mut Record) -> Vec<String> {
    let mut execution = Execution {
        host: cx.host,
        machine: cx.machine,
        distro: cx.distro,
        facts: cx.facts,
        config: &cx.configuration.effective,
        found: cx.found,
        log: cx.log,
        web: cx.web,
        record,
        module,
        passwords: Vec::new(),
    };
    let mut failures = execute::carry_out(&mut execution, outcome);
    failures.extend(messages(&outcome.findings, Severity::Error));
    // They go into the status, which is everybody's to read.
    failures.iter().map(|failure| cx.log.redacted(failure)).collect()
}

fn messages(findings: &[Finding], severity: Severity) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .map(|finding| finding.message.clone())
        .collect()
}

/// The same for the scripts of vendor-data, which lie in a directory of their own.
fn vendor_scripts(request: &Request<'_>, parts: &[Part]) -> Outcome {
    const OURS: &str = "/var/lib/cloud/instance/scripts/";
    let mut outcome = hardtack_modules::scripts::consume(&Request { parts, ..*request });
    for action in &mut outcome.actions {
        if let hardtack_modules::Action::Write { path, .. } = action
            && let Some(name) = path.strip_prefix(OURS)
        {
            *path = format!("{OURS}vendor/{name}");
        }
    }
    outcome
}

/// The word for a stage in the report.
fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "local",
        Stage::Network => "network",
        Stage::Config => "config",
        Stage::Final => "final",
    }
}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod tests;
