//! `hardtack inspect`.

use std::path::PathBuf;

use clap::Args;

use super::SourceArgs;

const INSPECT: &str = "\
Examples:
  hardtack inspect base.qcow2
  hardtack inspect base.qcow2 --json | jq .system.users
  hardtack inspect base.qcow2 image-recipes/debian-3fa.yaml    # what is missing for each step

Disks without a system are told by their partitions. What is damaged is told beside what can be read.
Of secrets only the paths are told.

Exit codes: 0 done, 1 a step of the recipe cannot be done, 2 wrong usage or recipe, 3 nothing can be read,
4 local input.";

/// Tell what an image holds.
#[derive(Args, Debug)]
#[command(after_help = INSPECT)]
pub(crate) struct InspectArgs {
    /// The image: qcow2, raw, VMDK or VHD, also compressed or in an archive. It is only read.
    pub(crate) image: PathBuf,

    /// A recipe: tell which of its steps can be done on the image, and why others cannot.
    pub(crate) recipe: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// List every package.
    #[arg(long)]
    pub(crate) packages: bool,

    /// The first-boot program for the recipe; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH", requires = "recipe")]
    pub(crate) agent: Option<PathBuf>,

    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}
