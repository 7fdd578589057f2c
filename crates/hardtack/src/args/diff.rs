//! `hardtack diff`.

use std::path::PathBuf;

use clap::Args;

const DIFF: &str = "\
Examples:
  hardtack diff base.qcow2 hard.qcow2";

/// Compare two images file by file.
#[derive(Args, Debug)]
#[command(after_help = DIFF)]
pub(crate) struct DiffArgs {
    /// What it is about.
    pub(crate) a: PathBuf,
    /// What it is about.
    pub(crate) b: PathBuf,
}
