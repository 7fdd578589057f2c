//! `hardtack build --matrix`, and `hardtack build` of a recipe with rows: many images, each built by a process of its own.

mod children;
mod list;
mod memory;
mod places;
mod screen;
mod sources;

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory as _};
use hardtack_matrix::{Matrix, Run, load_matrix, matrix_of_rows};

use super::build;
use super::written::Written;
use crate::args::{BuildArgs, Cli};
use crate::cache_place::{self, Closed};
use crate::document;
use crate::error::CliError;
use crate::target;
use children::Children;
pub(crate) use list::run as list;

/// A matrix is text that people write.
const LARGEST: u64 = 1 << 20;
/// What this verb does itself; the jobs get everything else as it was given.
const OWN: [&str; 11] =
    ["recipe", "matrix", "source", "output", "set", "plan", "json", "jobs", "junit", "only", "row"];

/// Builds all jobs, or those asked for; one that fails does not stop the others.
pub(super) fn run(arguments: &BuildArgs) -> Result<u8, CliError> {
    let mut matrix = match (&arguments.matrix, &arguments.recipe) {
        (Some(path), _) => read(path)?,
        (None, Some(recipe)) => rows(recipe, arguments)?,
        (None, None) => return Err(CliError::usage("a recipe is needed, or --matrix")),
    };
    let chosen =
        matrix.chosen(&arguments.only).map_err(|error| CliError::usage(format!("--only: {error}")))?;
    win(&mut matrix, arguments);
    prepare(&matrix, &chosen, arguments)?;
    let outcomes = Children {
        matrix: &matrix,
        chosen: &chosen,
        at_once: at_once(arguments),
        passed_on: passed_on(arguments)?,
        plan: arguments.plan,
        json: arguments.json,
    }
    .run()?;
    let run = Run { matrix: &matrix, outcomes, planned: arguments.plan };
    // The report of the run before is meant to be replaced. What became of the jobs is told, whether this works or not.
    let reported = arguments.junit.as_ref().map_or(Ok(()), |path| {
        document::write(&run.to_junit(), Some(path), true, &[(&*matrix.path, "matrix")])
    });
    let mut out = std::io::stdout().lock();
    let told = match arguments.json {
        true => writeln!(out, "{}", run.to_json()),
        false if arguments.plan => plans(&run, &mut out),
        false => out.write_all(run.to_table().as_bytes()),
    };
    told.map_err(CliError::stream)?;
    drop(out);
    reported?;
    Ok(run.exit_code())
}

/// What the command line says of a variable counts more than what the matrix file says.
fn win(matrix: &mut Matrix, arguments: &BuildArgs) {
    for job in matrix.jobs.iter_mut().filter(|job| job.row.is_none()) {
        job.set.retain(|(name, _)| arguments.set.iter().all(|(given, _)| given != name));
        job.set.extend(arguments.set.iter().cloned());
    }
}

/// What would change, job by job, and the table.
fn plans(run: &Run<'_>, out: &mut impl std::io::Write) -> std::io::Result<()> {
    for outcome in &run.outcomes {
        let Some(text) = outcome.report.as_str() else { continue };
        let name = run.matrix.jobs.get(outcome.index).map_or("", |job| &job.name);
        writeln!(out, "== {name}\n{text}", name = crate::terminal::safe(name))?;
    }
    out.write_all(run.to_table().as_bytes())
}

/// Reads a matrix file.
pub(super) fn read(path: &Path) -> Result<Matrix, CliError> {
    let fail = |error| CliError::io(path, "read the matrix", error);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(CliError::usage(format!("{}: more than {LARGEST} bytes are no matrix", path.display())));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::usage(format!("{}: the matrix is not UTF-8 text", path.display())))?;
    Ok(load_matrix(path, &text)?)
}

/// The rows of a recipe. What is wrong with any of them before its image is open is told before the first one is built.
fn rows(recipe: &Path, arguments: &BuildArgs) -> Result<Matrix, CliError> {
    let written = Written::new(recipe, &arguments.set);
    let rows = written.rows()?;
    if rows.is_empty() {
        let message = format!("{}: has no matrix, so an image is needed", recipe.display());
        return Err(CliError::usage(message).hint("name it with --source, and --output or --plan"));
    }
    for index in 0..rows.len() {
        Written { row: Some(index), ..written }.read()?;
    }
    Ok(matrix_of_rows(recipe, &rows))
}

/// Makes the directories of the outputs, and tells what is wrong with the names of what is written before anything is
/// built. A plan writes no image.
fn prepare(matrix: &Matrix, chosen: &[usize], arguments: &BuildArgs) -> Result<(), CliError> {
    let written = if arguments.plan { &[] } else { chosen };
    let jobs = || written.iter().filter_map(|index| matrix.jobs.get(*index));
    for job in jobs() {
        if let Some(directory) = job.output.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)
                .map_err(|error| CliError::io(directory, "make the directory of outputs", error))?;
        }
    }
    if let Some(path) = &arguments.junit {
        target::check_output(path, true, &[(&*matrix.path, "matrix")])?;
    }
    places::check(matrix, written, arguments.junit.as_deref())?;
    for job in jobs().filter(|job| job.row.is_some()) {
        build::check_output(&job.recipe, &job.source, &job.output, arguments)?;
    }
    // Of many jobs that find none, one would make the cache, and what the others store would be lost.
    match cache_place::named(&arguments.cache).filter(|_| !arguments.plan && !arguments.no_cache) {
        Some(text) => match cache_place::open(&text) {
            Err(Closed::Wrong(error)) => Err(error),
            // Each job says so, and is built without it.
            Err(Closed::Away(_)) | Ok(_) => Ok(()),
        },
        None => Ok(()),
    }
}

/// How many are built at once.
fn at_once(arguments: &BuildArgs) -> usize {
    arguments.jobs.map_or_else(|| memory::jobs(arguments.settle), usize::from)
}

/// The options of this command line that every job gets.
fn passed_on(arguments: &BuildArgs) -> Result<Vec<OsString>, CliError> {
    let lost = || CliError::usage("the options for the jobs cannot be told apart");
    let command = Cli::command();
    let matches = command.clone().get_matches_from(std::env::args_os());
    let (_, build) = matches.subcommand().ok_or_else(lost)?;
    let command = command.find_subcommand("build").ok_or_else(lost)?.clone();
    let mut passed = Vec::new();
    for option in command.get_arguments() {
        let id = option.get_id().as_str();
        let given = build.try_contains_id(id).is_ok_and(|there| there)
            && build.value_source(id) == Some(ValueSource::CommandLine);
        let Some(name) = option.get_long().filter(|_| given && !OWN.contains(&id)) else { continue };
        if matches!(option.get_action(), ArgAction::SetTrue) {
            passed.push(format!("--{name}").into());
            continue;
        }
        for value in build.get_raw(id).into_iter().flatten() {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value);
            passed.push(argument);
        }
    }
    if arguments.matrix.is_none() {
        passed.extend(arguments.set.iter().map(|(name, value)| format!("--set={name}={value}").into()));
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_our_own_exists() {
        let command = Cli::command();
        let build = command.find_subcommand("build").unwrap();
        for id in OWN {
            assert!(build.get_arguments().any(|option| option.get_id() == id), "{id}");
        }
    }
}
