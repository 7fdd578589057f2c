//! `hardtack demo`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLE: &str = "\
Example:
  hardtack demo
  hardtack demo --directory /tmp/demo   # keep the sample, the recipe and the result

The sample is laid out as Debian's cloud images are and holds what the recipe looks at, but no
kernel: it shows the work and does not boot.";

/// Show the main job on a small sample image that is part of this program.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct DemoArgs {
    /// Where sample, recipe and result go; else hardtack-demo in the current directory.
    #[arg(long, short, value_name = "DIRECTORY", default_value = "hardtack-demo")]
    pub(crate) directory: PathBuf,

    /// The first-boot program; else hardtack-agent beside this program or in ../lib/hardtack/.
    #[arg(long, value_name = "PATH")]
    pub(crate) agent: Option<PathBuf>,
}
