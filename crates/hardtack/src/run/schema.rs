//! `hardtack schema`.

use std::io::Write as _;

use crate::args::{Of, SchemaArgs};
use crate::error::CliError;

/// Prints the JSON Schema of what people write.
pub(crate) fn run(arguments: &SchemaArgs) -> Result<u8, CliError> {
    let schema = match arguments.of {
        Of::Recipe => hardtack_recipe::recipe_schema(),
        Of::Matrix => hardtack_matrix::matrix_schema(),
    };
    writeln!(std::io::stdout().lock(), "{schema:#}").map_err(CliError::stream)?;
    Ok(0)
}
