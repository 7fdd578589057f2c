//! `hardtack sbom`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SourceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack sbom hard.qcow2 > hard.spdx.json
  hardtack sbom hard.qcow2 --format cyclonedx --output hard.cdx.json

What is listed is what the package databases of the image hold (dpkg's, rpm's), with package URLs, sources,
what depends on what, and the licences that the packages name; and the first-boot program, by its digest. The
image is only read. Times come from SOURCE_DATE_EPOCH; without it, from the image itself, so that the same
image gives the same document.

Exit codes: 0 done, 2 wrong usage, 3 image refused, 4 local input or output.";

/// Write the bill of materials of an image: SPDX or CycloneDX.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct SbomArgs {
    /// The image: qcow2, raw, VMDK or VHD, also compressed or in an archive. It is only read.
    pub(crate) image: PathBuf,

    /// The format.
    #[arg(long, value_enum, default_value_t = SbomFormat::Spdx)]
    pub(crate) format: SbomFormat,

    /// The file to write; standard output without it.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace an existing file.
    #[arg(long, short, requires = "output")]
    pub(crate) force: bool,

    // Last: its heading would go on over the options behind it.
    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

/// Formats of bills of materials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomFormat {
    /// SPDX 2.3, JSON.
    Spdx,
    /// CycloneDX 1.6, JSON.
    Cyclonedx,
}
