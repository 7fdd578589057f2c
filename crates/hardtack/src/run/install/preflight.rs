//! Checks that are made before anything else, and how they are told.

use std::io::Write as _;
use std::path::Path;

use hardtack_cloud::ec2::Image;
use hardtack_publish::journal::Journal;
use hardtack_publish::preflight::{Check, Outcome};
use serde_json::json;

use super::{Order, disk};
use crate::error::{CliError, NO};
use crate::source::Input;
use crate::talk;

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "good",
        Outcome::Doubtful => "doubtful",
        Outcome::Bad => "bad",
    }
}

fn is_bad(check: &Check) -> bool {
    check.outcome == Outcome::Bad
}

/// Tells what is doubtful. When anything is bad everything is told, and nothing goes on.
pub(super) fn pass(checks: &[Check]) -> Result<(), CliError> {
    let bad = checks.iter().filter(|check| is_bad(check)).count();
    for check in checks {
        let line = format!("{}: {}: {}", check.subject, word(check.outcome), check.text);
        match (bad > 0, check.outcome) {
            (true, _) => talk::line(&line),
            (false, Outcome::Doubtful) => talk::note(&format!("{}: {}", check.subject, check.text)),
            (false, _) => {}
        }
    }
    match bad {
        0 => Ok(()),
        1 => Err(CliError::refused("nothing was sent: a check is bad, see above")),
        _ => Err(CliError::refused(format!("nothing was sent: {bad} checks are bad, see above"))),
    }
}

/// An image that is there, so that nothing is built.
pub(super) fn found(image: &Image) -> Check {
    let text = format!("{} ({}) is what is wanted: nothing would be built", image.id, image.name);
    Check { subject: "image", outcome: Outcome::Good, text }
}

/// Whether the journal is free for this run, or of an earlier run of the same; nothing where there is none.
pub(super) fn journal(path: &Path, earlier: &Result<Option<Journal>, CliError>) -> Vec<Check> {
    const SUBJECT: &str = "journal";
    match earlier {
        Ok(None) => Vec::new(),
        Ok(Some(journal)) => {
            let path = path.display();
            let text = match journal.standing().len() {
                1 => format!("{path}: an earlier run goes on; one thing stands in it"),
                things => format!("{path}: an earlier run goes on; {things} things stand in it"),
            };
            vec![Check { subject: SUBJECT, outcome: Outcome::Good, text }]
        }
        Err(error) => {
            vec![Check { subject: SUBJECT, outcome: Outcome::Bad, text: one_line(&error.report()) }]
        }
    }
}

/// What only the disk itself can say, for `--dry-run`: whether the options fit it, and whether the recipe can be
/// carried out in it. Nothing of it is written anywhere.
pub(super) fn disk(order: &Order<'_>, input: Input) -> Check {
    const SUBJECT: &str = "disk";
    let looked = disk::look(order, &input.disk);
    match looked.and_then(|looks| Ok((looks, disk::ready(order, input)?))) {
        Ok((looks, ready)) => {
            let boots = looks.boot_mode.map_or("how it boots is not known", |mode| mode.name());
            let changes = ready.changes.map(|(changes, _)| format!(", changes of the recipe: {changes}"));
            let text = format!("{}, {boots}{}", looks.architecture, changes.unwrap_or_default());
            Check { subject: SUBJECT, outcome: Outcome::Good, text }
        }
        Err(error) => Check { subject: SUBJECT, outcome: Outcome::Bad, text: one_line(&error.report()) },
    }
}

/// An error's report, for a line of its own.
pub(super) fn one_line(report: &str) -> String {
    let report = report.strip_prefix("hardtack: ").unwrap_or(report);
    report.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// The answer of `--dry-run`: all checks, and 1 when one is bad.
pub(super) fn answer(checks: &[Check], json: bool) -> Result<u8, CliError> {
    let mut out = std::io::stdout().lock();
    let bad = checks.iter().any(is_bad);
    let told = if json {
        let checks: Vec<_> = checks
            .iter()
            .map(
                |check| json!({"subject": check.subject, "outcome": word(check.outcome), "text": check.text}),
            )
            .collect();
        writeln!(out, "{}", json!({"good": !bad, "checks": checks}))
    } else {
        checks
            .iter()
            .try_for_each(|check| writeln!(out, "{}\t{}\t{}", word(check.outcome), check.subject, check.text))
    };
    told.map_err(CliError::stream)?;
    Ok(if bad { NO } else { 0 })
}
