//! `hardtack build`.

use std::path::PathBuf;

use clap::Args;

use super::set::pair;
use super::size::disk_size;
use super::{AccelName, CacheWhere, SourceArgs, SupplyArgs, TargetArgs};

const EXAMPLE: &str = "\
Examples:
  hardtack build image-recipes/debian-3fa.yaml --source debian-12-genericcloud-amd64.qcow2 \\
      --output hardened.qcow2
  hardtack build recipe.yaml --source base.raw --plan          # what would change, as a diff
  hardtack build recipe.yaml --source base.qcow2 --output big.qcow2 --grow 20G
  hardtack build recipe.yaml --source base.raw --plan --json   # the same for programs
  hardtack build recipe.yaml --source base.raw --output web.qcow2 --set name=web
  hardtack build recipe.yaml --source base.qcow2 --output done.qcow2 --settle   # no work left for launches
  hardtack build recipe.yaml --source base.qcow2 --output hard.qcow2 --cache ~/.cache/hardtack/builds
  hardtack build rows.yaml                                     # each row of the recipe's matrix
  hardtack build --matrix images.yaml --junit images.xml       # recipes times sources

From qcow2 to qcow2, clusters without a change are taken over as they are stored. What the edits gave
up is not in the output; when a file is removed or one that not everybody may read is replaced,
nothing that no file owns is (--sparsify, --no-sparsify). An --overlay hides it in the guest only: its
backing file still holds it.

The source is never changed. The output appears whole or not at all, readable by its owner only
(it holds password hashes). Times in the image come from SOURCE_DATE_EPOCH; without it, from the
image itself. The same source, recipe and hardtack give the same bytes.

Images of a matrix are built at once, each by a process of its own. One that fails does not stop the others,
a table tells what became of each, and the exit code is the highest of all.

Exit codes: 0 done, 2 wrong usage or recipe, 3 image refused, 4 local input or output.";

/// Apply a recipe to a copy of an image.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct BuildArgs {
    /// The recipe, a YAML file.
    #[arg(required_unless_present = "matrix")]
    pub(crate) recipe: Option<PathBuf>,

    /// Build all images of this matrix, recipes times sources.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recipe", "source", "output"])]
    pub(crate) matrix: Option<PathBuf>,

    /// Of a matrix, build so many images at once; else as many as processors and memory allow.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), conflicts_with = "source")]
    pub(crate) jobs: Option<u16>,

    /// Of a matrix, build this job only: by its name, or its number from 0. May be repeated.
    #[arg(long, value_name = "NAME", conflicts_with = "source")]
    pub(crate) only: Vec<String>,

    /// Of a matrix, write what became of the jobs to this file, for CI systems: JUnit's XML.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub(crate) junit: Option<PathBuf>,

    /// The row of the recipe's matrix, from 0.
    #[arg(long, value_name = "N", hide = true, conflicts_with_all = ["matrix", "source", "jobs", "only", "junit"])]
    pub(crate) row: Option<usize>,

    /// The process that this one ends with.
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) parent: Option<u32>,

    /// The image to start from: qcow2, raw, VMDK or VHD, also compressed or in an archive. It is only read.
    /// sha256:DIGEST is one that lies in the cache.
    /// Without it and --output, each row of the recipe's matrix is built.
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) source: Option<PathBuf>,

    /// The image to make. May be left out with --plan.
    #[arg(long, short, value_name = "FILE", requires = "source")]
    pub(crate) output: Option<PathBuf>,

    /// Give a variable of the recipe a value. Never a secret: take that from the environment.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,

    /// Make the disk this large (10G), and let the root partition and its file system fill it.
    #[arg(long, value_name = "SIZE", value_parser = disk_size)]
    pub(crate) grow: Option<u64>,

    /// Print what would change as a diff, and change nothing.
    #[arg(long)]
    pub(crate) plan: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Fail when a package has to be finished at first boot.
    #[arg(long)]
    pub(crate) no_deferred: bool,

    /// Boot the result once on this machine, so that what is left for the first boot is done in the image.
    #[arg(long, conflicts_with_all = ["plan", "no_deferred", "overlay"])]
    pub(crate) settle: bool,

    /// How long the boot of --settle may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, requires = "settle")]
    pub(crate) settle_timeout: u64,

    /// Who computes for --settle: kvm, tcg, or auto (KVM where it works). Else HARDTACK_ACCEL, else auto.
    #[arg(long, value_enum, value_name = "NAME", requires = "settle")]
    pub(crate) accel: Option<AccelName>,

    /// Write no record of the build beside the output.
    #[arg(long)]
    pub(crate) no_provenance: bool,

    /// The first-boot program; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH")]
    pub(crate) agent: Option<PathBuf>,

    /// Use no cache, whatever HARDTACK_BUILD_CACHE says.
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,

    // Last: their headings would go on over the options behind them.
    /// Packages from repositories.
    #[command(flatten)]
    pub(crate) supply: SupplyArgs,

    /// How the source is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,

    /// Builds that were done before.
    #[command(flatten)]
    pub(crate) cache: CacheWhere,

    /// How the output is written.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}
