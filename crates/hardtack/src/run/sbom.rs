//! `hardtack sbom`.

use crate::args::SbomArgs;
use crate::error::CliError;

/// Write the bill of materials of an image: SPDX or CycloneDX.
pub(crate) fn run(arguments: &SbomArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
