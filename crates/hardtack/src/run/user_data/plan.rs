//! `hardtack user-data plan`: what user-data would do to an image.

use std::io::Write;

use hardtack_guest::dpkg::status::Database;
use hardtack_guest::{Stage, Tree};
use hardtack_modules::system::CLOUD_INIT;
use hardtack_modules::{Action, Distro, Facts, Request, plan, text};
use hardtack_userdata::Severity;
use hardtack_userdata::check::check;
use hardtack_userdata::redact::Redactor;

use super::input::Instance;
use super::machine::{self, GuestMachine};
use super::ways_in::agent_config;
use super::{image_config, input};
use crate::args::PlanArgs;
use crate::error::CliError;
use crate::talk;

/// The user-data has errors, or a module fails on it.
const NO: u8 = 1;

/// Shows the plan for one file and one image.
pub(super) fn run(arguments: &PlanArgs) -> Result<u8, CliError> {
    let input = input::read(&arguments.file)?;
    let instance = Instance::read(&arguments.read)?;
    let mut report = check(&input.name, &input.bytes, &instance.options());
    let image = machine::open(&arguments.image, &arguments.open)?;
    let machine = GuestMachine::new(&image.guest);
    let config = image_config::effective(&report.config, &machine);
    let request = Request {
        config: &config,
        parts: &report.data.parts,
        machine: &machine,
        distro: &Distro::read(&machine),
        facts: &Facts::default(),
    };
    let mut plan = plan(&request);
    // What the image's own configuration holds is no news.
    plan.keys.retain(|key| key.place.part != image_config::IN_IMAGE);
    let mut findings = plan.steps.iter().flat_map(|step| &step.findings);
    let failed = findings.any(|finding| finding.severity == Severity::Error);
    // The user-data's secrets and the image's: a recipe's hashes are in its own configuration.
    let redactor = Redactor::new(&[&config, &report.config]);
    for action in plan.steps.iter_mut().flat_map(|step| &mut step.actions) {
        cover(action, &redactor);
    }
    let parts = &report.data.parts;
    let shown = if arguments.json {
        let mut json = text::json(&plan, parts);
        redactor.json(&mut json);
        format!("{json}\n")
    } else {
        redactor.text(&text::text(&plan, parts))
    };
    report.cover();
    if !report.findings.is_empty() {
        talk::line(report.pictures().trim_end());
    }
    if let Some(version) = other_release(&machine, &image.guest)? {
        talk::note(&format!(
            "this is what cloud-init {CLOUD_INIT} does; the image has {version}, which does some of it otherwise \
             (docs/differences.md)"
        ));
    }
    std::io::stdout().write_all(shown.as_bytes()).map_err(CliError::stream)?;
    Ok(if report.is_valid() && !failed { 0 } else { NO })
}

/// The release of the cloud-init that applies user-data in the image, where it is not the one whose rules are followed.
fn other_release(machine: &GuestMachine<'_>, guest: &dyn Tree) -> Result<Option<String>, CliError> {
    if agent_config(machine).is_some_and(|agent| agent.mode == "replace") {
        return Ok(None);
    }
    let Some(database) = Database::read(&Stage::new(guest))? else { return Ok(None) };
    let entry = database.by_name("cloud-init").filter(|entry| entry.state.is_configured());
    let version = entry.and_then(|entry| Some(entry.package.as_ref()?.version.to_string()));
    Ok(version.filter(|version| !version.starts_with(CLOUD_INIT)))
}

/// Covers what looks like a secret in files and scripts: people write passwords into both.
fn cover(action: &mut Action, redactor: &Redactor) {
    let content = match action {
        Action::Write { content, .. } | Action::Append { content, .. } => content,
        Action::Run { stdin: Some(content), .. } => content,
        Action::Fetch { fallback: Some(content), .. } => content,
        Action::Console { text } => text,
        _ => return,
    };
    // What is not shown at all keeps its length.
    if content.secret {
        return;
    }
    if let Ok(text) = std::str::from_utf8(&content.bytes) {
        content.bytes = redactor.content(text).into_bytes();
    }
}

#[cfg(test)]
mod tests {
    use hardtack_modules::Content;

    use super::*;

    #[test]
    fn what_is_not_shown_keeps_its_length() {
        for (content, length) in
            [(Content::secret("joe:$6$salt$hash\n"), 17), (Content::open("joe:$6$salt$hash\n"), 15)]
        {
            let path = "/a".to_owned();
            let mut action = Action::Write { path, content, mode: None, owner: None };
            cover(&mut action, &Redactor::default());
            let Action::Write { content, .. } = action else { return };
            assert_eq!(content.bytes.len(), length, "{content:?}");
        }
    }
}
