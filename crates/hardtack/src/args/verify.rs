//! `hardtack verify`.

use std::path::PathBuf;

use clap::Args;

const VERIFY: &str = "\
Examples:
  hardtack verify recipe.yaml hard.qcow2 --format junit";

/// Is an image what a recipe says?
#[derive(Args, Debug)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// What it is about.
    pub(crate) recipe: PathBuf,
    /// What it is about.
    pub(crate) image: PathBuf,
}
