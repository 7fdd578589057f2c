//! `hardtack plan`.

use crate::args::PlanRecipeArgs;
use crate::error::CliError;

/// Show what a recipe would change in an image.
pub(crate) fn run(arguments: &PlanRecipeArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
