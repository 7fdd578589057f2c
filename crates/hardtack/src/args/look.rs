//! `hardtack ls` and its kin.

use std::path::PathBuf;

use clap::Args;

const LS: &str = "\
Examples:
  hardtack ls base.qcow2:/etc";

/// List files of an image.
#[derive(Args, Debug)]
#[command(after_help = LS)]
pub(crate) struct LsArgs {
    /// What it is about.
    pub(crate) at: PathBuf,
}

const CAT: &str = "\
Examples:
  hardtack cat base.qcow2:/etc/os-release";

/// Print files of an image.
#[derive(Args, Debug)]
#[command(after_help = CAT)]
pub(crate) struct CatArgs {
    /// What it is about.
    pub(crate) at: PathBuf,
}

const CP: &str = "\
Examples:
  hardtack cp base.qcow2:/etc/ssh out";

/// Copy files out of an image.
#[derive(Args, Debug)]
#[command(after_help = CP)]
pub(crate) struct CpArgs {
    /// What it is about.
    pub(crate) at: PathBuf,
    /// What it is about.
    pub(crate) to: PathBuf,
}

const TAR: &str = "\
Examples:
  hardtack tar base.qcow2:/etc --output etc.tar";

/// Write files of an image as a tar archive.
#[derive(Args, Debug)]
#[command(after_help = TAR)]
pub(crate) struct TarArgs {
    /// What it is about.
    pub(crate) at: PathBuf,
}
