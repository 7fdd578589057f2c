//! `hardtack completions` and its kin.

use crate::args::{CompletionsArgs, ManArgs};
use crate::error::CliError;

/// Print completions for a shell.
pub(crate) fn completions(arguments: &CompletionsArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}

/// Write man pages of all verbs.
pub(crate) fn man(arguments: &ManArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
