//! `hardtack build` of a recipe with a matrix: one image for each row.

use std::io::Write as _;

use super::build;
use super::written::Written;
use crate::args::BuildArgs;
use crate::error::CliError;
use crate::provenance::Recorder;
use crate::talk;

/// Builds every row, one after the other. What is wrong with any of them before its image is open is told before the
/// first one is built; after that, one that fails does not stop the others.
pub(super) fn run(arguments: &BuildArgs) -> Result<u8, CliError> {
    let written = Written::new(&arguments.recipe, &arguments.set);
    let rows = written.rows()?;
    if rows.is_empty() {
        let message = format!("{}: has no matrix, so an image is needed", arguments.recipe.display());
        return Err(CliError::usage(message).hint("name it with --source, and --output or --plan"));
    }
    let mut recipes = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        if !arguments.plan {
            build::check_output(&row.source, &row.output, arguments)?;
        }
        let recorder = Recorder::default();
        let recipe = Written { row: Some(index), recorder: Some(&recorder), ..written }.read()?;
        recipes.push((recipe, recorder));
    }
    let mut worst = 0;
    let mut failed = Vec::new();
    for (index, (row, (recipe, recorder))) in rows.iter().zip(&recipes).enumerate() {
        talk::line(&format!("{} ({} of {}):", row.output.display(), index + 1, rows.len()));
        let written = Written { row: Some(index), recorder: Some(recorder), ..written };
        let output = (!arguments.plan).then_some(&*row.output);
        match build::one(arguments, written, recipe, &row.source, output) {
            Ok(code) => worst = worst.max(code),
            Err(error) if error.is_broken_pipe() => return Err(error),
            Err(error) => {
                worst = worst.max(error.exit_code());
                failed.push(row.output.display().to_string());
                let _ = write!(std::io::stderr(), "{}", error.report());
            }
        }
    }
    let done = rows.len() - failed.len();
    let what = if arguments.plan { "planned" } else { "built" };
    let mut summary = format!("{done} of {} {what}", rows.len());
    if !failed.is_empty() {
        summary += &format!("; failed: {}", failed.join(", "));
    }
    talk::line(&summary);
    Ok(worst)
}
