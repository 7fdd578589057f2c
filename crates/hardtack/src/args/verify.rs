//! `hardtack verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::set::pair;
use super::{SourceArgs, SupplyArgs};

const VERIFY: &str = "\
Examples:
  hardtack verify recipe.yaml hard.qcow2
  hardtack verify cis-1 hard.qcow2
  hardtack verify recipe.yaml hard.qcow2 --format junit --output report.xml
  hardtack verify recipe.yaml hard.qcow2 --format sarif > hardtack.sarif
  hardtack verify recipe.yaml hard.qcow2 --format html --output report.html

The image may be anybody's: what counts is whether applying the recipe would change something. A profile
(baseline, cis-1, cis-2) looks at what is in force, control by control. Nothing in the image is changed or run.
Secrets of the recipe stand nowhere.

Exit codes: 0 the image is as the recipe says, 1 it is not, 2 wrong usage or recipe, 3 image refused,
4 local input or output.";

/// Is an image what a recipe, or a hardening profile, says?
#[derive(Args, Debug)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// The recipe, a YAML file, or a profile: baseline, cis-1, cis-2.
    pub(crate) recipe: PathBuf,

    /// The image. It is only read.
    pub(crate) image: PathBuf,

    /// Give a variable of the recipe a value. Never a secret: take that from the environment.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,

    /// How the verdict is written.
    #[arg(long, value_enum, default_value_t = VerdictFormat::Text)]
    pub(crate) format: VerdictFormat,

    /// Write the verdict to this file, whole or not at all.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace an existing file.
    #[arg(long)]
    pub(crate) force: bool,

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

/// Formats of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictFormat {
    /// A line for each control.
    Text,
    /// For programs.
    Json,
    /// JUnit's XML, as GitLab and Jenkins read it.
    Junit,
    /// GitLab's report of code quality.
    CodeQuality,
    /// SARIF 2.1.0, as GitHub reads it.
    Sarif,
    /// A page of its own.
    Html,
}
