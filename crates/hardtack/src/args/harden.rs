//! What is done to an image on its way: options that `bundle` and `install` share.

use std::path::PathBuf;

use clap::Args;

use super::set::pair;
use super::size::disk_size;
use super::{SupplyArgs, TargetArgs};

/// What is done to an image on its way.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HardenArgs {
    /// Apply this recipe to the image, as `hardtack build` does.
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<PathBuf>,

    /// Make the disk this large (10G), and let the root partition and its file system fill it.
    #[arg(long, value_name = "SIZE", value_parser = disk_size, requires = "recipe")]
    pub(crate) grow: Option<u64>,

    /// Give a variable of the recipe a value. Never a secret: take that from the environment.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, requires = "recipe")]
    pub(crate) set: Vec<(String, String)>,

    /// The first-boot program; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH", requires = "recipe")]
    pub(crate) agent: Option<PathBuf>,

    /// Leave out what no file owns: deleted files, and the copies in the journal.
    #[arg(long)]
    pub(crate) sparsify: bool,

    /// Take over what no file owns.
    #[arg(long, conflicts_with = "sparsify")]
    pub(crate) no_sparsify: bool,

    /// Packages from repositories.
    #[command(flatten)]
    pub(crate) supply: SupplyArgs,
}

impl HardenArgs {
    /// How an output of it is written.
    pub(crate) fn target(&self) -> TargetArgs {
        TargetArgs { sparsify: self.sparsify, no_sparsify: self.no_sparsify, ..TargetArgs::default() }
    }
}
