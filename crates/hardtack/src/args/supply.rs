//! Packages from repositories: options of all verbs that apply a recipe.

use std::path::PathBuf;

use clap::Args;

/// Packages from repositories.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Packages from repositories")]
pub(crate) struct SupplyArgs {
    /// Ask no repository over the network; what is needed must be in the cache.
    #[arg(long)]
    pub(crate) offline: bool,

    /// A directory that stands for all repositories: a mirror, or .deb files. Nothing is fetched.
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    pub(crate) packages_from: Option<PathBuf>,

    /// Where fetched packages are kept; else hardtack/packages in XDG_CACHE_HOME, or ~/.cache.
    #[arg(long, value_name = "DIR")]
    pub(crate) packages_cache: Option<PathBuf>,

    /// The file that pins versions and digests, instead of the recipe's; made when it is missing.
    #[arg(long, value_name = "FILE")]
    pub(crate) packages_lock: Option<PathBuf>,

    /// Take what repositories offer now, and write the lock file anew.
    #[arg(long)]
    pub(crate) update_packages_lock: bool,

    /// Keys that may sign repositories, besides those of image and recipe. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) keyring: Vec<PathBuf>,
}
