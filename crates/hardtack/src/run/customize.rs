//! `hardtack customize`.

use crate::args::CustomizeArgs;
use crate::error::CliError;

/// Take a command line of virt-customize, offline.
pub(crate) fn run(arguments: &CustomizeArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
