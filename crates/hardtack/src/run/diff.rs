//! `hardtack diff`.

use std::io::{BufWriter, Write};

use hardtack_guest::{GuestPath, Stage};
use hardtack_inspect::Options;
use hardtack_inspect::diff::{self, Change, Difference, Settings, settings, trees};
use serde_json::json;

use super::inspect;
use super::look::{Looked, Spec};
use crate::args::DiffArgs;
use crate::error::{CliError, NO};
use crate::terminal::{safe, safe_lines};

/// Compare two images file by file.
pub(crate) fn run(arguments: &DiffArgs) -> Result<u8, CliError> {
    let spec = |path: &std::path::Path| {
        let text = path.to_str().ok_or_else(|| CliError::usage("a name that is not UTF-8"))?;
        let spec = Spec::parse(text, &|path| path.exists())?;
        match spec.path.as_str() {
            "/" => Ok(spec),
            _ => Err(CliError::usage(format!("{text}: --path names what is compared"))),
        }
    };
    let (a, b) = (spec(&arguments.a)?, spec(&arguments.b)?);
    let mut out = BufWriter::new(std::io::stdout().lock());
    // A part of the files is asked for, or one partition: then not the rest of the disk.
    let found = if arguments.path.is_empty() && a.partition.is_none() && b.partition.is_none() {
        let options = Options { packages: true, today: None };
        let (one, _) = inspect::look(&a.image, &arguments.open, options)?;
        let (other, _) = inspect::look(&b.image, &arguments.open, options)?;
        settings(&one, &other)
    } else {
        Settings::default()
    };
    tell_settings(&mut out, &found, arguments)?;
    let one = Looked::open(&a.image, a.partition, &arguments.open)?;
    let other = Looked::open(&b.image, b.partition, &arguments.open)?;
    let mut counts = [0_usize; 4];
    let options = diff::Options { times: arguments.times, text: arguments.content };
    for top in tops(arguments, &one, &other)? {
        trees((&*one.tree, &*other.tree), &top, options, &mut |found: Difference| -> Result<(), CliError> {
            counts[found.change as usize] += 1;
            tell(&mut out, &found, arguments)
        })?;
    }
    let [added, removed, changed, unreadable] = counts;
    if arguments.stat {
        let told = if arguments.json {
            let line =
                json!({ "added": added, "removed": removed, "changed": changed, "unreadable": unreadable });
            writeln!(out, "{line}")
        } else {
            let more = if unreadable > 0 { format!(", {unreadable} unreadable") } else { String::new() };
            writeln!(out, "{added} added, {removed} removed, {changed} changed{more}")
        };
        told.map_err(CliError::stream)?;
    }
    out.flush().map_err(CliError::stream)?;
    let same = counts.iter().all(|count| *count == 0) && found.is_empty();
    Ok(if same { 0 } else { NO })
}

/// Where comparing starts: links on the way are followed in the image that has the path.
fn tops(arguments: &DiffArgs, one: &Looked, other: &Looked) -> Result<Vec<GuestPath>, CliError> {
    if arguments.path.is_empty() {
        return Ok(vec![GuestPath::root()]);
    }
    let (a, b) = (Stage::new(&*one.tree), Stage::new(&*other.tree));
    let mut tops = Vec::new();
    for path in &arguments.path {
        if !path.starts_with('/') {
            return Err(CliError::usage(format!("--path {path}: paths in an image begin with a slash")));
        }
        let found = one.resolve(&a, path, false);
        tops.extend(match found {
            Ok(found) => found,
            Err(_) => other.resolve(&b, path, false)?,
        });
    }
    Ok(tops)
}

fn tell_settings(out: &mut impl Write, found: &Settings, arguments: &DiffArgs) -> Result<(), CliError> {
    if arguments.json {
        let line = json!({ "schema": 1, "settings": found });
        return writeln!(out, "{line}").map_err(CliError::stream);
    }
    for (title, lines) in [("disk", &found.disk), ("boot", &found.boot), ("package", &found.packages)] {
        if arguments.stat && !lines.is_empty() {
            writeln!(out, "{title}: {} differ", lines.len()).map_err(CliError::stream)?;
            continue;
        }
        for line in lines {
            writeln!(out, "{title} {}", safe(line)).map_err(CliError::stream)?;
        }
    }
    Ok(())
}

fn tell(out: &mut impl Write, found: &Difference, arguments: &DiffArgs) -> Result<(), CliError> {
    if arguments.stat {
        return Ok(());
    }
    if arguments.json {
        let line = serde_json::to_string(found).map_err(|error| CliError::stream(error.into()))?;
        return writeln!(out, "{line}").map_err(CliError::stream);
    }
    let mark = match found.change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
        Change::Unreadable => '?',
    };
    writeln!(out, "{mark} {}: {}", safe(&found.path), safe(&found.what.join("; ")))
        .map_err(CliError::stream)?;
    match &found.text {
        Some(text) => write!(out, "{}", safe_lines(text)).map_err(CliError::stream),
        None => Ok(()),
    }
}
