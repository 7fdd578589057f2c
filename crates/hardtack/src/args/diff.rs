//! `hardtack diff`.

use std::path::PathBuf;

use clap::Args;

use super::SourceArgs;

const DIFF: &str = "\
Examples:
  hardtack diff base.qcow2 hard.qcow2
  hardtack diff base.qcow2 hard.qcow2 --path /etc --content
  hardtack diff base.qcow2 hard.qcow2 --stat

Types, modes, owners, targets of links, extended attributes and content are compared, on all mounts of the
guest's fstab, and packages, partitions and what is booted. Times are not, without --times. Content that
not everybody may read is never shown.

Exit codes: 0 they are the same, 1 they differ, 2 wrong usage, 3 an image is refused, 4 local input.";

/// Compare two images file by file.
#[derive(Args, Debug)]
#[command(after_help = DIFF)]
pub(crate) struct DiffArgs {
    /// The first image; IMAGE@N is one partition of it.
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,

    /// The second image.
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,

    /// Compare only what lies here; may be given several times.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,

    /// Show how text differs, line by line.
    #[arg(long, conflicts_with = "stat")]
    pub(crate) content: bool,

    /// Only how many paths were added, removed and changed.
    #[arg(long)]
    pub(crate) stat: bool,

    /// Compare times of change too.
    #[arg(long, conflicts_with = "ignore_times")]
    pub(crate) times: bool,

    /// Do not compare times; so it is without this option.
    #[arg(long)]
    pub(crate) ignore_times: bool,

    /// Print JSON for programs: one object to a line.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the images are opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}
