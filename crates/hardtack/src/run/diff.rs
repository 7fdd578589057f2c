//! `hardtack diff`.

use crate::args::DiffArgs;
use crate::error::CliError;

/// Compare two images file by file.
pub(crate) fn run(arguments: &DiffArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
