//! `hardtack recipe`.

use std::path::PathBuf;

use clap::Args;

const RECIPE: &str = "\
Examples:
  hardtack recipe import commands.txt > recipe.yaml";

/// Recipes: import those of other tools.
#[derive(Args, Debug)]
#[command(after_help = RECIPE)]
pub(crate) struct RecipeArgs {
    /// What the other tool takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<PathBuf>,
}
