//! Verbs that people do not see: the processes behind instances of this machine.

use std::path::PathBuf;

use clap::Args;

/// The supervisor of an instance, and the switch of a network.
#[derive(Args, Debug)]
pub(crate) struct DirectoryArgs {
    /// Its directory.
    pub(crate) directory: PathBuf,
}

/// The relay from QEMU's user network to the metadata service.
#[derive(Args, Debug)]
pub(crate) struct RelayArgs {
    /// The service's socket.
    pub(crate) socket: PathBuf,
}
