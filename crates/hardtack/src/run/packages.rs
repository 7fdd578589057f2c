//! `hardtack packages`.

use crate::args::PackagesArgs;
use crate::error::CliError;

/// Why a package is in an image, and what it pulls in.
pub(crate) fn run(arguments: &PackagesArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
