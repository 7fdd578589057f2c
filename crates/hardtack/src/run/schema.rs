//! `hardtack schema`.

use crate::args::SchemaArgs;
use crate::error::CliError;

/// Print the JSON Schema of what people write.
pub(crate) fn run(arguments: &SchemaArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
