//! `hardtack customize`.

use std::path::PathBuf;

use clap::Args;

const CUSTOMIZE: &str = "\
Examples:
  hardtack customize -a disk.qcow2 --hostname web-1";

/// Take a command line of virt-customize, offline.
#[derive(Args, Debug)]
#[command(after_help = CUSTOMIZE)]
pub(crate) struct CustomizeArgs {
    /// What the other tool takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<PathBuf>,
}
