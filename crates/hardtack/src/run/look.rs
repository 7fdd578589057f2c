//! `hardtack ls` and its kin.

use crate::args::{CatArgs, CpArgs, LsArgs, TarArgs};
use crate::error::CliError;

/// List files of an image.
pub(crate) fn ls(arguments: &LsArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}

/// Print files of an image.
pub(crate) fn cat(arguments: &CatArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}

/// Copy files out of an image.
pub(crate) fn cp(arguments: &CpArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}

/// Write files of an image as a tar archive.
pub(crate) fn tar(arguments: &TarArgs) -> Result<u8, CliError> {
    Err(CliError::usage(format!("not built yet: {arguments:?}")))
}
