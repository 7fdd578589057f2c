//! `hardtack plan`.

use std::path::PathBuf;

use clap::Args;

use super::set::pair;
use super::size::disk_size;
use super::{SourceArgs, SupplyArgs};

const PLAN: &str = "\
Examples:
  hardtack plan recipe.yaml base.qcow2                       # every change, files as a diff
  hardtack plan recipe.yaml base.qcow2 --summary             # a line for each path
  hardtack plan recipe.yaml base.qcow2 --html plan.html      # the same as a page
  hardtack plan recipe.yaml base.qcow2 --json > plan.json    # the same for programs
  hardtack plan recipe.yaml built.qcow2 --detailed-exitcode  # has the image drifted?

Nothing is written but the page, and no program of the image runs. Secrets of the recipe stand nowhere.

Exit codes: 0 done, 1 something would change (with --detailed-exitcode), 2 wrong usage or recipe,
3 image refused, 4 local input or output.";

/// Show what a recipe would change in an image.
#[derive(Args, Debug)]
#[command(after_help = PLAN)]
pub(crate) struct PlanRecipeArgs {
    /// The recipe, a YAML file.
    pub(crate) recipe: PathBuf,

    /// The image. It is only read.
    pub(crate) image: PathBuf,

    /// Give a variable of the recipe a value. Never a secret: take that from the environment.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,

    /// Print one line for each path, with its mode and size, and no difference.
    #[arg(long, conflicts_with = "json")]
    pub(crate) summary: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page for people too; it needs no network and no script.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Replace an existing page.
    #[arg(long)]
    pub(crate) force: bool,

    /// End with 1 when something would change.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,

    /// As for a build that makes the disk this large (10G).
    #[arg(long, value_name = "SIZE", value_parser = disk_size)]
    pub(crate) grow: Option<u64>,

    /// Fail when a package has to be finished at first boot.
    #[arg(long)]
    pub(crate) no_deferred: bool,

    /// The first-boot program; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH")]
    pub(crate) agent: Option<PathBuf>,

    /// Packages from repositories.
    #[command(flatten)]
    pub(crate) supply: SupplyArgs,

    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}
