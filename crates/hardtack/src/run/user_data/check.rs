//! `hardtack user-data check`: mistakes, told before they cost a launch.

use std::io::Write;
use std::path::Path;

use hardtack_userdata::check::{CheckOptions, Report, check};
use hardtack_userdata::report;
use serde_json::json;

use super::input::Instance;
use super::{input, machine, ways_in};
use crate::args::{CheckArgs, SourceArgs};
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
        report.cover();
        reports.push((input.name.as_str(), report));
    }
    let failed = |report: &Report| !report.is_valid() || (arguments.strict && !report.findings.is_empty());
    let text = match arguments.json {
        true => json_text(&reports, &failed),
        false => {
            let all: Vec<(&str, &Report)> = reports.iter().map(|(name, report)| (*name, report)).collect();
            report::of_files(&all)
        }
    };
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

/// What user-data does to an image's way in.
pub(crate) struct Against {
    /// For people: the findings with pictures of the lines; empty without findings.
    pub(crate) told: String,
    /// Some are errors.
    pub(crate) failed: bool,
}

/// Looks at user-data, as an instance would get it, on the disk of its image. What is wrong with it wherever it is used,
/// is not told here.
///
/// # Errors
/// The disk cannot be looked into.
pub(crate) fn against(name: &str, bytes: &[u8], disk: &Path) -> Result<Against, CliError> {
    let image = machine::open_disk(disk, &SourceArgs::default())?;
    let mut report = check(name, bytes, &CheckOptions::default());
    let verdict = ways_in::look(&report, &image.guest, today())?;
    report.findings.clear();
    report.add(verdict.findings);
    report.cover();
    let told = match report.findings.is_empty() {
        true => String::new(),
        false => report::of_files(&[(name, &report)]),
    };
    Ok(Against { told, failed: !report.is_valid() })
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
