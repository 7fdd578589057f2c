//! `hardtack packages`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SourceArgs;

const PACKAGES: &str = "\
Examples:
  hardtack packages why libpam-google-authenticator hard.qcow2
  hardtack packages tree openssh-server base.qcow2

Exit codes: 0 done, 1 the package is neither in the image nor in its package lists, 2 wrong usage,
3 image refused, 4 local input or output.";

const WHY: &str = "\
Examples:
  hardtack packages why libqrencode4 hard.qcow2
  hardtack packages why perl base.qcow2 --json";

const TREE: &str = "\
Examples:
  hardtack packages tree openssh-server base.qcow2 --depth 2
  hardtack packages tree nftables base.qcow2          # not installed: as the image's lists have it
  hardtack packages tree libssl3 base.qcow2 --reverse # what needs it";

/// Why a package is in an image, and what it pulls in.
#[derive(Args, Debug)]
#[command(after_help = PACKAGES, arg_required_else_help = true)]
pub(crate) struct PackagesArgs {
    /// What to tell.
    #[command(subcommand)]
    pub(crate) verb: PackagesVerb,
}

/// What is told of a package.
#[derive(Subcommand, Debug)]
pub(crate) enum PackagesVerb {
    /// Tell why a package is in an image: who asked for it, or what needs it.
    Why(WhyArgs),
    /// Tell what a package needs, or with --reverse what needs it.
    Tree(TreeArgs),
}

/// Tell why a package is in an image: who asked for it, or what needs it.
#[derive(Args, Debug)]
#[command(after_help = WHY)]
pub(crate) struct WhyArgs {
    /// The package.
    pub(crate) package: String,

    /// The image. It is only read.
    pub(crate) image: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

/// Tell what a package needs, or with --reverse what needs it.
#[derive(Args, Debug)]
#[command(after_help = TREE)]
pub(crate) struct TreeArgs {
    /// The package.
    pub(crate) package: String,

    /// The image. It is only read.
    pub(crate) image: PathBuf,

    /// Tell what needs the package.
    #[arg(long)]
    pub(crate) reverse: bool,

    /// Follow what packages recommend, too.
    #[arg(long)]
    pub(crate) recommends: bool,

    /// Go down this many steps.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) depth: u16,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}
