//! Putting together what the other commands have left.

use hardtack_credentials::AgentConfig;

use super::{Overlay, Overview, Packages, State, UserData, units};
use crate::enrol::outcome::{self, Outcome};
use crate::enrol::{Enrolment, look};
use crate::guard::{self, Verdict};
use crate::host::Host;
use crate::record::{self, Record};
use crate::{accounts, again, config, facts, overlay, packages, tasks};

/// Looks at everything that whoever asks may see.
pub(super) fn collect(host: &Host) -> Overview {
    let mut overview = Overview {
        version: 1,
        state: State::Unknown,
        problems: Vec::new(),
        partial: false,
        recipe: None,
        mode: None,
        hostname: facts::hostname(host),
        instance_id: facts::instance_id(host),
        units: units::units(host),
        packages: None,
        tasks: Vec::new(),
        user_data: None,
        enrolment: None,
        guard: None,
        doors: Vec::new(),
        overlay: Overlay::default(),
        printed_whole: None,
    };
    let found = overlay::root(host);
    overview.overlay.found = found.overlay.map(str::to_owned);
    overview.overlay.device.clone_from(&found.device);
    for unit in overview.units.iter().filter(|unit| unit.state == "failed") {
        overview.problems.push(format!("{} failed: journalctl -u {} says why", unit.name, unit.name));
    }
    let known = match config::load(host) {
        Ok(config) => {
            fill(host, &config, &found, &mut overview);
            true
        }
        Err(_) if is_closed(host) => {
            overview.partial = true;
            false
        }
        Err(error) => {
            overview.problems.push(error.to_string());
            true
        }
    };
    let pending = match overview.units.is_empty() {
        // Nobody to ask: the block comes last.
        true => overview.printed_whole.is_none() || overview.tasks.iter().any(tasks::Line::is_pending),
        false => overview.units.iter().any(units::Unit::is_pending),
    };
    overview.state = match (overview.problems.is_empty(), pending, known) {
        (false, _, _) => State::Failed,
        (true, true, _) => State::Running,
        (true, false, true) => State::Done,
        (true, false, false) => State::Unknown,
    };
    overview
}

/// Whether it is there and not for whoever asks.
fn is_closed(host: &Host) -> bool {
    let opened = std::fs::File::open(host.path(config::CONFIG));
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

fn fill(host: &Host, config: &AgentConfig, found: &overlay::Root, overview: &mut Overview) {
    overview.recipe = Some(config.recipe.clone());
    overview.mode = Some(config.mode.clone());
    overview.doors.clone_from(&config.doors);
    overview.printed_whole = again::printed(host).map(|printed| printed.whole);
    if let Some(promised) = &config.overlay {
        overview.overlay.promised = Some(promised.mode.clone());
        if let Some(wrong) = overlay::wrong(host, config, found) {
            overview.problems.push(wrong.clone());
            overview.overlay.wrong = Some(wrong);
        }
    }
    if config.packages.is_some()
        && let Some(outcome) = packages::recorded(host)
    {
        if !outcome.ok {
            overview.problems.push(format!("packages: {}", outcome.detail));
        }
        overview.packages = Some(Packages { ok: outcome.ok, detail: outcome.detail });
    }
    overview.tasks = tasks::look(host, config);
    for task in overview.tasks.iter().filter(|task| task.is_wrong()) {
        overview.problems.push(format!("task {}; {} says more", task.text(), tasks::LOG));
    }
    user_data(host, config, overview);
    if config.mfa.is_some() {
        if host.exists(outcome::PATH) {
            enrolment(host, Outcome::load(host), overview);
        }
        judged(guard::current(host), overview);
    }
}

fn user_data(host: &Host, config: &AgentConfig, overview: &mut Overview) {
    if config.mode != "replace" {
        let result = host.read("/run/cloud-init/result.json").ok().flatten();
        let result: serde_json::Value =
            result.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let errors = result.pointer("/v1/errors").and_then(serde_json::Value::as_array);
        for error in errors.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            overview.problems.push(format!("cloud-init: {error}"));
        }
    }
    if !host.exists(record::PATH) {
        return;
    }
    let record = Record::load(host);
    for key in record.keys.iter().filter(|key| key.state == "failed") {
        let why = key.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        overview.problems.push(format!("{}:{}: {} failed{why}", key.file, key.line, key.key));
    }
    for module in record.modules.iter().filter(|module| module.state == "failed") {
        // A key of theirs has said it, where they have one.
        if module.keys.is_empty() && !record.keys.iter().any(|key| key.state == "failed") {
            overview.problems.push(format!(
                "the module {} failed: {}",
                module.module,
                module.errors.join("; ")
            ));
        }
    }
    for command in record.commands.iter().filter(|command| command.status != Some(0)) {
        let how = match (command.status, &command.note) {
            (Some(status), _) => format!("ended with status {status}"),
            (None, Some(note)) => note.clone(),
            (None, None) => "did not run".to_owned(),
        };
        overview.problems.push(format!("{}: {how}", command.name));
    }
    for part in &record.parts {
        overview.problems.push(format!("{}: {}", part.name, part.message));
    }
    let mut commands = record.commands;
    for command in &mut commands {
        // It may be anything, and stands in the report.
        command.tail.clear();
    }
    overview.user_data = Some(UserData {
        datasource: record.datasource,
        keys: record.keys,
        commands,
        parts: record.parts,
        warnings: record.warnings,
    });
}

fn enrolment(host: &Host, mut outcome: Outcome, overview: &mut Overview) {
    // The outcome is of the boot; somebody may have logged in since.
    for user in outcome.users.iter_mut().filter(|user| user.state == "fresh") {
        let account = accounts::find(host, &user.name).ok().flatten();
        if account.is_some_and(|account| matches!(look(host, &account), Ok(Enrolment::Used))) {
            "used".clone_into(&mut user.state);
        }
    }
    overview.problems.extend(outcome.foreign.iter().cloned());
    for user in outcome.users.iter().filter(|user| user.state == "failed") {
        let why = user.reason.as_deref().unwrap_or("the journal says why");
        overview.problems.push(format!("{} is not enrolled: {why}", user.name));
    }
    overview.problems.extend(outcome.notes.iter().cloned());
    overview.enrolment = Some(outcome);
}

fn judged(state: Option<guard::State>, overview: &mut Overview) {
    if let Some(state) = &state {
        overview.problems.extend(
            state.drift().into_iter().map(|drift| format!("logins ask for less than promised: {drift}")),
        );
        if state.verdict == Verdict::Unknown {
            overview.problems.extend(state.notes.iter().cloned());
        }
        if state.ssh_held {
            overview.problems.push("SSH is stopped until that is repaired".to_owned());
        }
    }
    overview.guard = state;
}
