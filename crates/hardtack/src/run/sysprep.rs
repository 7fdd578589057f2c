//! `hardtack sysprep`.

use crate::args::SysprepArgs;
use crate::error::CliError;

/// Take a command line of virt-sysprep, offline.
pub(crate) fn run(arguments: &SysprepArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
