//! `hardtack sysprep`.

use std::path::PathBuf;

use clap::Args;

const SYSPREP: &str = "\
Examples:
  hardtack sysprep -a disk.qcow2 --operations defaults,-ssh-userdir";

/// Take a command line of virt-sysprep, offline.
#[derive(Args, Debug)]
#[command(after_help = SYSPREP)]
pub(crate) struct SysprepArgs {
    /// What the other tool takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<PathBuf>,
}
