//! The processes behind instances of this machine.

use std::path::PathBuf;

use hardtack_local::{Program, metadata, network, supervisor};

use crate::args::{DirectoryArgs, RelayArgs};
use crate::environment;
use crate::error::CliError;

/// This program; also where its file was replaced or removed since it was started.
pub(crate) fn program() -> Result<Program, CliError> {
    let path = std::env::current_exe()
        .map_err(|error| CliError::io(std::path::Path::new("/proc/self/exe"), "find this program", error))?;
    let path = if path.exists() { path } else { PathBuf::from("/proc/self/exe") };
    Ok(Program { path })
}

/// The supervisor of an instance.
pub(crate) fn supervise(arguments: &DirectoryArgs) -> Result<u8, CliError> {
    supervisor::run(&arguments.directory, &program()?, &environment::of_process())?;
    Ok(0)
}

/// The switch of a private network.
pub(crate) fn switch(arguments: &DirectoryArgs) -> Result<u8, CliError> {
    network::switch(&arguments.directory, &environment::of_process())?;
    Ok(0)
}

/// The relay of one connection.
pub(crate) fn relay(arguments: &RelayArgs) -> Result<u8, CliError> {
    metadata::relay(&arguments.socket)?;
    Ok(0)
}
