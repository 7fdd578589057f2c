//! `hardtack inspect`.

use std::path::PathBuf;

use clap::Args;

const INSPECT: &str = "\
Examples:
  hardtack inspect base.qcow2 --json";

/// Tell what an image holds.
#[derive(Args, Debug)]
#[command(after_help = INSPECT)]
pub(crate) struct InspectArgs {
    /// What it is about.
    pub(crate) image: PathBuf,
}
