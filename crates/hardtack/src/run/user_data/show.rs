//! `hardtack user-data show`: the parts, and the configuration that they make.

use std::fmt::Write as _;
use std::io::Write;

use hardtack_userdata::check::{Report, check};
use hardtack_userdata::report::severity_word;
use hardtack_userdata::{Finding, Severity};
use hardtack_yaml::diagnostic::escape;

use super::input::Instance;
use super::{input, yaml};
use crate::args::ShowArgs;
use crate::error::CliError;
use crate::talk;

/// A part could not be read.
const NO: u8 = 1;

/// Shows one file.
pub(super) fn run(arguments: &ShowArgs) -> Result<u8, CliError> {
    let input = input::read(&arguments.file)?;
    let instance = Instance::read(&arguments.read)?;
    let mut report = check(&input.name, &input.bytes, &instance.options());
    report.cover();
    // Mistakes inside of parts are `check`'s; here only those count that take something away.
    for finding in &report.unread {
        let diagnostic = report.diagnostic(finding);
        let place = format!("{}:{}:{}", diagnostic.file, diagnostic.span.line, diagnostic.span.column);
        let word = severity_word(finding.severity);
        talk::line(&format!("{word}: {place}: {}", diagnostic.message));
    }
    if arguments.json {
        write_json(&report).map_err(CliError::stream)?;
    } else {
        std::io::stdout().write_all(people(&input.name, &report).as_bytes()).map_err(CliError::stream)?;
    }
    let lost = |finding: &Finding| finding.severity == Severity::Error;
    Ok(if report.unread.iter().any(lost) { NO } else { 0 })
}

/// Written as it is made: a second copy of all parts would be as large as they are.
fn write_json(report: &Report) -> std::io::Result<()> {
    let config = hardtack_userdata::json::map(&report.config);
    let json = hardtack_userdata::show::json(&report.data.parts, &config);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut out, &json)?;
    writeln!(out)?;
    out.flush()
}

fn people(name: &str, report: &Report) -> String {
    let mut out = String::new();
    let parts = &report.data.parts;
    let plural = if parts.len() == 1 { "" } else { "s" };
    let _ = writeln!(out, "{}: {} part{plural}", escape(name), parts.len());
    let widest = parts.iter().map(|part| part.filename.chars().count()).max().unwrap_or_default().min(40);
    let types = parts.iter().map(|part| part.content_type.len()).max().unwrap_or_default().min(40);
    for (index, part) in parts.iter().enumerate() {
        let mut words = vec![format!("{} bytes", part.payload.len())];
        if let Some(index) = &part.launch_index {
            words.push(format!("for launch index {}", escape(index)));
        }
        if let Some(how) = &part.merge_type {
            words.push(format!("merged by {}", escape(how)));
        }
        let _ = writeln!(
            out,
            "{:>3}. {:widest$}  {:types$}  {}",
            index.saturating_add(1),
            escape(&part.filename),
            escape(&part.content_type),
            words.join(", ")
        );
    }
    if report.config.is_empty() {
        out.push_str("\nNo configuration.\n");
    } else {
        let _ = write!(out, "\nThe configuration:\n\n{}", visible(&yaml::text(&report.config)));
    }
    out
}

/// Text of several lines, in which nothing changes direction or hides.
fn visible(text: &str) -> String {
    let escaped = |piece: &str| match piece.strip_suffix(['\n', '\t']) {
        Some(words) => format!("{}{}", escape(words), piece.get(words.len()..).unwrap_or_default()),
        None => escape(piece),
    };
    text.split_inclusive(['\n', '\t']).map(escaped).collect()
}
