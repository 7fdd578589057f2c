//! `hardtack plan`.

use std::path::PathBuf;

use clap::Args;

const PLAN: &str = "\
Examples:
  hardtack plan recipe.yaml base.qcow2 --html plan.html";

/// Show what a recipe would change in an image.
#[derive(Args, Debug)]
#[command(after_help = PLAN)]
pub(crate) struct PlanRecipeArgs {
    /// What it is about.
    pub(crate) recipe: PathBuf,
    /// What it is about.
    pub(crate) image: PathBuf,
}
