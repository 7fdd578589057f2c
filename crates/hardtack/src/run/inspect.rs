//! `hardtack inspect`.

use crate::args::InspectArgs;
use crate::error::CliError;

/// Tell what an image holds.
pub(crate) fn run(arguments: &InspectArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
