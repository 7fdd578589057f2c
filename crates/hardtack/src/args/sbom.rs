//! `hardtack sbom`.

use std::path::PathBuf;

use clap::Args;

const SBOM: &str = "\
Examples:
  hardtack sbom hard.qcow2 --format spdx";

/// Write the bill of materials of an image: SPDX or CycloneDX.
#[derive(Args, Debug)]
#[command(after_help = SBOM)]
pub(crate) struct SbomArgs {
    /// What it is about.
    pub(crate) image: PathBuf,
}
