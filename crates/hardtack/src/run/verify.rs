//! `hardtack verify`.

use crate::args::VerifyArgs;
use crate::error::CliError;

/// Is an image what a recipe says?
pub(crate) fn run(arguments: &VerifyArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
