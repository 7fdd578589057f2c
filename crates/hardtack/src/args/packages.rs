//! `hardtack packages`.

use std::path::PathBuf;

use clap::Args;

const PACKAGES: &str = "\
Examples:
  hardtack packages why libpam-google-authenticator hard.qcow2";

/// Why a package is in an image, and what it pulls in.
#[derive(Args, Debug)]
#[command(after_help = PACKAGES)]
pub(crate) struct PackagesArgs {
    /// What the other tool takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<PathBuf>,
}
