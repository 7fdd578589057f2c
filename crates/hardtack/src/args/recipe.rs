//! `hardtack recipe`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

const EXAMPLE: &str = "\
Examples:
  hardtack recipe import commands > recipe.yaml";

const IMPORT: &str = "\
Examples:
  hardtack recipe import commands > recipe.yaml           # a file as --commands-from-file takes it
  hardtack recipe import -- --hostname web-1 --update     # a command line of virt-customize
  hardtack recipe import --sysprep -- --operations defaults,-logfiles

Passwords do not come along: the recipe takes them from the environment, and a note says from which variable.

Exit codes: 0 done, 2 wrong usage, 4 local input or output.";

/// Recipes: import those of other tools.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct RecipeArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: RecipeVerb,
}

/// What to do with recipes.
#[derive(Subcommand, Debug)]
pub(crate) enum RecipeVerb {
    /// Print the recipe that a command line, or a file of commands, of virt-customize or virt-sysprep is.
    Import(ImportArgs),
}

/// What is imported.
#[derive(Args, Debug)]
#[command(after_help = IMPORT)]
pub(crate) struct ImportArgs {
    /// A file of commands; `-` is standard input.
    #[arg(required_unless_present = "rest")]
    pub(crate) file: Option<PathBuf>,

    /// It is virt-sysprep's.
    #[arg(long)]
    pub(crate) sysprep: bool,

    /// A command line, behind `--`.
    #[arg(last = true, value_name = "OPTION")]
    pub(crate) rest: Vec<OsString>,
}
