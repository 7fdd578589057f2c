//! `hardtack recipe`.

use crate::args::RecipeArgs;
use crate::error::CliError;

/// Recipes: import those of other tools.
pub(crate) fn run(arguments: &RecipeArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
