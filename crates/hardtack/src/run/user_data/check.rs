//! `hardtack user-data check`: mistakes, told before they cost a launch.

use std::fmt::Write as _;
use std::io::Write;

use hardtack_userdata::Severity;
use hardtack_userdata::check::{Report, check};
use serde_json::json;

use super::input::Instance;
use super::{input, machine, secrecy, ways_in};
use crate::args::CheckArgs;
use crate::error::CliError;
use crate::talk;

/// The answer is no: there are errors.
const NO: u8 = 1;

/// Checks all files.
pub(super) fn run(arguments: &CheckArgs) -> Result<u8, CliError> {
    let (inputs, unread) = input::read_each(&arguments.files)?;
    let image = arguments.image.as_deref().map(|path| machine::open(path, &arguments.open)).transpose()?;
    let instance = Instance::read(&arguments.read)?;
    let mut reports = Vec::new();
    for input in &inputs {
        let mut report = check(&input.name, &input.bytes, &instance.options());
        if let Some(image) = &image {
            let verdict = ways_in::look(&report, &image.guest, today())?;
            report.findings.retain(|general| !verdict.knows_better(general));
            report.add(verdict.findings);
        }
        secrecy::cover(&mut report);
        reports.push((input.name.as_str(), report));
    }
    let failed = |report: &Report| !report.is_valid() || (arguments.strict && !report.findings.is_empty());
    let text = if arguments.json { json_text(&reports, &failed) } else { pictures(&reports) };
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::stream)?;
    // What could be read was told. All errors are, and the last one is the answer.
    let mut unread = unread.into_iter().peekable();
    while let Some(error) = unread.next() {
        if unread.peek().is_none() {
            return Err(error);
        }
        talk::line(error.report().trim_end());
    }
    Ok(if reports.iter().any(|(_, report)| failed(report)) { NO } else { 0 })
}

/// Days since 1970.
fn today() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs() / 86_400).unwrap_or(i64::MAX)
}

fn json_text(reports: &[(&str, Report)], failed: &dyn Fn(&Report) -> bool) -> String {
    let files: Vec<_> = reports
        .iter()
        .map(|(name, report)| {
            json!({"file": name, "valid": !failed(report), "findings": report.findings_json()})
        })
        .collect();
    format!("{}\n", json!({ "files": files }))
}

fn pictures(reports: &[(&str, Report)]) -> String {
    let mut out = String::new();
    let (mut errors, mut warnings) = (0, 0);
    for (name, report) in reports {
        let pictures = report.pictures();
        if pictures.is_empty() {
            let _ = writeln!(out, "{}: {}", hardtack_yaml::diagnostic::escape(name), contents(report));
            continue;
        }
        out.push_str(&pictures);
        out.push('\n');
        errors += report.count(Severity::Error);
        warnings += report.count(Severity::Warning);
    }
    if errors + warnings > 0 {
        let files = if reports.len() > 1 { format!(" in {} files", reports.len()) } else { String::new() };
        let _ = writeln!(out, "{}, {}{files}", count(errors, "error"), count(warnings, "warning"));
    }
    out
}

/// What was looked at, since "no mistakes" alone could also mean that nothing was.
fn contents(report: &Report) -> String {
    let parts = &report.data.parts;
    match &parts[..] {
        [] => "empty, no mistakes found".to_owned(),
        [part] => format!("{}, no mistakes found", part.content_type),
        parts => {
            let types: Vec<&str> = parts.iter().map(|part| part.content_type.as_str()).collect();
            format!("{} parts ({}), no mistakes found", parts.len(), types.join(", "))
        }
    }
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
